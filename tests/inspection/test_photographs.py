"""Which files an input means, and what their results are called."""

import os

import pytest

from csbsr.inspection.photographs import find


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")


@pytest.fixture
def tree(tmp_path):
    touch(tmp_path / "in", "a.jpg", "B.TIFF", "wall/a.jpg", "wall/c.webp", "notes.txt", ".hidden.jpg", ".cache/x.jpg",
          "wall [1], ü/d e.png")  # fmt: skip
    return tmp_path / "in"


def stems(found):
    return [photograph.stem for photograph in found.photographs]


def test_a_folder_with_its_sub_folders(tree, tmp_path):
    found = find(tree, tmp_path / "out")
    assert stems(found) == ["B", "a", "wall [1], ü/d e", "wall/a", "wall/c"]
    assert next(photograph.name for photograph in found.photographs) == "B.TIFF"
    assert found.others == ["notes.txt"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*", ["B", "a"]),
        ("**/*.jpg", ["a", "wall/a"]),
        ("*/a.jpg", ["wall/a"]),
        ("wall/?.[jw]*", ["a", "c"]),  # the part before the first wildcard is not mirrored
    ],
)
def test_patterns(tree, tmp_path, pattern, expected):
    assert stems(find(tree / pattern, tmp_path / "out")) == expected


def test_what_exists_is_no_pattern(tree, tmp_path):
    assert stems(find(tree / "wall [1], ü", tmp_path / "out")) == ["d e"]
    assert stems(find(tree / "wall [1], ü" / "d e.png", tmp_path / "out")) == ["d e"]


def test_a_file_may_have_any_suffix(tree, tmp_path):
    assert stems(find(tree / "notes.txt", tmp_path / "out")) == ["notes"]


def test_one_stem_twice_in_a_folder(tmp_path):
    touch(tmp_path / "in", "a.jpg", "A.png", "b.jpg", "b.jpg.png", "b.png", "c.png", "sub/a.jpg")
    found = find(tmp_path / "in", tmp_path / "out")
    assert dict((photograph.name, photograph.stem) for photograph in found.photographs) == {
        "A.png": "A.png", "a.jpg": "a.jpg", "b.jpg": "b.jpg", "b.png": "b.png", "b.jpg.png": "b.jpg.png", "c.png": "c",
        "sub/a.jpg": "sub/a",
    }  # fmt: skip


def test_results_are_no_photographs(tree):
    touch(tree / "results", "a_mask.png")
    assert "results/a_mask" not in stems(find(tree, tree / "results"))
    assert "results/a_mask" not in stems(find(tree / "**/*", tree / "results"))
    assert stems(find(tree / "a.jpg", tree)) == ["a"]  # one file beside its results
    for source in (tree, tree / "*.jpg"):
        with pytest.raises(ValueError, match="another folder than the one with the photographs"):
            find(source, tree)


def test_earlier_results_and_links_are_not_entered(tree, tmp_path):
    touch(tree / "inspection", "report.html", "summary.json", "a_mask.png", "wall/a_mask.png")
    touch(tmp_path / "elsewhere", "x.png")
    (tree / "link").symlink_to(tmp_path / "elsewhere")
    found = find(tree, tmp_path / "out")
    assert stems(found) == ["B", "a", "wall [1], ü/d e", "wall/a", "wall/c"]
    assert found.others == ["inspection", "link", "notes.txt"]
    assert stems(find(tree / "inspection", tmp_path / "out")) == ["a_mask", "wall/a_mask"]  # asked for


def test_a_folder_that_cannot_be_searched_is_told(tree, tmp_path, monkeypatch):
    scandir = os.scandir

    def locked(path):
        if os.fspath(path).endswith("wall"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", locked)
    found = find(tree, tmp_path / "out")
    assert stems(found) == ["B", "a", "wall [1], ü/d e"]
    assert found.unread == [f"{tree}/wall: cannot be searched (Permission denied)"]


@pytest.mark.parametrize("name", ["nothing", "*.gif", "wall/*.bmp"])
def test_nothing_there(tree, tmp_path, name):
    with pytest.raises(FileNotFoundError, match="input: no"):
        find(tree / name, tmp_path / "out")
