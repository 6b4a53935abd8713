"""What a photograph's file tells of its taking: place, time, orientation, camera (EXIF)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from csbsr.data.reading.head import EXIF, exif_of, in_head, text_of

_ORIENTATION, _MAKE, _MODEL, _DATE = 0x0112, 0x010F, 0x0110, 0x0132
_GPS = 0x8825
_DATE_TAKEN, _OFFSET_TAKEN = 0x9003, 0x9011
_LATITUDE, _LONGITUDE, _ALTITUDE = (1, 2), (3, 4), (5, 6)  # (reference, value) in the GPS part


@dataclass(frozen=True)
class Metadata:
    """What the file tells; None for what it does not tell, or tells in a way that makes no sense.

    Attributes:
        orientation: EXIF's 1 to 8 as stored; the results are upright, as the photograph is seen.
        taken: ISO 8601, with the offset from UTC if the camera wrote it.
        latitude: degrees, south negative.
        longitude: degrees, west negative.
        altitude_m: above sea level.
        camera: make and model.
    """

    orientation: int | None = None
    taken: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    altitude_m: float | None = None
    camera: str | None = None


def read_metadata(path: str | Path) -> Metadata:
    """The metadata of a photograph; all None from a file that is no image: reading its pixels says why."""
    found = in_head(path, _parts)
    if found is None:
        return Metadata()
    exif, detail, gps = found
    orientation = exif.get(_ORIENTATION)
    return Metadata(
        orientation=orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else None,
        taken=_time(detail.get(_DATE_TAKEN) or exif.get(_DATE), detail.get(_OFFSET_TAKEN)),
        latitude=_degrees(gps, _LATITUDE, "S", 90),
        longitude=_degrees(gps, _LONGITUDE, "W", 180),
        altitude_m=_altitude(gps),
        camera=" ".join(filter(None, (text_of(exif.get(_MAKE)), text_of(exif.get(_MODEL))))) or None,
    )


def _parts(image: Image.Image) -> tuple[Mapping[int, Any], Mapping[int, Any], Mapping[int, Any]]:
    """EXIF, what it tells of the taking, and of the place."""
    exif = exif_of(image)
    return exif, exif.get_ifd(EXIF), exif.get_ifd(_GPS)


def _time(value: Any, offset: Any) -> str | None:
    match = re.fullmatch(r"(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d:\d\d:\d\d)", text_of(value) or "")
    if match is None or match[1] == "0000":
        return None
    offset = text_of(offset) or ""
    return f"{match[1]}-{match[2]}-{match[3]}T{match[4]}" + (offset if re.fullmatch(r"[+-]\d\d:\d\d|Z", offset) else "")


def _degrees(gps: Mapping[int, Any], tags: tuple[int, int], negative: str, largest: float) -> float | None:
    try:
        parts = [float(part) for part in gps[tags[1]]]
        degrees = sum(part / 60**i for i, part in enumerate(parts[:3]))
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    if not parts or not math.isfinite(degrees) or not 0 <= degrees <= largest:
        return None
    return round(-degrees if text_of(gps.get(tags[0])) == negative else degrees, 7)


def _altitude(gps: Mapping[int, Any]) -> float | None:
    try:
        altitude = float(gps[_ALTITUDE[1]])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    below = gps.get(_ALTITUDE[0]) in (1, b"\x01")
    return round(-altitude if below else altitude, 2) if math.isfinite(altitude) else None
