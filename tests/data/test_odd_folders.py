"""Folders as people have them: pairs found, or an error before the first step that says what is there."""

import json
import os
import unicodedata

import numpy as np
import pytest
from PIL import Image

from csbsr.data import DataError, FolderPairs, folder_data
from csbsr.data.looked import Looked
from csbsr.data.mask_values import MaskRule
from csbsr.data.pairs import hint, matched
from csbsr.data.survey import check_before, survey
from tests.data.helpers import Halving

CRACK = np.zeros((48, 64), np.uint8)
CRACK[20:23, 5:60] = 255


def picture(seed, size=(48, 64)):
    return np.random.RandomState(seed).randint(60, 200, (*size, 3)).astype(np.uint8)


def write(root, count=6, split="train", suffix=".png", mask=CRACK, name="{}"):
    for kind in ("images", "masks"):
        (root / split / kind).mkdir(parents=True, exist_ok=True)
    for i in range(count):
        Image.fromarray(picture(i)).save(root / split / "images" / f"p{i}.jpg")
        Image.fromarray(mask).save(root / split / "masks" / f"{name.format(f'p{i}')}{suffix}")
    return root / split


def look(root, **options):
    source = FolderPairs(root, "train", **options)
    return check_before(source, {"training": range(len(source))})


def test_names_in_another_unicode_form_and_case(tmp_path):
    part = write(tmp_path)
    os.rename(part / "images/p0.jpg", part / "images" / unicodedata.normalize("NFC", "Brücke.jpg"))
    os.rename(part / "masks/p0.png", part / "masks" / unicodedata.normalize("NFD", "BRÜCKE.PNG"))
    source = FolderPairs(tmp_path, "train")
    assert len(source) == 6
    assert source.pairs[0][0].stem.casefold() == unicodedata.normalize("NFC", "brücke")
    assert look(tmp_path)["training"].error == ""


def test_equal_names_come_before_alike_ones():
    found = matched(["a", "A", "b"], ["A", "a", "B"])
    assert found.pairs == [("A", "A"), ("a", "a"), ("b", "B")]
    assert matched(["x/ä"], ["x/a\u0308_gt"], "{stem}_gt").pairs == [("x/ä", "x/a\u0308_gt")]
    assert matched(["c"], ["C", "ç"]).pairs == [("c", "C")]
    assert matched(["c"], ["C", "\u212b"]).unused == ["\u212b"]


@pytest.mark.parametrize("pattern", ["{stem}_mask", "{stem}_label", "{stem}_gt", "mask_{stem}", "{stem}-mask"])
def test_endings_are_hinted_at_and_taken_if_said(tmp_path, pattern):
    write(tmp_path, name=pattern.replace("{stem}", "{}"))
    with pytest.raises(DataError, match=f"data.mask_name={pattern.replace('{', '.').replace('}', '.')}"):
        FolderPairs(tmp_path, "train").pairs  # noqa: B018
    assert len(FolderPairs(tmp_path, "train", mask_name=pattern)) == 6
    assert hint(["p0", "p1"], ["q0_mask"]) == ""


@pytest.mark.parametrize("pattern", ["_mask", "masks/{stem}", "{stem}{stem}"])
def test_patterns_that_are_none(tmp_path, pattern):
    with pytest.raises(ValueError, match=r"mask_name: expected a name with \{stem\}"):
        FolderPairs(tmp_path, "train", mask_name=pattern)


def test_what_systems_leave_is_left_alone(tmp_path):
    part = write(tmp_path)
    for folder in ("@eaDir/p0.jpg", "__MACOSX", ".thumbnails"):
        (part / "images" / folder).mkdir(parents=True)
        Image.fromarray(picture(9, (4, 5))).save(part / "images" / folder / "SYNOPHOTO_THUMB_M.jpg")
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "._p0.jpg"):
        (part / "images" / name).write_bytes(b"x")
    os.mkfifo(part / "images" / "pipe.jpg")
    (part / "masks" / "zero.png").symlink_to("/dev/zero")
    assert len(FolderPairs(tmp_path, "train")) == 6
    assert look(tmp_path)["training"].error == ""


def test_photographs_that_cannot_be_read_are_named(tmp_path):
    part = write(tmp_path)
    (part / "images" / "IMG_1.dng").write_bytes(b"II*\0")
    with pytest.raises(DataError, match=r"1 photographs in formats.*IMG_1.dng is raw of a camera"):
        len(FolderPairs(tmp_path, "train"))


def test_one_bad_pair_among_many_is_found_before_the_first_step(tmp_path):
    part = write(tmp_path, 40)
    Image.fromarray(np.zeros((49, 65), np.uint8)).save(part / "masks" / "p7.png")
    Image.fromarray(CRACK // 255).save(part / "masks" / "p9.png")
    (part / "images" / "p11.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(DataError) as caught:
        look(tmp_path)
    text = str(caught.value)
    assert "3 of 40 pairs cannot be used" in text
    for words in (
        "p7.jpg: found 64 x 48 pixels, but its mask",
        "p9.png: found a mask whose largest value is 1",
        "p11.jpg: f",
    ):
        assert words in text
    assert "csbsr-check" in text
    data = folder_data(str(tmp_path), Halving(), seed=0, num_workers=0, crop=16)
    with pytest.raises(DataError, match="3 of 40 pairs"):
        data.setup("fit")
    folder_data(str(tmp_path), Halving(), seed=0, num_workers=0, crop=16, check="none").setup("fit")


def test_a_turned_photograph_is_told_by_its_orientation(tmp_path):
    part = write(tmp_path, 2)
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(picture(0)).save(part / "images" / "p0.jpg", exif=exif)
    with pytest.raises(DataError, match=r"48 x 64 pixels.*EXIF orientation \(6\)"):
        look(tmp_path)
    with pytest.raises(DataError, match=r"EXIF orientation \(6\)"):
        FolderPairs(tmp_path, "train").read(0)


@pytest.mark.parametrize(
    ("mask", "word"), [(0 * CRACK, "none of the 6 masks holds a crack"), (255 - CRACK, "inverted")]
)
def test_sets_without_a_crack_or_inverted_are_refused(tmp_path, mask, word):
    write(tmp_path, mask=mask)
    with pytest.raises(DataError, match=word):
        look(tmp_path)
    if word == "inverted":
        assert look(tmp_path, rule=MaskRule(0))["training"].error == ""
        np.testing.assert_array_equal(FolderPairs(tmp_path, "train", rule=MaskRule(0)).read(0)[1], CRACK // 255)


def test_validation_without_a_crack_is_told(tmp_path, caplog):
    part = write(tmp_path, 8)
    data = folder_data(str(tmp_path), Halving(), seed=0, num_workers=0, crop=16, validation_fraction=0.2)
    data.setup("fit")
    for name in data.split_record()["validation"]:
        Image.fromarray(0 * CRACK).save(part / "masks" / name.replace(".jpg", ".png"))
    folder_data(str(tmp_path), Halving(), seed=0, num_workers=0, crop=16, validation_fraction=0.2).setup("fit")
    assert "of validation, none of the 2 masks holds a crack" in caplog.text


def test_ignored_and_missing_pixels_reach_the_batch(tmp_path):
    part = write(tmp_path, 3)
    labels = (CRACK // 255).astype(np.uint8)
    labels[:, -4:] = 255
    for i in range(3):
        Image.fromarray(labels).save(part / "masks" / f"p{i}.png")
    opaque = np.full(CRACK.shape, 255, np.uint8)
    opaque[:5] = 0
    os.remove(part / "images" / "p1.jpg")
    Image.fromarray(np.dstack([picture(1), opaque])).save(part / "images" / "p1.png")
    data = folder_data(str(tmp_path), Halving(), seed=0, num_workers=0, crop=48, mirror=0, vertical_flip=0,
                       crack_label="1", ignore_label=255, validation_fraction=0.0, batch_size=3)  # fmt: skip
    data.setup("fit")
    source = data.train_source
    ignored = source.read(1)[1] == 255
    assert ignored[:, -4:].all()
    assert ignored[:5].all()
    assert ignored.sum() == 48 * 4 + 5 * 60
    batch = next(iter(data.train_dataloader()))
    assert set(batch["mask"].unique().tolist()) == {0.0, 1.0}
    assert batch["valid"].shape == batch["mask"].shape
    for index, valid in zip(batch["index"].tolist(), batch["valid"][:, 0], strict=True):
        assert bool((valid[:5] == 0).all()) == (index == 1)


def test_polygons_beside_masks_beside_images_and_of_a_set(tmp_path):
    part = write(tmp_path, 3)
    square = {"label": "crack", "points": [[4, 4], [20, 4], [20, 12], [4, 12]], "shape_type": "polygon"}
    wanted = np.zeros((48, 64), bool)
    wanted[4:13, 4:21] = True
    labelme = {"shapes": [square], "imageHeight": 48, "imageWidth": 64}
    for i in range(3):
        os.remove(part / "masks" / f"p{i}.png")
        (part / "masks" / f"p{i}.json").write_text(json.dumps(labelme))
    np.testing.assert_array_equal(FolderPairs(tmp_path, "train").read(2)[1], wanted)
    assert look(tmp_path)["training"].error == ""
    for i in range(3):
        os.rename(part / "masks" / f"p{i}.json", part / "images" / f"p{i}.json")
    os.rmdir(part / "masks")
    np.testing.assert_array_equal(FolderPairs(tmp_path, "train").read(0)[1], wanted)
    for i in range(3):
        os.remove(part / "images" / f"p{i}.json")
    coco = {
        "images": [{"id": i, "file_name": f"p{i}.jpg", "height": 48, "width": 64} for i in range(3)],
        "categories": [{"id": 1, "name": "crack"}],
        "annotations": [{"image_id": 1, "category_id": 1, "segmentation": [np.ravel(square["points"]).tolist()]}],
    }
    (part / "masks.json").write_text(json.dumps(coco))
    source = FolderPairs(tmp_path, "train")
    assert [source.read(i)[1].sum() for i in range(3)] == [0, wanted.sum(), 0]
    assert look(tmp_path)["training"].error == ""
    coco["images"].pop()
    (part / "masks.json").write_text(json.dumps(coco))
    with pytest.raises(DataError, match=r"1 of 3 images that the COCO file does not list \(p2.jpg\)"):
        len(FolderPairs(tmp_path, "train"))


def test_a_second_look_reads_nothing_that_has_not_changed(tmp_path, monkeypatch):
    part = write(tmp_path / "data", 8)
    cache, source = Looked(tmp_path / "cache"), FolderPairs(tmp_path / "data", "train")
    first = survey(source, range(8), True, cache)
    assert all(seen.look.cracks == 165 and seen.head.size == (48, 64) and not seen.fault for seen in first)
    Image.fromarray(0 * CRACK).save(part / "masks" / "p3.png")
    read = []
    from csbsr.data import heads, masks
    from csbsr.data import survey as module

    monkeypatch.setattr(heads, "read_head", lambda path: read.append(path.name) or heads.Head(64, 48))
    monkeypatch.setattr(
        module, "look_at_mask", lambda path, *rest: read.append(path.name) or masks.look_at_mask(path, *rest)
    )
    second = survey(source, range(8), True, cache)
    assert read == ["p3.png", "p3.png"]
    assert [seen.look.cracks for seen in second] == [165, 165, 165, 0, 165, 165, 165, 165]


def test_a_cache_that_cannot_be_used_does_no_harm(tmp_path):
    (tmp_path / "looked-1.sqlite").write_bytes(b"no table at all" * 100)
    (tmp_path / "a").write_text("x")
    cache = Looked(tmp_path)
    cache.remember("head", {tmp_path / "a": [1]})
    assert cache.known("head", [tmp_path / "a"]) == {}


def test_files_cut_at_their_end_are_found_before_the_first_step(tmp_path):
    part = write(tmp_path, 5)
    for name, kind in (("p1.png", "PNG"), ("p2.tif", "TIFF"), ("p3.jpg", "JPEG"), ("p4.jpg", "JPEG")):
        (part / "images" / name.replace(name[-3:], "jpg")).unlink()
        Image.fromarray(picture(1)).save(part / "images" / name, kind)
        data = (part / "images" / name).read_bytes()
        (part / "images" / name).write_bytes(data + b"a note of the camera" * 300 if name == "p4.jpg" else data[:-600])
    with pytest.raises(DataError) as caught:
        look(tmp_path)
    assert "3 of 5 pairs" in str(caught.value)
    for name in ("p1.png: found a damaged", "p2.tif: found a damaged", "p3.jpg: found a damaged"):
        assert name in str(caught.value)


def test_what_is_there_instead_is_named(tmp_path):
    part = write(tmp_path, 3)
    for i in range(3):
        os.rename(part / "masks" / f"p{i}.png", part / "masks" / f"p{i}.gif")
    with pytest.raises(DataError, match=r"p0.gif is GIF; convert it to PNG"):
        len(FolderPairs(tmp_path, "train"))
    os.rename(part / "masks", part / "labels")
    with pytest.raises(DataError, match=r"masks: found no such folder, but images, labels; expected"):
        len(FolderPairs(tmp_path, "train"))
