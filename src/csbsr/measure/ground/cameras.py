"""Widths of the sensors of common cameras, in millimetres, as their makers publish them; and more from a YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml  # type: ignore[import-untyped]

#: By the model that the camera writes into EXIF.
SENSOR_WIDTHS = {
    "FC330": 6.17, "FC220": 6.17, "FC2204": 6.17, "FC3170": 6.4, "FC3411": 13.2, "FC3582": 9.6,
    "FC550": 17.3, "FC6520": 17.3, "FC6310": 13.2, "FC6310R": 13.2, "FC6310S": 13.2,
    "L1D-20c": 13.2, "L2D-20c": 17.3, "M3E": 17.3, "M3T": 6.4, "ZenmuseP1": 35.9,
    "ILCE-6000": 23.5, "ILCE-7RM3": 35.9, "ILCE-7RM4": 35.7,
    "Canon EOS 5D Mark IV": 36.0, "NIKON D850": 35.9,
}  # fmt: skip
_LARGEST = 1000.0  # mm


def sensor_widths(path: str | Path | None) -> dict[str, float]:
    """`SENSOR_WIDTHS`, with those of a YAML file ``model: millimetres`` added or in their place.

    Raises:
        ValueError: the file is not there, is no such mapping, or has a width that is no number above 0.
    """
    if path is None:
        return dict(SENSOR_WIDTHS)
    try:
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"cameras: {path} cannot be read as YAML ({error})") from error
    if not isinstance(found, Mapping):
        raise ValueError(f"cameras: expected a YAML file with lines such as 'FC6310: 13.2', got another one in {path}")
    for model, width in found.items():
        if isinstance(width, bool) or not isinstance(width, (int, float)) or not 0 < width < _LARGEST:
            raise ValueError(f"cameras: {path}: expected the sensor's width in mm for {model}, got {width!r}")
    return SENSOR_WIDTHS | {str(model): float(width) for model, width in found.items()}


def sensor_width(model: str | None, widths: Mapping[str, float]) -> float | None:
    """Of a camera, whatever the letter case of its model; None of an unknown one."""
    known = {name.casefold(): width for name, width in widths.items()}
    return None if model is None else known.get(model.strip().casefold())
