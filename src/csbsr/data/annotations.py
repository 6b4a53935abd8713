"""Masks as annotations of COCO, which cvat and others open; LabelMe's are in `csbsr.data.polygons`."""

from __future__ import annotations

from typing import Any

import numpy as np

from csbsr.data.polygons import outlines

_CRACK = 1  # number of the category


def coco(mask: np.ndarray, image: str, size: tuple[int, int], scale: float = 1.0) -> dict[str, Any]:
    """A file of COCO for one photograph, as plain values: one annotation for each outline, in its coordinates.

    Args:
        mask: (H, W) bool.
        image: name of the photograph.
        size: (h, w) of the photograph.
        scale: pixels of the mask to one of the photograph, along a side.
    """
    annotations = []
    for number, ring in enumerate(outlines(mask), 1):
        points = (ring + 0.5) / scale - 0.5
        x, y = points.T
        area = abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
        (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
        annotations.append(
            {
                "id": number, "image_id": 1, "category_id": _CRACK, "iscrowd": 0, "area": area,
                "bbox": [left, top, right - left, bottom - top], "segmentation": [points.ravel().tolist()],
            }
        )  # fmt: skip
    return {
        "images": [{"id": 1, "file_name": image, "height": size[0], "width": size[1]}],
        "categories": [{"id": _CRACK, "name": "crack"}],
        "annotations": annotations,
    }
