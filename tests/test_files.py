"""Files whole or not at all, and the seal of a checkpoint."""

import errno
import io
import os
import random

import pytest
import torch

from csbsr import files
from csbsr.seal import SealingWriter, check_seal


def sealed(path, value):
    with files.whole(path) as file:
        writer = SealingWriter(file)
        torch.save(value, writer)
        writer.seal()
    return path


def write_half(path):
    with files.whole(path) as file:
        file.write(b"tw")
        raise OSError(errno.ENOSPC, "No space left on device")


def test_an_error_leaves_the_earlier_file_and_nothing_else(tmp_path):
    path = tmp_path / "new" / ("ä" * 120)
    files.write_text(path, "one")
    with pytest.raises(OSError) as caught:
        write_half(path)
    assert caught.value.filename == str(path)
    assert path.read_text() == "one"
    assert list(path.parent.iterdir()) == [path]
    files.write_text(path, "name\udcff")
    assert path.read_bytes() == b"name\xff"


def test_the_file_is_not_seen_before_it_is_whole(tmp_path):
    path = tmp_path / "a"
    with files.whole(path, "w", encoding="utf-8") as file:
        file.write("one")
        assert not path.exists()
        assert [entry.parent for entry in tmp_path.iterdir()] == [tmp_path]  # beside its place: one file system
    assert path.read_text() == "one"
    files.partial_name(path).write_text("left by a kill")
    files.remove_partial(tmp_path)
    assert list(tmp_path.iterdir()) == [path]


def no_links(*_):
    raise OSError(errno.EPERM, "no links")


@pytest.mark.parametrize("links", [True, False])
def test_an_earlier_file_is_kept(links, tmp_path, monkeypatch):
    last, previous = tmp_path / "last", tmp_path / "previous"
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    files.keep_as(last, previous)
    assert not list(tmp_path.iterdir())
    for text in ("one", "two", "three"):
        files.keep_as(last, previous)
        files.keep_as(last, previous)  # the same file under both names
        assert not list(tmp_path.glob(".*"))
        files.write_text(last, text)
    assert (previous.read_text(), last.read_text()) == ("two", "three")
    assert len(list(tmp_path.iterdir())) == 2


def test_a_full_disk_is_told():
    error = OSError(errno.ENOSPC, "No space left on device", "/x/last.ckpt")
    assert files.disk_trouble(error).startswith("/x/last.ckpt: the disk is full; free")
    assert files.disk_trouble(FileNotFoundError(errno.ENOENT, "x")) is None
    assert files.disk_trouble(ValueError()) is None


def test_every_flipped_bit_and_every_cut_is_noticed(tmp_path):
    value = {"weights": torch.arange(300.0), "text": "ä" * 40}
    path = sealed(tmp_path / "a.ckpt", value)
    data = path.read_bytes()
    with path.open("rb") as file:
        assert check_seal(file, "a.ckpt")
        assert torch.equal(torch.load(file, weights_only=True)["weights"], value["weights"])
    draw = random.Random(0)
    places = [*range(2000), *range(8 * len(data) - 1200, 8 * len(data)), *draw.sample(range(8 * len(data)), 400)]
    for bit in places:
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ValueError, match=r"a\.ckpt is damaged: .* checksum"):
            check_seal(io.BytesIO(changed), "a.ckpt")
    for size in (len(data) - 1, len(data) - 70, len(data) - 90, len(data) // 2, 30):
        with pytest.raises(ValueError, match="damaged"):
            check_seal(io.BytesIO(data[:size]), "a.ckpt")


def test_files_without_a_seal_stay_readable(tmp_path):
    torch.save({"a": torch.ones(3)}, tmp_path / "plain.ckpt")
    torch.save({"a": torch.ones(3)}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    for path in tmp_path.iterdir():
        with path.open("rb") as file:
            assert not check_seal(file, path.name)
            assert file.tell() == 0
    assert not check_seal(io.BytesIO(b""), "empty")


def test_an_error_of_the_disk_is_kept_for_whoever_asks():
    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    writer = SealingWriter(Full())
    with pytest.raises((OSError, RuntimeError)):  # torch raises its own
        torch.save({"a": torch.ones(3000)}, writer)
    assert writer.error.errno == errno.ENOSPC
