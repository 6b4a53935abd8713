"""Images of strangers: judged by their heads, in one line, before memory is taken; one bad file stops no other."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from csbsr.data.folder import FolderPairs
from csbsr.data.reading import any_size, at_most, read_image, read_mask, read_photograph
from csbsr.data.survey import survey
from csbsr.inspection.metadata import read_metadata
from csbsr.measure import read_segmentation
from tests.strangers.images import bmp_that_claims, jpeg_that_claims, png, sparse, tiff_that_claims, webp_that_claims
from tests.strangers.refusal import assert_refused, in_child, trials


class Case(NamedTuple):
    name: str
    make: Callable[[Path], Any]
    message: str


LIMIT = r"found {} pixels \(\d+ megapixels\); expected at most 500 megapixels\. .*set max_megapixels="


def cut_png(path: Path) -> None:
    path.write_bytes(png(path, 900, 900).read_bytes()[:900])


def large_jpeg(path: Path) -> None:
    with jpeg_that_claims(path, 16, 16).open("ab") as file:
        file.truncate(20 << 30)


CASES = [
    Case("png 100000", lambda path: png(path, 100_000, 100_000, rows=2), LIMIT.format("100000 x 100000")),
    Case("png of one bit", lambda path: png(path, 24_000, 24_000, 1, 0), LIMIT.format("24000 x 24000")),
    Case("png of 16 bits", lambda path: png(path, 60_000, 60_000, 16, 2, rows=1), LIMIT.format("60000 x 60000")),
    Case("png, grey, 16 bits", lambda path: png(path, 60_000, 60_000, 16, 0, rows=1), LIMIT.format("60000 x 60000")),
    Case("png, one line", lambda path: png(path, 2_000_000_000, 1, rows=0), LIMIT.format("2000000000 x 1")),
    Case("png without pixels", lambda path: png(path, 0, 5, rows=0), "damaged|no image|at least one pixel"),
    Case("png that ends", cut_png, "damaged or truncated"),
    Case("jpeg 60000", lambda path: jpeg_that_claims(path, 60_000, 60_000), LIMIT.format("60000 x 60000")),
    Case("jpeg 20000", lambda path: jpeg_that_claims(path, 20_000, 20_000), "damaged .*bytes for 400 megapixels"),
    Case("jpeg without pixels", lambda path: jpeg_that_claims(path, 0, 0), "at least one pixel"),
    Case("tiff 100000", lambda path: tiff_that_claims(path, 100_000, 100_000), LIMIT.format("100000 x 100000")),
    Case("tiff that ends", lambda path: tiff_that_claims(path, 2000, 2000), "damaged"),
    Case("tiff of 60000 bands", lambda path: tiff_that_claims(path, 9000, 9000, 60_000), "GB while it is read|damaged"),
    Case("bmp 100000", lambda path: bmp_that_claims(path, 100_000, 100_000), LIMIT.format("100000 x 100000")),
    Case("bmp, upside down", lambda path: bmp_that_claims(path, 30_000, -30_000), LIMIT.format("30000 x 30000")),
    Case("webp that ends", webp_that_claims, "damaged|no image|GB while it is read"),
    Case("20 GB of zeros", lambda path: sparse(path, 20 << 30), "21475 MB that are no image"),
    Case("20 GB of a png", lambda path: sparse(path, 20 << 30, b"\x89PNG"), "21475 MB without a readable head"),
    Case("20 GB for a jpeg", large_jpeg, "21475 MB for 16 x 16 pixels"),
    Case("empty", lambda path: path.write_bytes(b""), "an empty file"),
    Case("text", lambda path: path.write_text("hello"), "no image"),
    Case("a pipe", os.mkfifo, "found a pipe"),
    Case("a link to a device", lambda path: path.symlink_to("/dev/zero"), "found a link to a device"),
    Case("a link to nothing", lambda path: path.symlink_to("gone"), "a link that leads nowhere"),
    Case("a folder", lambda path: path.mkdir(), "found a folder"),
]  # fmt: skip


READERS = (read_image, read_photograph, read_mask, read_segmentation)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Every case with every reader."""

    def prepare(case, read):
        def made(folder):
            path = folder / "a\x1b[2Jphoto.jpg"
            case.make(path)
            return lambda: read(path)

        return made

    calls = {(case.name, read.__name__): prepare(case, read) for case in CASES for read in READERS}
    return trials(calls, tmp_path_factory.mktemp("images"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("reader", [read.__name__ for read in READERS])
def test_refused_by_the_head(reader, case, outcomes):
    assert_refused(outcomes[case.name, reader], case.message, ("DataError",))


@pytest.mark.parametrize("case", [case for case in CASES if case.name.startswith("a ")], ids=lambda case: case.name)
def test_what_is_no_file_tells_nothing_and_holds_nobody_up(case, tmp_path):
    case.make(tmp_path / "a.jpg")
    assert in_child(lambda: read_metadata(tmp_path / "a.jpg")).kind == ""


def test_the_limit_is_the_users(tmp_path):
    Image.fromarray(np.zeros((100, 101, 3), np.uint8)).save(tmp_path / "a.png")
    with at_most(0.0101):
        assert read_image(tmp_path / "a.png").shape == (100, 101, 3)
    with at_most(0.01), pytest.raises(ValueError, match=r"expected at most 0\.01 megapixels\. .* max_megapixels=1;"):
        read_image(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").shape == (100, 101, 3)


def test_a_training_set_has_the_same_limit_and_says_so_before_the_first_step(tmp_path):
    for kind in ("images", "masks"):
        (tmp_path / "train" / kind).mkdir(parents=True)
        Image.fromarray(np.zeros((40, 50), np.uint8)).save(tmp_path / "train" / kind / "a.png")
    pairs = FolderPairs(tmp_path, "train", max_megapixels=0.002)
    assert pairs.read(0)[0].shape == (40, 50, 3)
    assert not survey(pairs, [0])[0].fault
    pairs = FolderPairs(tmp_path, "train", max_megapixels=0.0019)
    with pytest.raises(ValueError, match=r"found 50 x 40 pixels"):
        pairs.read(0)
    assert "found 50 x 40 pixels" in survey(pairs, [0], full=False)[0].fault


def test_pillows_own_limit_comes_back_when_the_last_thread_leaves(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    inside, leave = threading.Barrier(2), threading.Event()

    def stay():
        with any_size():
            inside.wait()
            leave.wait()

    thread = threading.Thread(target=stay)
    thread.start()
    inside.wait()
    with any_size():
        pass
    assert Image.MAX_IMAGE_PIXELS is None  # the other thread is still inside
    leave.set()
    thread.join()
    assert Image.MAX_IMAGE_PIXELS == 10
