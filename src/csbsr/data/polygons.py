"""Polygons of LabelMe (a file for each image) and COCO (a file for a set) as masks, and masks as polygons.

A pixel is crack if its centre, at x = column and y = row as in scikit-image, lies inside or on the outline.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

import cv2
import numpy as np

from csbsr.data.errors import DataError
from csbsr.data.limits import check_memory
from csbsr.data.mask_values import IGNORED, MaskRule
from csbsr.data.reading.files import head_checked
from csbsr.data.regular import check_regular

POLYGONS = frozenset({".json"})
EXCLUDE = "exclude"  #: label of areas that are left out
_IGNORED_NAMES = ("ignore", "ignored", EXCLUDE)
_EXPECTED = "polygons of LabelMe: shapes with a label and points"
_LARGEST = 100_000  # pixels of a side
_LARGEST_FILE = 1 << 30  # bytes
_VALUES = 12  # bytes of values to a byte of JSON
_LONGEST_RUN = 60  # bits
_ROUNDING = 1e-9  # pixels by which a crossing of whole numbers may be off


def inside(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Pixels (H, W) bool whose centre lies inside a polygon, by the even-odd rule, or on its outline.

    As `skimage.draw.polygon`, but in a time that depends on the rows and the outline, not on the area.

    Args:
        points: (n, 2) of x, y; the last joins the first.
        shape: (H, W).
    """
    height, width = shape
    found = np.zeros(shape, bool)
    x, y = points[:, 0].astype(np.float64), points[:, 1].astype(np.float64)
    # Right of a point lie crossings of edges that end above its row, left of it of those that end below: so a point on
    # an edge is odd on one side.
    for upper, (rows, starts, stops) in ((True, _spans(x, y, True, height)), (False, _spans(x, y, False, height))):
        begins = np.ceil(starts) if upper else np.floor(starts) + 1
        ends = np.ceil(stops) if upper else np.floor(stops) + 1
        limits = (edge.clip(0, width).astype(np.int64).tolist() for edge in (begins, ends))
        for row, start, stop in zip(rows.tolist(), *limits, strict=True):
            found[row, start:stop] = True
    corners = (x == np.rint(x)) & (y == np.rint(y)) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
    found[y[corners].astype(np.int64), x[corners].astype(np.int64)] = True
    return found


def _spans(x: np.ndarray, y: np.ndarray, upper: bool, height: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, and from where to where they run inside a polygon; an edge holds the row of its upper end, or its lower."""
    x2, y2 = np.roll(x, -1), np.roll(y, -1)
    bound = np.ceil if upper else lambda value: np.floor(value) + 1
    first = bound(np.minimum(y, y2)).clip(0, height).astype(np.int64)
    counts = bound(np.maximum(y, y2)).clip(0, height).astype(np.int64) - first
    edge = np.repeat(np.arange(len(x)), counts)
    rows = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    at = x[edge] + (rows - y[edge]) / (y2[edge] - y[edge]) * (x2[edge] - x[edge])
    whole = np.rint(at)
    at = np.where(np.abs(at - whole) < _ROUNDING, whole, at)
    order = np.lexsort((at, rows))
    rows, at = rows[order], at[order]
    return rows[::2], at[::2], at[1::2]


def read_polygons(path: str | Path, rule: MaskRule | None = None, size: tuple[int, int] | None = None) -> np.ndarray:
    """A mask (H, W) uint8 in {0, 1, 255} from a file of LabelMe.

    Crack are the shapes whose label holds ``crack``, or is the rule's; left out (255) those labelled ``ignore`` or
    ``exclude``, or the rule's.

    Args:
        path: of the file.
        rule: labels of crack and of what is left out.
        size: (H, W) of the mask; the file's where None.  Polygons of a photograph are enlarged to it.

    Raises:
        DataError: the file is no LabelMe file, has shapes that are no areas, or labels none of which is a crack.
    """
    content = _json(path)
    shapes, shape = _enlarged(_shapes(path, content), _size(path, content, size), size)
    labels = np.zeros(shape, np.uint8)
    rule = rule or MaskRule()
    names = sorted({str(item["label"]) for item in shapes})
    for item in sorted(shapes, key=lambda item: _is_ignored(str(item["label"]), rule)):
        name = str(item["label"])
        if _is_ignored(name, rule):
            labels[area(path, item, shape)] = IGNORED
        elif _is_crack(name, rule):
            labels[area(path, item, shape)] = 1
    if names and not labels.any() and not any(_is_crack(name, rule) or _is_ignored(name, rule) for name in names):
        raise DataError.about(
            path, f"polygons labelled {', '.join(names[:5])}", "some labelled crack",
            f"If one of these is the crack, say crack_label={names[0]} (in training data.crack_label={names[0]}).",
        )  # fmt: skip
    return labels


def areas(path: str | Path, label: str, size: tuple[int, int] | None = None) -> np.ndarray:
    """Pixels (H, W) bool inside the shapes of a LabelMe file that have this label, in any letter case."""
    content = _json(path)
    shapes, shape = _enlarged(_shapes(path, content), _size(path, content, size), size)
    found = np.zeros(shape, bool)
    for item in shapes:
        if str(item["label"]).casefold() == label.casefold():
            found |= area(path, item, shape)
    return found


def area(path: str | Path, item: Mapping[str, Any], shape: tuple[int, int]) -> np.ndarray:
    """Pixels (H, W) bool inside a shape of LabelMe: a polygon, rectangle or circle."""
    points, kind = np.array(item["points"], np.float64), item.get("shape_type") or "polygon"
    if kind == "rectangle" and len(points) == 2:
        (x0, y0), (x1, y1) = points
        points = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    elif kind == "circle" and len(points) == 2:
        radius = float(np.hypot(*(points[1] - points[0])))
        y, x = np.ogrid[: shape[0], : shape[1]]
        return np.asarray((x - points[0, 0]) ** 2 + (y - points[0, 1]) ** 2 <= radius**2)
    elif kind != "polygon" or len(points) < 3:
        raise DataError.about(
            path, f"a {kind} of {len(points)} points labelled {item['label']}",
            "areas: polygons, rectangles or circles", "Draw the crack as a polygon around it, or delete this shape.",
        )  # fmt: skip
    return inside(points, shape)


def is_coco(path: Path) -> bool:
    """Is there a JSON file of COCO's kind?"""
    try:
        return path.is_file() and {"images", "annotations"} <= set(_json(path))
    except DataError:
        return False


def read_coco(path: str | Path, rule: MaskRule | None = None) -> dict[str, np.ndarray]:
    """The masks of a set from a COCO file: (H, W) uint8 in {0, 1, 255} by the images' file names.

    Crack are the annotations of a category whose name holds ``crack`` (all, if there is one category), or is the
    rule's; ``iscrowd`` ones are left out (255).

    Raises:
        DataError: the file is no COCO file, or none of its categories is a crack.
    """
    found = Coco(path, rule)
    return {name: found.mask(name) for name in found.sizes}


class Coco:
    """A COCO file, whose masks are drawn one at a time.

    Attributes:
        sizes: (H, W) of each image by its file name.
    """

    def __init__(self, path: str | Path, rule: MaskRule | None = None) -> None:
        self.path, rule = path, rule or MaskRule()
        self._last: dict[str, str] | None = None
        content = _json(path)
        try:
            categories = {item["id"]: str(item["name"]) for item in content.get("categories", [])}
            self.sizes = {
                str(item["file_name"]): (int(item["height"]), int(item["width"])) for item in content["images"]
            }
            names = {item["id"]: str(item["file_name"]) for item in content["images"]}
            crack = {key for key, name in categories.items() if _is_crack(name, rule)}
            if not crack and len(categories) == 1 and rule.crack_label is None:
                crack = set(categories)
            if not crack and categories:
                raise DataError.about(
                    path, f"the categories {', '.join(categories.values())}", "one for cracks",
                    "If one of them is the crack, say crack_label=<its name>.",
                )  # fmt: skip
            ignored = {key for key, name in categories.items() if _is_ignored(name, rule)}
            self._shapes: dict[str, list[tuple[Any, int]]] = {}
            for item in content.get("annotations", []):
                category = item.get("category_id")
                value = (
                    IGNORED if item.get("iscrowd") or category in ignored else int(category in crack or not categories)
                )
                if value:
                    self._shapes.setdefault(names[item["image_id"]], []).append((item["segmentation"], value))
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError.about(
                path, f"no COCO file ({error!r})", "images, annotations and categories of COCO", "Export it again."
            ) from error
        for name, (height, width) in self.sizes.items():
            if not (0 < height <= _LARGEST and 0 < width <= _LARGEST):
                raise DataError.about(
                    path, f"{name} of {width} x {height} pixels", "the image's size", "Export it again."
                )

    def named(self, name: str) -> str | None:
        """The file's name for an image: its path, or else its last part; None if it lists none."""
        if name in self.sizes:
            return name
        if self._last is None:
            self._last = {PurePath(listed).name.casefold(): listed for listed in self.sizes}
        return self._last.get(PurePath(name).name.casefold())

    def mask(self, name: str | None) -> np.ndarray:
        """The mask (H, W) uint8 in {0, 1, 255} of an image."""
        if name is None:
            raise DataError.about(self.path, "an image that it does not list", "every image", "Export it again.")
        shape = self.sizes[name]
        head_checked(self.path, shape[1], shape[0], 1)
        labels = np.zeros(shape, np.uint8)
        for segmentation, value in sorted(self._shapes.get(name, ()), key=lambda item: item[1]):
            labels[_segment(self.path, segmentation, shape)] = value
        return labels


def _segment(path: str | Path, segmentation: Any, shape: tuple[int, int]) -> np.ndarray:
    """Pixels of an annotation: polygons, each filled, or run lengths (uncompressed or COCO's text)."""
    if isinstance(segmentation, list):
        found = np.zeros(shape, bool)
        for flat in segmentation:
            try:
                points = np.array(flat, np.float64).reshape(-1, 2)
            except (TypeError, ValueError) as error:
                raise DataError.about(
                    path, f"an annotation that is none ({error})", "polygons of x, y", "Export it again."
                ) from error
            if not np.isfinite(points).all():
                raise DataError.about(path, "a point that is no number", "polygons of x, y", "Export it again.")
            found |= inside(points, shape)
        return found
    try:
        counts, (height, width) = segmentation["counts"], segmentation["size"]
        runs = _runs(counts) if isinstance(counts, str) else [int(count) for count in counts]
        if (height, width) != shape or sum(runs) != height * width or min(runs, default=0) < 0:
            raise ValueError("run lengths of another size")
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DataError.about(
            path, f"an annotation that is none ({error})", "polygons or run lengths", "Export it again."
        ) from error
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(width, height).T


def _runs(text: str) -> list[int]:
    """COCO's text of run lengths: base 48, 5 bits a character, differences to the run before the last."""
    runs: list[int] = []
    place = 0
    while place < len(text):
        value, shift = 0, 0
        while True:
            code = ord(text[place]) - 48
            value |= (code & 0x1F) << shift
            shift += 5
            if shift > _LONGEST_RUN:
                raise ValueError("a run length without end")
            place += 1
            if not code & 0x20:
                if code & 0x10:
                    value |= -1 << shift
                break
        runs.append(value + runs[-2] if len(runs) > 2 else value)
    return runs


def outlines(mask: np.ndarray) -> list[np.ndarray]:
    """Polygons (n, 2) of x, y around the pixels of a mask (H, W) bool, whose `inside` together are exactly the mask.

    They run along the pixels' borders, half a pixel from the centres.  A hole is joined to the outline around it by a
    cut along such borders, there and back.
    """
    rings = _rings(mask)
    outer: list[tuple[np.ndarray, list[np.ndarray]]] = [(ring, []) for ring, around in rings if around > 0]
    for ring, around in rings:
        if around < 0:
            x, y = ring[0] + 0.5  # the centre of the hole's first pixel
            owners = [entry for entry in outer if _contains(entry[0], x, y)]
            min(owners, key=lambda entry: _area(entry[0]))[1].append(ring)
    return [_joined(ring, holes) - 0.5 for ring, holes in outer]


def _rings(mask: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """Closed paths along pixel borders with crack on their right, and twice their signed area (> 0: around crack).

    Where two crack pixels touch by a corner alone, the path turns so that they stay apart.
    """
    padded = np.pad(np.asarray(mask, bool), 1)
    inner = padded[1:-1, 1:-1]
    steps: dict[tuple[int, int], list[tuple[int, int]]] = {}
    borders: tuple[tuple[np.ndarray, tuple[int, int], tuple[int, int]], ...] = (
        (inner & ~padded[:-2, 1:-1], (0, 0), (1, 0)),  # upper border, to the right
        (inner & ~padded[1:-1, 2:], (1, 0), (1, 1)),  # right border, down
        (inner & ~padded[2:, 1:-1], (1, 1), (0, 1)),  # lower border, to the left
        (inner & ~padded[1:-1, :-2], (0, 1), (0, 0)),  # left border, up
    )
    for border, start, stop in borders:
        rows, columns = np.nonzero(border)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            steps.setdefault((column + start[0], row + start[1]), []).append((column + stop[0], row + stop[1]))
    found = []
    for origin in sorted(steps):
        while steps.get(origin):
            path, here = [origin], steps[origin].pop()
            before = origin
            while here != origin:
                choices = steps[here]
                if len(choices) > 1:  # turn right: stay with this pixel
                    heading = (here[0] - before[0], here[1] - before[1])
                    right = (here[0] - heading[1], here[1] + heading[0])
                    chosen = choices.pop(choices.index(right) if right in choices else 0)
                else:
                    chosen = choices.pop()
                path.append(here)
                before, here = here, chosen
            ring = _corners(np.array(path, np.float64))
            found.append((ring, _area(ring)))
    return found


def _corners(path: np.ndarray) -> np.ndarray:
    """The path without points in the middle of a straight line."""
    ahead, behind = np.roll(path, -1, 0) - path, path - np.roll(path, 1, 0)
    return path[ahead[:, 0] * behind[:, 1] != ahead[:, 1] * behind[:, 0]]


def _area(ring: np.ndarray) -> float:
    """Twice the signed area; positive clockwise as seen on a screen."""
    following = np.roll(ring, -1, 0)
    return float((ring[:, 0] * following[:, 1] - following[:, 0] * ring[:, 1]).sum())


def _contains(ring: np.ndarray, x: float, y: float) -> bool:
    return cv2.pointPolygonTest(ring.astype(np.float32).reshape(-1, 1, 2), (float(x), float(y)), False) > 0


def _joined(ring: np.ndarray, holes: Sequence[np.ndarray]) -> np.ndarray:
    """One path around a ring and its holes; each cut is walked there and back, so it encloses nothing."""
    path = [ring, ring[:1]] if holes else [ring]
    for hole in holes:
        corner = np.array([[hole[0, 0], ring[0, 1]]])
        path += [corner, hole, hole[:1], corner, ring[:1]]
    return np.concatenate(path)


def labelme(
    mask: np.ndarray, image: str, size: tuple[int, int], scale: float = 1.0, label: str = "crack"
) -> dict[str, Any]:
    """A file of LabelMe, as plain values, with the cracks of a mask, in coordinates of the photograph.

    `read_polygons` with the size of the mask gives the mask back, to the pixel.

    Args:
        mask: (H, W) bool.
        image: name of the photograph that the annotator opens.
        size: (h, w) of the photograph.
        scale: pixels of the mask to one of the photograph, along a side.
        label: of the shapes.
    """
    shapes = [
        {
            "label": label, "points": ((ring + 0.5) / scale - 0.5).tolist(), "group_id": None, "description": "",
            "shape_type": "polygon", "flags": {},
        }
        for ring in outlines(mask)
    ]  # fmt: skip
    return {
        "version": "5.4.1", "flags": {}, "shapes": shapes, "imagePath": image, "imageData": None,
        "imageHeight": size[0], "imageWidth": size[1],
    }  # fmt: skip


def size_of(path: str | Path) -> tuple[int, int] | None:
    """(H, W) that a file of LabelMe tells of its image; None if it does not."""
    content = _json(path)
    _shapes(path, content)
    return _size(path, content, None) if content.get("imageHeight") is not None else None


def _json(path: str | Path) -> dict[str, Any]:
    size = check_regular(path)
    if size > _LARGEST_FILE:
        raise DataError.about(path, f"{size >> 20} MB of JSON", f"at most {_LARGEST_FILE >> 20} MB", "Divide the set.")
    check_memory(path, _VALUES * size)
    try:
        content = json.loads(Path(path).read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise DataError.about(path, f"no readable file ({error.strerror})", _EXPECTED, "Check your rights.") from error
    except (ValueError, RecursionError) as error:
        raise DataError.about(path, f"no JSON ({error})", _EXPECTED, "Export it again.") from error
    if not isinstance(content, dict):
        raise DataError.about(path, "JSON of another kind", _EXPECTED, "Export it again.")
    return content


def _shapes(path: str | Path, content: Mapping[str, Any]) -> list[dict[str, Any]]:
    shapes = content.get("shapes")
    if not isinstance(shapes, list):
        coco = "annotations" in content
        hint = "COCO holds a whole set: name its file <split>/masks.json." if coco else "Export it again."
        raise DataError.about(path, "JSON without shapes", _EXPECTED, hint)
    for item in shapes:
        try:
            points = np.array(item["points"], np.float64)
            sound = "label" in item and points.ndim == 2 and points.shape[1] == 2 and np.isfinite(points).all()
        except (KeyError, TypeError, ValueError):
            sound = False
        if not sound:
            raise DataError.about(path, "a shape without a label or points of x and y", _EXPECTED, "Export it again.")
    return shapes


def _size(path: str | Path, content: Mapping[str, Any], size: tuple[int, int] | None) -> tuple[int, int]:
    height, width = content.get("imageHeight"), content.get("imageWidth")
    if height is None or width is None:
        if size is None:
            raise DataError.about(path, "no imageHeight and imageWidth", "the image's size", "Export it again.")
        return size
    if not (isinstance(height, int) and isinstance(width, int) and 0 < height <= _LARGEST and 0 < width <= _LARGEST):
        raise DataError.about(path, f"a size of {width} x {height}", "the image's size", "Export it again.")
    head_checked(path, width, height, 1)
    return height, width


def _enlarged(
    shapes: list[dict[str, Any]], own: tuple[int, int], size: tuple[int, int] | None
) -> tuple[list[dict[str, Any]], tuple[int, int]]:
    """Shapes in pixels of ``size``, and that size; the file's ``own`` without one."""
    if size is None or size == own:
        return shapes, own
    factors = np.array([size[1] / own[1], size[0] / own[0]])
    return [
        {**item, "points": ((np.array(item["points"], np.float64) + 0.5) * factors - 0.5).tolist()} for item in shapes
    ], size


def _is_crack(name: str, rule: MaskRule) -> bool:
    if rule.crack_label is not None:
        return name.casefold() == str(rule.crack_label).casefold()
    return "crack" in name.casefold()


def _is_ignored(name: str, rule: MaskRule) -> bool:
    if rule.ignore_label is not None and name.casefold() == str(rule.ignore_label).casefold():
        return True
    return name.casefold() in _IGNORED_NAMES
