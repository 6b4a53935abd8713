"""Paths from files stay inside the folder that the file describes."""

import pytest

from csbsr.inside import check_relative, inside


@pytest.mark.parametrize("path", ["../victim.txt", "/etc/passwd", "a/../../b", "", ".", "..", "a\0b", "/", "a/.."])
def test_what_leads_elsewhere_is_refused(path):
    with pytest.raises(ValueError, match=r"^results\.sr: expected a path below the folder"):
        check_relative(path, "results.sr")


@pytest.mark.parametrize("path", ["a.png", "a/b_mask.png", "...jpg", "a..b/c", "-x", "~/a", "a b,=.png", "裂缝/1.jpg"])
def test_what_lies_below_passes(path, tmp_path):
    check_relative(path, "results.sr")
    assert inside(tmp_path, path) == tmp_path / path


def test_links_are_followed_only_inside(tmp_path):
    folder, other = tmp_path / "results", tmp_path / "other"
    (folder / "below").mkdir(parents=True)
    other.mkdir()
    (other / "victim.txt").write_text("mine")
    (folder / "below" / "file.txt").write_text("ours")
    (folder / "out").symlink_to(other)
    (folder / "link.txt").symlink_to(other / "victim.txt")
    (folder / "within").symlink_to(folder / "below")
    (folder / "circle").symlink_to(folder / "circle")
    (tmp_path / "door").symlink_to(folder)
    assert inside(folder, "out/victim.txt") is None
    assert inside(folder, "out/victim.txt", follow=False) is None
    assert inside(folder, "link.txt") is None
    assert inside(folder, "link.txt", follow=False) == folder / "link.txt"  # removes the link alone
    assert inside(folder, "within/file.txt") == folder / "within" / "file.txt"
    assert inside(tmp_path / "door", "below/file.txt") is not None  # the folder itself may be a link
    assert inside(folder, "below/..") is None
    assert inside(folder, "circle") is None
