"""What a drone of DJI writes into a photograph's XMP: distances, attitude, camera.

XMP is a stranger's XML.  It is never given to an XML parser: values are found by name, declarations that could define
entities refuse the whole, and so does its size.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from csbsr.measure.ground.scale import RefusedError

_LARGEST = 1 << 18  # bytes
_DECLARATION = re.compile(r"<!\s*(DOCTYPE|ENTITY)", re.I)
_VALUE = re.compile(
    r"""\b(drone-dji|tiff):(\w{1,64})\s*(?:=\s*"([^"<]{0,200})"|=\s*'([^'<]{0,200})'|>([^<]{0,200})<)"""
)
_WORKING = ("", "normal")  # of the laser


@dataclass(frozen=True)
class Drone:
    """What the drone tells; None for what it does not tell.

    Attributes:
        laser_m: distance along the axis of the camera.
        height_m: above the place of take-off, not above what is seen.
        pitch_deg: of the camera: -90 looks down, 0 ahead.
        focal_px: calibrated focal length in pixels of the camera's full image.
        model: of the camera.
    """

    laser_m: float | None = None
    height_m: float | None = None
    pitch_deg: float | None = None
    focal_px: float | None = None
    model: str | None = None


def read_xmp(packet: bytes) -> Drone:
    """From an XMP packet; all None of one without DJI's entries.

    Raises:
        RefusedError: it is too large, declares entities, or gives a value twice and differently.
    """
    if len(packet) > _LARGEST:
        raise RefusedError(f"the XMP has {len(packet)} bytes, more than {_LARGEST}, and is not read")
    text = packet.decode("utf-8", errors="replace")
    if _DECLARATION.search(text):
        raise RefusedError("the XMP declares entities, which no camera does, and is not read")
    found: dict[str, str] = {}
    for space, name, *values in _VALUE.findall(text):
        key, value = f"{space}:{name}", next((value for value in values if value), "").strip()
        if found.setdefault(key, value) != value:
            raise RefusedError(f"the XMP gives {key} twice, as {found[key]} and as {value}")
    laser = _number(found, "LRFTargetDistance")
    working = found.get("drone-dji:LRFStatus", "").casefold() in _WORKING
    return Drone(
        laser if working and laser is not None and laser > 0 else None,
        _number(found, "RelativeAltitude"),
        _number(found, "GimbalPitchDegree"),
        _number(found, "CalibratedFocalLength"),
        found.get("tiff:Model") or None,
    )


def _number(found: Mapping[str, str], name: str) -> float | None:
    try:
        value = float(found[f"drone-dji:{name}"])
    except (KeyError, ValueError):
        return None
    return value if math.isfinite(value) else None
