"""Millimetres to a pixel from a distance and a lens: a pinhole camera that looks straight at a surface.

A focal length of f pixels at a distance of D millimetres gives D / f millimetres to a pixel.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from csbsr.measure.ground.cameras import sensor_width
from csbsr.measure.ground.exif import Head
from csbsr.measure.ground.scale import ContradictionError, RefusedError, Scale, sampling
from csbsr.measure.ground.xmp import Drone

_FULL_FRAME = math.hypot(36, 24)  # mm, the diagonal
# Half of 90 % intervals, shares: a focal length as printed, one calibrated, one of 35 mm film (makers take the
# diagonal or the width), a distance that somebody gave, a height from air pressure.
_NOMINAL, _CALIBRATED, _FILM, _GIVEN, _HEIGHT = 0.03, 0.01, 0.05, 0.02, 0.05
_LASER = (0.2, 0.0015)  # metres and share of the distance, as DJI publishes for its range finders
_HEIGHT_M = 0.5  # metres, at least
_AGREE, _DISTANCES_AGREE = 0.1, 0.2  # shares within which two sources say the same
_DOWN = 5.0  # degrees from straight down


class Focal(NamedTuple):
    """A focal length in pixels of the image as it is in the file."""

    pixels: float
    relative: float  #: half of the 90 % interval, a share
    source: str


class Distance(NamedTuple):
    """From the camera to the surface."""

    metres: float
    relative: float
    source: str


def scale_of_drone(drone: Drone, head: Head, widths: Mapping[str, float], distance_m: float | None) -> Scale | None:
    """From what a drone wrote, XMP and EXIF together; None where its XMP holds no distance.

    The height above take-off is a distance only to level ground, so it counts where the camera looks straight down.

    Raises:
        RefusedError: XMP and EXIF contradict each other, the height is no distance, the lens is not known.
    """
    if drone.laser_m is None and drone.height_m is None:
        return None
    check_agreement(drone, head, widths)
    distance = _of_drone(drone)
    if distance_m is not None and abs(distance.metres / distance_m - 1) > _DISTANCES_AGREE:
        raise ContradictionError(
            f"the XMP's {distance.source} contradicts distance_m={distance_m:g}; leave distance_m out, or give gsd_mm="
        )
    return _scale(distance, _focal(head, widths, drone))


def scale_of_lens(head: Head, widths: Mapping[str, float], distance_m: float) -> Scale:
    """From EXIF's focal length and a distance that somebody gave.

    Raises:
        RefusedError: EXIF does not tell the lens, or the image was cropped.
    """
    return _scale(Distance(distance_m, _GIVEN, f"distance_m={distance_m:g}"), _focal(head, widths, None))


def check_agreement(drone: Drone, head: Head, widths: Mapping[str, float]) -> None:
    """Raise ContradictionError where XMP and EXIF cannot be of one photograph: other cameras, other focal lengths."""
    if drone.model and head.model and drone.model.casefold() != head.model.casefold():
        raise ContradictionError(
            f"XMP and EXIF contradict each other: the camera is {drone.model} in the one and {head.model} in the "
            "other; give gsd_mm="
        )
    exif = _of_sensor(head, widths)
    if exif is not None and drone.focal_px is not None and head.taken_width:
        calibrated = _calibrated(drone.focal_px, head)
        if abs(calibrated / exif.pixels - 1) > _AGREE:
            raise ContradictionError(
                f"XMP and EXIF contradict each other: the focal length is {calibrated:.0f} pixels in the one and "
                f"{exif.pixels:.0f} in the other; give gsd_mm="
            )


def _scale(distance: Distance, focal: Focal) -> Scale:
    relative = math.hypot(distance.relative, focal.relative)
    value = 1000 * distance.metres / focal.pixels
    return Scale(sampling(value, relative), f"{distance.source}; {focal.source}")


def _of_drone(drone: Drone) -> Distance:
    if drone.laser_m is not None:
        around = math.hypot(_LASER[0] / drone.laser_m, _LASER[1])
        return Distance(drone.laser_m, around, f"laser distance {drone.laser_m:g} m (DJI XMP)")
    height = drone.height_m or 0.0
    if drone.pitch_deg is None or abs(drone.pitch_deg + 90) > _DOWN:
        looking = "in an unknown direction" if drone.pitch_deg is None else f"at {drone.pitch_deg:g} degrees"
        raise RefusedError(
            f"the XMP has a height above take-off and no laser distance, and the camera looks {looking}, not down: a "
            "height is then no distance; give gsd_mm=, or marker_mm= with a marker in the picture"
        )
    if height <= 0:
        raise RefusedError(f"the XMP's height above take-off is {height:g} m, no distance; give gsd_mm=")
    around = max(_HEIGHT, _HEIGHT_M / height)
    return Distance(height, around, f"height above take-off {height:g} m, looking down (DJI XMP)")


def _focal(head: Head, widths: Mapping[str, float], drone: Drone | None) -> Focal:
    if head.cropped:
        raise RefusedError(
            f"the image ({head.width} x {head.height}) was cropped from {head.taken_width} x {head.taken_height} "
            "pixels, so its lens gives no scale; give gsd_mm="
        )
    if drone is not None and drone.focal_px is not None and drone.focal_px > 0 and head.taken_width:
        return Focal(_calibrated(drone.focal_px, head), _CALIBRATED, "calibrated focal length (DJI XMP)")
    if (found := _of_sensor(head, widths)) is not None:
        return found
    if head.focal_35_mm is not None:
        pixels = head.focal_35_mm * math.hypot(head.width, head.height) / _FULL_FRAME
        around = math.hypot(_FILM, 0.5 / head.focal_35_mm)
        return Focal(pixels, around, f"{head.focal_35_mm:g} mm as of 35 mm film (EXIF)")
    camera = "an unnamed camera" if head.model is None else head.model
    raise RefusedError(
        f"no focal length with a sensor's width of {camera}; add the width with cameras=<YAML file>, or give gsd_mm="
    )


def _of_sensor(head: Head, widths: Mapping[str, float]) -> Focal | None:
    width = sensor_width(head.model, widths)
    if width is None or head.focal_mm is None:
        return None
    pixels = head.focal_mm * _long(head) / width * head.zoom
    return Focal(pixels, _NOMINAL, f"{head.focal_mm:g} mm lens on a sensor {width:g} mm wide ({head.model})")


def _calibrated(focal_px: float, head: Head) -> float:
    """A focal length in pixels as the camera wrote the image, in those of the image, which may have been resized."""
    return focal_px * head.zoom * _long(head) / max(head.taken_width or 0, head.taken_height or 0)


def _long(head: Head) -> int:
    """Pixels along the sensor's width, its longer side."""
    return max(head.width, head.height)
