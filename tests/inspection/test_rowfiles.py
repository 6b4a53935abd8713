"""Rows on the disk outlive the process that made them; what a kill cut in its middle is cut to where it was whole."""

import json

import numpy as np
import pytest

from csbsr.inspection.rowfiles import RowFile, RowFiles
from csbsr.predict.by_rows import Rows
from csbsr.predict.rows import LEVELS

WANTED = {"settings": {"threshold": 0.5, "bands": (3, 2, 1)}, "bytes": 7}
STATE = {"row": np.array(0), "answers": np.arange(6, dtype=np.uint16).reshape(1, 2, 3)}


def rows(number, first, width=5):
    levels = np.full((number, width), first, np.uint16)
    return Rows(levels, levels.astype(np.float32) * np.float32(0.25 / LEVELS), levels[..., None].repeat(3, 2) % 256)


def begun(folder, wanted=WANTED):
    found = RowFiles(folder, wanted, 5, with_sr=True, with_variance=True)
    assert (found.state, found.tile) == (None, None)
    found.tile = 64
    found.add(rows(3, 10))
    found.add(rows(1, 20))
    found.keep(0, STATE)
    return found


def again(folder, wanted=WANTED):
    return RowFiles(folder, wanted, 5, with_sr=True, with_variance=True)


@pytest.mark.parametrize(("channels", "dtype"), [(1, np.uint16), (3, np.uint8)])
def test_rows_are_read_as_they_were_written(tmp_path, channels, dtype):
    image = np.arange(7 * 4 * channels).astype(dtype).reshape(7, 4, *([channels] if channels > 1 else []))
    file = RowFile(tmp_path / "rows", 4, dtype, channels)
    file.append(image[:3])
    file.append(image[3:])
    np.testing.assert_array_equal(file.read(2, 6), image[2:6])
    file.cut(5)
    assert (tmp_path / "rows").stat().st_size == 5 * 4 * channels * np.dtype(dtype).itemsize
    file.append(image[5:])
    np.testing.assert_array_equal(file.read(0, 7), image)
    with pytest.raises(ValueError, match="expected 8 rows, got 7"):
        file.cut(8)


def test_what_was_kept_is_gone_on_from(tmp_path):
    begun(tmp_path / "rows")
    found = again(tmp_path / "rows")
    assert found.tile == 64
    assert {name: value.tolist() for name, value in found.state.items()} == {
        name: value.tolist() for name, value in STATE.items()
    }
    np.testing.assert_array_equal(found.probability.read(0, 4)[:, 0], [10, 10, 10, 20])
    np.testing.assert_array_equal(found.uncertainty.read(0, 4), found.probability.read(0, 4))
    np.testing.assert_array_equal(found.sr.read(3, 4), np.full((1, 5, 3), 20))
    found.add(rows(2, 30))
    found.keep(1, {**STATE, "row": np.array(1)})
    assert [path.name for path in (tmp_path / "rows").glob("state-*")] == ["state-1.npz"]
    later = again(tmp_path / "rows")
    assert later.state["row"] == 1
    np.testing.assert_array_equal(later.probability.read(0, 6)[:, 0], [10, 10, 10, 20, 30, 30])


def test_rows_of_a_tile_that_was_not_finished_are_cut(tmp_path):
    found = begun(tmp_path / "rows")
    found.add(rows(2, 99))  # and then a kill, in the middle of a row of one of the files
    with found.sr.path.open("ab") as file:
        file.write(b"\x07" * 4)
    found = again(tmp_path / "rows")
    found.add(rows(1, 30))
    found.keep(1, STATE)
    for file in (found.probability, found.sr, found.uncertainty):
        assert file.path.stat().st_size == 5 * file._line
        assert file.read(0, 5).reshape(5, -1)[:, 0].tolist() == [10, 10, 10, 20, 30]


def killed(*_):
    raise KeyboardInterrupt


def test_a_kill_between_state_and_journal_leaves_the_state_before(tmp_path, monkeypatch):
    found = begun(tmp_path / "rows")
    found.add(rows(2, 30))
    with monkeypatch.context() as patch:
        patch.setattr("csbsr.inspection.rowfiles.write_text", killed)
        with pytest.raises(KeyboardInterrupt):
            found.keep(1, {**STATE, "row": np.array(1)})
    found = again(tmp_path / "rows")
    assert found.state["row"] == 0
    assert found.probability.path.stat().st_size == 4 * found.probability._line


def shortened(path):
    path.write_bytes(path.read_bytes()[:-9])


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("probability.rows", shortened),
        ("sr.rows", shortened),
        ("state-0.npz", shortened),
        ("state-0.npz", lambda path: path.write_bytes(b"")),
        ("state-0.npz", lambda path: path.unlink()),
        ("journal.json", shortened),
        ("journal.json", lambda path: path.write_text("[]")),
        ("journal.json", lambda path: path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2}))),
        ("journal.json", lambda path: path.unlink()),
    ],
)
def test_what_is_unusable_is_begun_anew(tmp_path, name, harm):
    folder = tmp_path / "rows"
    begun(folder)
    harm(folder / name)
    begun(folder)  # finds no state
    assert again(folder).tile == 64


@pytest.mark.parametrize("change", [{"settings": {"threshold": 0.4}}, {"bytes": 8}])
def test_rows_of_other_settings_or_of_another_file_are_not_gone_on_with(tmp_path, change):
    begun(tmp_path / "rows")
    begun(tmp_path / "rows", {**WANTED, **change})


def test_rows_without_what_is_asked_for_now_are_not_gone_on_with(tmp_path):
    first = RowFiles(tmp_path / "rows", WANTED, 5, with_sr=False, with_variance=False)
    first.tile = 64
    first.add(rows(3, 10)._replace(variance=None, sr=None))
    first.keep(0, STATE)
    assert sorted(path.name for path in (tmp_path / "rows").glob("*.rows")) == ["probability.rows"]
    begun(tmp_path / "rows")
