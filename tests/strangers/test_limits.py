"""What is no file is not opened; what is too large is told by its head."""

import os
import socket

import pytest

from csbsr.data.errors import DataError
from csbsr.data.limits import check_memory, check_pixels, decoded_bytes
from csbsr.data.regular import check_regular, is_regular
from csbsr.memory import available_memory


@pytest.fixture
def odd(tmp_path):
    """A folder with one of each kind of thing that is no file."""
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    (tmp_path / "piped.jpg").symlink_to(tmp_path / "pipe.jpg")
    (tmp_path / "nowhere.jpg").symlink_to(tmp_path / "gone")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    (tmp_path / "file.jpg").write_bytes(b"abc")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "file.jpg")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("pipe.jpg", "found a pipe; expected a file"),
        ("folder.jpg", "found a folder"),
        ("zero.jpg", "found a link to a device"),
        ("piped.jpg", "found a link to a pipe"),
        ("nowhere.jpg", "found a link that leads nowhere"),
        ("loop.jpg", "found a link that leads nowhere"),
        ("none.jpg", "found no readable file"),
        ("zero\0byte.jpg", "found no readable file"),
    ],
)
def test_what_is_no_file_is_named(odd, name, found):
    with pytest.raises(DataError, match=found):
        check_regular(odd / name)
    assert not is_regular(odd / name)


def test_files_and_links_to_them_pass(odd):
    assert check_regular(odd / "file.jpg") == check_regular(odd / "link.jpg") == 3
    assert is_regular(odd / "link.jpg")


def test_a_socket_is_no_file(tmp_path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        with pytest.raises(DataError, match="found a socket"):
            check_regular(tmp_path / "s")


def test_too_many_pixels_are_told_with_the_way_out():
    check_pixels("a.png", 25_000, 20_000)
    check_pixels("a.png", 100_000, 100_000, 10_000)
    with pytest.raises(DataError, match=r"a\.png: found 100000 x 100000 pixels \(10000 megapixels\); expected at most "
                                        r"500 megapixels\. .* set max_megapixels=20000"):  # fmt: skip
        check_pixels("a.png", 100_000, 100_000)
    with pytest.raises(DataError, match=r"set max_megapixels=600;"):
        check_pixels("a.png", 25_001, 20_000)
    with pytest.raises(DataError, match=r"found 0 x 5 pixels"):
        check_pixels("a.png", 0, 5)


def test_memory_is_compared_before_decoding():
    needed = decoded_bytes(1000, 2000, channels=3, item_bytes=4)
    assert needed == 84_000_000
    check_memory("a.png", needed, available=needed)
    with pytest.raises(DataError, match=r"takes about 0\.1 GB while it is read; expected at most the 0\.0 GB"):
        check_memory("a.png", needed, available=needed // 2)
    check_memory("a.png", 1)
    assert available_memory() is None or available_memory() > 1
