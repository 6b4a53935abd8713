"""The cracks of one photograph as a drawing: DXF in millimetres, layers by width (``pip install csbsr[cad]``)."""

from __future__ import annotations

import logging
from pathlib import Path

from csbsr.inspection.classes import CLASSES, width_class
from csbsr.inspection.lines import Lines

logging.getLogger("ezdxf").setLevel(logging.WARNING)  # it tells of each dictionary that it makes
_MILLIMETRES, _NO_UNIT = 4, 0  # $INSUNITS
_FRAME = "FRAME"
_COLOURS = (5, 4, 2, 30, 1)  # of AutoCAD, from narrow to wide


def check_drawing() -> None:
    """Raise ValueError if ezdxf is not installed."""
    try:
        import ezdxf  # noqa: F401
    except ImportError as error:
        raise ValueError("layers: dxf needs ezdxf; pip install csbsr[cad]") from error


def write_drawing(path: Path, lines: Lines) -> None:
    """Write polylines within the frame of the photograph, its lower left corner at 0, y upwards.

    Without a scale the unit is the pixel, and the file says that it has no unit.
    """
    from ezdxf.filemanagement import new

    known = lines.mm_per_pixel is not None
    per_pixel = lines.mm_per_pixel or 1.0
    width, height = (side * per_pixel for side in lines.size)
    document = new("R2010")
    document.header["$INSUNITS"] = _MILLIMETRES if known else _NO_UNIT
    document.layers.add(_FRAME)
    for name, colour in zip(layer_names(known), _COLOURS, strict=True):
        document.layers.add(name, color=colour)
    space = document.modelspace()
    corners = [(0, 0), (width, 0), (width, height), (0, height)]
    space.add_lwpolyline(corners, close=True, dxfattribs={"layer": _FRAME})
    for crack in lines.cracks:
        layer = layer_names(known)[width_class(crack.properties, known)]
        for line in crack.lines:
            points = line * per_pixel * [1, -1] + [0, height]
            space.add_lwpolyline(points.tolist(), dxfattribs={"layer": layer})
    document.saveas(path)


def layer_names(known: bool) -> list[str]:
    """Names of the layers of the classes of width, from narrow to wide."""
    unit, ends = ("MM", CLASSES[True]) if known else ("PX", CLASSES[False])
    return [
        *(f"CRACK_TO_{end:g}_{unit}".replace(".", "_") for end in ends),
        f"CRACK_OVER_{ends[-1]:g}_{unit}".replace(".", "_"),
    ]
