"""Polygons of strangers: sizes and run lengths that a file claims are bounded before masks are made of them."""

import json

import pytest

from csbsr.data.coco_files import Coco
from csbsr.data.labelme_files import read_polygons
from tests.strangers.refusal import assert_refused, trials

SHAPE = {"label": "crack", "points": [[1, 1], [5, 1], [5, 5]], "shape_type": "polygon"}


def labelme(**changes):
    return json.dumps({"shapes": [SHAPE], "imageHeight": 9, "imageWidth": 9, **changes})


def coco(segmentation, height=9, width=9):
    return json.dumps({
        "images": [{"id": 1, "file_name": "a.png", "height": height, "width": width}],
        "categories": [{"id": 1, "name": "crack"}],
        "annotations": [{"image_id": 1, "category_id": 1, "segmentation": segmentation}],
    })  # fmt: skip


CASES = {
    "large": (labelme(imageHeight=99_999, imageWidth=99_999), "found 99999 x 99999 pixels"),
    "larger": (labelme(imageHeight=10**9, imageWidth=1), "a size of 1 x 1000000000"),
    "in words": (labelme(imageHeight="nine"), "a size of 9 x nine"),
    "deep": ("[" * 100_000, "no JSON"),
    "deep shapes": ('{"shapes":' + "[" * 100_000, "no JSON"),
    "no shapes": (labelme(shapes=3), "JSON without shapes"),
    "points without end": (labelme(shapes=[{**SHAPE, "points": [[1e999, 0]] * 3}]), "without a label or points"),
    "points of points": (labelme(shapes=[{**SHAPE, "points": [[[1]], 2]}]), "without a label or points"),
    "another shape": (labelme(shapes=[{**SHAPE, "shape_type": "\x1b[2J"}]), "polygons, rectangles or circles"),
}
SETS = {
    "large": (coco([[1, 1, 5, 1, 5, 5]], 99_999, 99_999), "found 99999 x 99999 pixels"),
    "runs of another size": (coco({"counts": [10**12], "size": [9, 9]}), "run lengths of another size"),
    "runs below 0": (coco({"counts": [100, -19], "size": [9, 9]}), "run lengths of another size"),
    "a run without end": (coco({"counts": "o" * 1_000_000, "size": [9, 9]}), "a run length without end"),
    "no runs": (coco({"counts": {}, "size": 3}), "an annotation that is none"),
    "odd polygons": (coco([[1, 2, 3]]), "cannot reshape|an annotation"),
    "no images": (json.dumps({"images": 3, "annotations": []}), "no COCO file"),
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Every file, as it is read."""

    def prepare(text, read):
        def made(folder):
            (folder / "a.json").write_text(text)
            return lambda: read(folder / "a.json")

        return made

    calls = {("labelme", name): prepare(text, read_polygons) for name, (text, _) in CASES.items()}
    calls |= {("coco", name): prepare(text, lambda path: Coco(path).mask("a.png")) for name, (text, _) in SETS.items()}
    return trials(calls, tmp_path_factory.mktemp("polygons"))


@pytest.mark.parametrize(("kind", "name"), [*(("labelme", name) for name in CASES), *(("coco", name) for name in SETS)])
def test_refused_in_one_line(kind, name, outcomes):
    outcome = outcomes[kind, name]
    message = (CASES if kind == "labelme" else SETS)[name][1]
    shown = outcome._replace(outcome=outcome.outcome._replace(message=outcome.outcome.message.replace("\x1b", "\\x1b")))
    assert_refused(shown, message, ("DataError",))  # a label as it is: the commands escape what they print
