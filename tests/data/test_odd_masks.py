"""Masks of odd kinds: the crack where it is, or an error that says what the values are and what to set."""

import io
import json

import cv2
import numpy as np
import pytest
import skimage.draw
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from csbsr.data import DataError
from csbsr.data.coco_files import Coco, read_coco
from csbsr.data.labelme_files import areas, labelme, read_polygons
from csbsr.data.mask_values import IGNORED, MaskRule
from csbsr.data.masks import MaskLook, judge_set, look_at_mask, read_labels
from csbsr.data.outlines import inside, outlines

HEIGHT, WIDTH = 96, 128
CRACK = np.zeros((HEIGHT, WIDTH), np.uint8)
cv2.polylines(CRACK, [np.array([[5, 20], [40, 50], [70, 44], [120, 80]], np.int32)], False, 1, 3)
BORDER = CRACK.copy()
BORDER[:, -6:] = IGNORED
WHITE = CRACK * np.uint8(255)
WALL = cv2.GaussianBlur(np.random.RandomState(0).normal(150, 30, (HEIGHT, WIDTH, 3)).astype(np.float32), (0, 0), 1.2)
WALL = np.where(CRACK[..., None] > 0, 45, WALL).clip(0, 255).astype(np.uint8)


def png(array, mode=None, kind="PNG", **options):
    data = io.BytesIO()
    Image.fromarray(array).save(data, kind, **options) if mode is None else mode(array).save(data, kind, **options)
    return data.getvalue()


def palette(colours):
    def image(array):
        made = Image.fromarray(array, "L").copy()
        made.putpalette([level for colour in colours for level in colour])
        return made

    return image


def tif(array, **options):
    data = io.BytesIO()
    tifffile.imwrite(data, array, **options)
    return data.getvalue()


def soft(factor):
    big = cv2.resize(WHITE, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)
    return cv2.resize(cv2.GaussianBlur(big, (0, 0), factor / 2), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)


PROBABILITY = cv2.GaussianBlur(WHITE.astype(np.float32), (0, 0), 6)
PROBABILITY = (PROBABILITY / PROBABILITY.max() * 250).astype(np.uint8)
RULES = {
    "1": MaskRule(1),
    "0": MaskRule(0),
    "1, 255": MaskRule(1, 255),
    "red": MaskRule("#ff0000"),
    "128": MaskRule(128),
}
LABELS = np.where(BORDER == IGNORED, 255, CRACK).astype(np.uint8)
RED = np.where(CRACK[..., None] > 0, np.uint8([255, 0, 0]), np.uint8([0, 0, 0]))
THREE = np.where(CRACK > 0, 128, 0).astype(np.uint8)
THREE[:9] = 255

#: name: bytes, rule, the labels
READ = {
    "black and white": (png(WHITE), None, CRACK),
    "one bit": (png(CRACK > 0), None, CRACK),
    "254 for white": (png(CRACK * np.uint8(254)), None, CRACK),
    "white is zero in the file": (tif(np.invert(WHITE), photometric="miniswhite"), None, CRACK),
    "16 bits": (tif(WHITE.astype(np.uint16) * 257), None, CRACK),
    "255 of 16 bits": (tif(WHITE.astype(np.uint16)), None, CRACK),
    "float of 0 and 1": (tif(CRACK.astype(np.float32)), None, CRACK),
    "grey palette": (png(CRACK, palette([[0, 0, 0], [255, 255, 255]])), None, CRACK),
    "colours that are grey": (png(np.repeat(WHITE[..., None], 3, 2)), None, CRACK),
    "opaque alpha": (png(np.dstack([WHITE] * 3 + [np.full_like(WHITE, 255)])), None, CRACK),
    "transparent background": (png(np.dstack([WHITE] * 4)), None, CRACK),
    "empty": (png(0 * WHITE), None, 0 * CRACK),
    "labels 0 and 1, as said": (png(CRACK), RULES["1"], CRACK),
    "labels of 16 bits, as said": (tif(CRACK.astype(np.uint16)), RULES["1"], CRACK),
    "labels with ignored ones, as said": (png(LABELS), RULES["1, 255"], BORDER),
    "inverted, as said": (png(np.invert(WHITE)), RULES["0"], CRACK),
    "a colour, as said": (png(RED), RULES["red"], CRACK),
    "index of a palette, as said": (png(CRACK, palette([[0, 0, 0], [128, 0, 0]])), RULES["1"], CRACK),
    "one of three levels, as said": (png(THREE), RULES["128"], np.where(THREE == 128, 1, 0)),
    "ignored white, the crack below": (png(np.where(BORDER == IGNORED, 100, WHITE).astype(np.uint8)),
                                       MaskRule(ignore_label=100), np.where(BORDER == IGNORED, IGNORED, CRACK)),
}  # fmt: skip


@pytest.mark.parametrize("kind", READ)
def test_the_crack_is_where_it_is(tmp_path, kind):
    data, rule, wanted = READ[kind]
    (tmp_path / "m").write_bytes(data)
    labels = read_labels(tmp_path / "m", rule)
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, wanted)


SHADED = {
    "JPEG": (png(WHITE, kind="JPEG", quality=75), "sound"),
    "JPEG of low quality": (png(WHITE, kind="JPEG", quality=30), "sound"),
    "JPEG in colour": (png(np.repeat(WHITE[..., None], 3, 2), kind="JPEG", quality=75), "sound"),
    "soft edges": (png(soft(4)), "sound"),
    "WebP": (png(WHITE, kind="WEBP", quality=80), "sound"),
    "probability of 8 bits": (png(PROBABILITY), "probability"),
    "probability, float": (tif(PROBABILITY.astype(np.float32) / 255), "probability"),
}


@pytest.mark.parametrize("kind", SHADED)
def test_ripples_soft_edges_and_probabilities_are_cut_in_the_middle(tmp_path, kind):
    data, verdict = SHADED[kind]
    (tmp_path / "m").write_bytes(data)
    look, labels = look_at_mask(tmp_path / "m")
    assert (look.kind, look.error) == (verdict, "")
    wanted = PROBABILITY > 127 if "probability" in kind else CRACK > 0
    assert np.count_nonzero((labels == 1) != wanted) <= (0 if "probability" in kind else 0.12 * CRACK.sum())


GREY_CRACK = np.where(CRACK > 0, 100, 0).astype(np.uint8)
STRAY = CRACK.copy()
STRAY[3, 3] = 255
STRAY_GREY = np.random.RandomState(0).randint(90, 110, CRACK.shape) * (CRACK > 0)
STRAY_GREY[3, 3] = 255
CITY = np.random.RandomState(0).randint(0, 5, (12, 16)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
CITY[:, -6:] = 255

REFUSED = {
    "labels 0 and 1": (png(CRACK), "low", "largest value is 1;.*crack_label=1"),
    "grey crack": (png(GREY_CRACK), "low", "largest value is 100"),
    "labels with 255": (png(LABELS), "labels", r"3 values: 0 \(.*1 \(.*255.*crack_label=1 and ignore_label=255"),
    "one stray bright pixel": (png(STRAY), "labels", r"255 \(1 pixels\)"),
    "a grey crack and a stray pixel": (png(STRAY_GREY.astype(np.uint8)), "low", "only 1 of"),
    "three levels": (png(THREE), "labels", "3 values: 0 .*128 .*255"),
    "many labels": (png(CITY), "labels", "6 values"),
    "labels of 16 bits": (tif(CRACK.astype(np.uint16)), "low", "largest value is 1"),
    "in the alpha channel": (png(np.dstack([0 * WHITE] * 3 + [WHITE])), "alpha", "the mask is in the alpha channel"),
    "white, in the alpha channel": (png(np.dstack([0 * WHITE + 255] * 3 + [WHITE])), "alpha", "alpha channel"),
    "white that is transparent": (png(np.dstack([WHITE] * 3 + [np.invert(WHITE)])), "alpha", "white pixels that are"),
    "red on black": (png(RED), "colours", r"colours #000000 \(.*#ff0000.*crack_label='#ff0000'"),
    "colour palette": (png(CRACK, palette([[0, 0, 0], [128, 0, 0]])), "colours", "#800000"),
    "overlay": (png(np.where(CRACK[..., None] > 0, np.uint8([255, 0, 0]), WALL)), "picture", "picture in colour"),
    "photograph": (png(WALL, kind="JPEG"), "picture", "picture in"),
    "grey photograph": (png(WALL[..., 0]), "picture", "many grey levels, not a mask"),
    "bands": (tif(np.dstack([WHITE] * 5), photometric="minisblack", planarconfig="contig"), "unreadable", "5 bands"),
    "text": (b"no picture", "unreadable", "no image"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_the_values_are_and_what_to_set(tmp_path, kind):
    data, verdict, message = REFUSED[kind]
    (tmp_path / "m.png").write_bytes(data)
    with pytest.raises(DataError, match=f"(?s)m.png: found.*{message}"):
        read_labels(tmp_path / "m.png")
    look, labels = look_at_mask(tmp_path / "m.png")
    assert (look.kind, labels) == (verdict, None)


@pytest.mark.parametrize("rule", [{"crack_label": -1}, {"crack_label": True}, {"crack_label": 1.5},
                                  {"crack_label": 1, "ignore_label": 1}])  # fmt: skip
def test_rules_that_are_none(rule):
    with pytest.raises(ValueError, match="label: expected"):
        MaskRule(**rule)


def test_sets_are_judged_together():
    empty, little, much = (MaskLook("sound", cracks, 0, 1000) for cracks in (0, 30, 970))
    assert judge_set([]).error == ""
    assert judge_set([empty, little, much]).error == ""
    assert judge_set([empty] * 5).kind == "no cracks"
    assert "none of the 5 masks holds a crack" in judge_set([empty] * 5).error
    assert judge_set([much] * 5).kind == "inverted"
    assert "data.crack_label=0" in judge_set([much] * 5).error
    assert judge_set([much]).error == ""
    assert judge_set([MaskLook("labels", error="?")] * 3).error == ""


# ---------------------------------------------------------------- polygons

TRIANGLE = [[10.0, 5.0], [60.0, 20.0], [25.5, 70.25]]


def drawn(points, shape=(HEIGHT, WIDTH)):
    found = np.zeros(shape, bool)
    xs, ys = np.array(points).T
    found[skimage.draw.polygon(ys, xs, shape)] = True
    return found


def shape(points, label="crack", kind="polygon"):
    return {"label": label, "points": points, "shape_type": kind}


def of_nine(shapes):
    return json.dumps({"shapes": shapes, "imageHeight": 9, "imageWidth": 9})


def file_of(path, shapes, size=(HEIGHT, WIDTH)):
    size = {} if size is None else {"imageHeight": size[0], "imageWidth": size[1]}
    path.write_text(json.dumps({"version": "5", "shapes": shapes, "imagePath": "a.jpg", **size}))
    return path


def test_labelme_as_scikit_image_draws_it(tmp_path):
    path = file_of(
        tmp_path / "a.json", [shape(TRIANGLE, "Crack 1"), shape([[30, 10], [50, 40]], "ignore", "rectangle")]
    )
    labels = read_polygons(path)
    ignored = drawn([[30, 10], [50, 10], [50, 40], [30, 40]])
    np.testing.assert_array_equal(labels == IGNORED, ignored)
    np.testing.assert_array_equal(labels == 1, drawn(TRIANGLE) & ~ignored)
    circle = file_of(tmp_path / "c.json", [shape([[50, 40], [60, 40]], kind="circle")])
    assert read_polygons(circle).sum() == 317  # centres within 10 pixels
    assert areas(path, "Ignore").sum() == ignored.sum()
    np.testing.assert_array_equal(read_labels(path, MaskRule("Crack 1")) == 1, drawn(TRIANGLE) & ~ignored)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "no JSON"), ("[1]", "another kind"), ("{}", "JSON without shapes"),
        ('{"annotations": [], "images": []}', "COCO"),
        (json.dumps({"shapes": [{"label": "crack"}]}), "shape without a label or points"),
        (json.dumps({"shapes": [shape([[0, 0], [5, 5]])]}), "no imageHeight"),
        (of_nine([shape([[0, 0], [5, 5]])]), "polygon of 2 points"),
        (of_nine([shape(TRIANGLE, "crack line", "linestrip")]), "labelled crack line"),
        (of_nine([shape(TRIANGLE, "rust")]), "labelled rust.*crack_label=rust"),
        (of_nine([shape([[float("nan"), 1]] * 3)]), "points of x and y"),
        (json.dumps({"shapes": [], "imageHeight": 10**9, "imageWidth": 9}), "a size of"),
        ("[" * 100000, "no JSON"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_polygons(tmp_path, content, message):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(DataError, match=f"a.json: found.*{message}"):
        read_labels(tmp_path / "a.json")


def coco_file(path, annotations, categories=((1, "crack"),)):
    content = {
        "images": [{"id": 7, "file_name": "a.jpg", "height": HEIGHT, "width": WIDTH},
                   {"id": 8, "file_name": "b.jpg", "height": 4, "width": 5}],
        "categories": [{"id": key, "name": name} for key, name in categories],
        "annotations": annotations,
    }  # fmt: skip
    path.write_text(json.dumps(content))
    return path


def test_coco_polygons_and_run_lengths(tmp_path):
    flat = np.array(TRIANGLE).ravel().tolist()
    runs = [0, 3, 1, 4, 12]  # down the columns
    path = coco_file(tmp_path / "c.json", [
        {"image_id": 7, "category_id": 1, "segmentation": [flat]},
        {"image_id": 8, "category_id": 1, "segmentation": {"counts": runs, "size": [4, 5]}},
    ])  # fmt: skip
    masks = read_coco(path)
    np.testing.assert_array_equal(masks["a.jpg"] == 1, drawn(TRIANGLE))
    wanted = np.zeros(20, int)
    wanted[:3] = wanted[4:8] = 1
    np.testing.assert_array_equal(masks["b.jpg"], wanted.reshape(5, 4).T)
    text = coco_file(
        tmp_path / "t.json", [{"image_id": 8, "category_id": 1, "segmentation": {"counts": "0314:", "size": [4, 5]}}]
    )
    with pytest.raises(DataError, match="an annotation that is none"):
        Coco(text).mask("b.jpg")
    other = coco_file(tmp_path / "o.json", [], ((1, "rust"), (2, "moss")))
    with pytest.raises(DataError, match="categories rust, moss"):
        Coco(other)


def test_coco_against_its_own_tool(tmp_path):
    tool = pytest.importorskip("pycocotools.mask")
    draw = np.random.RandomState(0)
    for _ in range(20):
        centre, turn = draw.uniform(30, 60, 2), np.sort(draw.uniform(0, 2 * np.pi, 7))
        points = centre + draw.uniform(5, 28, (7, 1)) * np.stack([np.cos(turn), np.sin(turn)], 1)
        theirs = tool.decode(tool.merge(tool.frPyObjects([points.ravel().tolist()], HEIGHT, WIDTH))).astype(bool)
        differs = inside(points, (HEIGHT, WIDTH)) != theirs
        outline = points.astype(np.float32).reshape(-1, 1, 2)
        for row, column in np.argwhere(differs):  # pixels of the outline alone
            assert abs(cv2.pointPolygonTest(outline, (float(column), float(row)), True)) < 1.5
    encoded = tool.encode(np.asfortranarray(CRACK))
    annotation = {"counts": encoded["counts"].decode(), "size": [HEIGHT, WIDTH]}
    path = coco_file(tmp_path / "c.json", [{"image_id": 7, "category_id": 1, "segmentation": annotation}])
    np.testing.assert_array_equal(read_coco(path)["a.jpg"], CRACK)


@settings(max_examples=60, deadline=None)
@given(
    points=st.lists(st.tuples(st.integers(-3, 20), st.integers(-3, 20)), min_size=3, max_size=8),
    fine=st.booleans(),
)
def test_polygons_are_those_of_scikit_image(points, fine):
    points = np.array(points, float) + (np.arange(2 * len(points)).reshape(-1, 2) * 0.137 if fine else 0)
    np.testing.assert_array_equal(inside(points, (16, 18)), drawn(points, (16, 18)))


@settings(max_examples=60, deadline=None)
@given(mask=arrays.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))), scale=st.sampled_from([1, 2, 3, 4]))
def test_round_trip_of_outlines(tmp_path_factory, mask, scale):
    """To the pixel of the mask, whatever its holes and corners, also through coordinates of a smaller photograph."""
    drawn_again = np.zeros_like(mask)
    for ring in outlines(mask):
        drawn_again |= inside(ring, mask.shape)
    np.testing.assert_array_equal(drawn_again, mask)
    large = np.kron(mask, np.ones((scale, scale), bool))
    large[::3, ::2] ^= True
    path = tmp_path_factory.mktemp("t") / "a.json"
    path.write_text(json.dumps(labelme(large, "a.jpg", mask.shape, scale)))
    np.testing.assert_array_equal(read_polygons(path, size=large.shape) == 1, large)


@pytest.mark.filterwarnings("ignore:.*every pixel of this mask is crack")
@settings(max_examples=40, deadline=None)
@given(
    mask=arrays.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))),
    kind=st.sampled_from(["bit", "grey", "rgb", "wide", "label"]),
)
def test_round_trip_of_masks(tmp_path_factory, mask, kind):
    path = tmp_path_factory.mktemp("t") / "m.png"
    white = mask.astype(np.uint8) * np.uint8(255)
    rule = MaskRule(1) if kind == "label" else None
    made = {"bit": mask, "grey": white, "rgb": np.repeat(white[..., None], 3, 2), "label": mask.astype(np.uint8)}
    if kind == "wide":
        cv2.imwrite(str(path), mask.astype(np.uint16) * np.uint16(65535))
    else:
        Image.fromarray(made[kind]).save(path)
    np.testing.assert_array_equal(look_at_mask(path, rule)[1], mask)


def test_no_data_of_a_tiff_is_no_crack_and_no_label(tmp_path):
    levels = np.zeros((20, 30), np.uint8)
    levels[:8], levels[12:14, 5:25] = 1, 255
    for name, value in (("dark.tif", 1), ("bright.tif", 255)):
        pixels = levels if value == 1 else np.where(levels == 255, 255, 0).astype(np.uint8)
        tifffile.imwrite(tmp_path / name, pixels, extratags=[(42113, "s", 0, str(value), True)])
        assert (read_labels(tmp_path / name) == (levels == 255)).all()  # what is bright is crack, whatever its tag says


def test_levels_that_its_reader_knows_as_dark_are_background(tmp_path):
    levels = np.zeros((20, 30), np.uint8)
    levels[:8], levels[8:10], levels[12:14, 5:25] = 1, 2, 255
    tifffile.imwrite(tmp_path / "mask.tif", levels)
    with pytest.raises(DataError, match="4 values"):
        read_labels(tmp_path / "mask.tif")
    with pytest.raises(DataError, match="3 values"):
        read_labels(tmp_path / "mask.tif", dark=1)
    assert (read_labels(tmp_path / "mask.tif", dark=2) == (levels == 255)).all()
