"""Millimetres to a pixel from a printed ArUco marker in the photograph, and the picture as seen straight on.

The four corners of a square give the homography of its plane, up to the lens' distortion.  Where the camera looked at
an angle, the whole photograph is brought to the marker's plane, on which a pixel is then as large everywhere.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np

from csbsr.measure.ground.scale import Rectification, RefusedError, Scale, sampling

_STEEPEST = 60.0  # degrees from straight on, beyond which a plane is smeared over few pixels
_STRAIGHT = 5.0  # degrees up to which a photograph is used as it is
_SMALLEST = 40.0  # pixels of a marker's side
_CORNER, _PRINT = 0.4, 0.005  # half of 90 % intervals: pixels of a side, share of a printed length
_LARGER = 4.0  # times the pixels of the photograph that the rectified picture may have
_LONGEST = 32_000  # pixels, what cv2 remaps


def scale_of_marker(image: np.ndarray, marker_mm: float, dictionary: str) -> Scale | None:
    """The scale of the plane on which a marker is fixed; None without a marker.

    Args:
        image: (H, W, 3) uint8.
        marker_mm: side of its black square.
        dictionary: of ArUco, such as ``4x4_50``; see `marker_dictionary`.

    Raises:
        RefusedError: there are several markers, it is too small, or seen too obliquely.
    """
    corners, numbers = find_markers(image, dictionary)
    if not len(corners):
        return None
    if len(corners) > 1:
        raise RefusedError(
            f"{len(corners)} markers are in the picture (numbers {', '.join(map(str, numbers))}), and they may lie on "
            "different planes; leave one, or give gsd_mm="
        )
    square, number = corners[0], numbers[0]
    sides = np.linalg.norm(square - np.roll(square, 1, axis=0), axis=1)
    if sides.min() < _SMALLEST:
        raise RefusedError(
            f"marker {number} is {sides.min():.0f} pixels wide, fewer than {_SMALLEST:g}; print it larger or go nearer"
        )
    to_image = plane_of(square, marker_mm)
    fine, coarse = _pixels_per_mm(to_image, marker_mm)
    angle = math.degrees(math.acos(min(1.0, coarse / fine)))
    if angle > _STEEPEST:
        raise RefusedError(
            f"marker {number} is seen at {angle:.0f} degrees from straight on, more than {_STEEPEST:g}; photograph it "
            "straighter, or give gsd_mm="
        )
    value, relative = 1 / math.sqrt(fine * coarse), math.hypot(_PRINT, _CORNER / sides.min())
    source = f"marker {number} of {marker_mm:g} mm, seen at {angle:.0f} degrees"
    if angle <= max(_STRAIGHT, _unsure(sides.min())):
        return Scale(sampling(value, relative + 1 - math.sqrt(coarse / fine)), source)
    rectify = rectification(to_image, value, (image.shape[0], image.shape[1]), angle)
    return Scale(sampling(value, relative), f"{source}, rectified", rectify=rectify)


def marker_dictionary(name: str) -> int:
    """The number in cv2 of ``4x4_50``, ``5x5_100``, ``6x6_250``, ``apriltag_36h11`` and their like.

    Raises:
        ValueError: there is none of this name.
    """
    known = {key[5:].lower(): value for key, value in vars(cv2.aruco).items() if key.startswith("DICT_")}
    if name.lower() not in known:
        raise ValueError(f"marker_dictionary: expected one of {', '.join(sorted(known))}, got {name!r}")
    return int(known[name.lower()])


def find_markers(image: np.ndarray, dictionary: str) -> tuple[list[np.ndarray], list[int]]:
    """Corners (4, 2) of each marker, from the upper left one clockwise, and their numbers.

    x and y count as in cv2: 0 is the middle of the first pixel.
    """
    parameters: Any = cv2.aruco.DetectorParameters()
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    known = cv2.aruco.getPredefinedDictionary(marker_dictionary(dictionary))
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    corners, numbers, _ = cv2.aruco.ArucoDetector(known, parameters).detectMarkers(grey)
    found = [] if numbers is None else [int(number) for number in np.ravel(numbers)]
    return [np.asarray(one, np.float64).reshape(4, 2) for one in corners], found


def plane_of(square: np.ndarray, marker_mm: float) -> np.ndarray:
    """(3, 3), from millimetres on the marker, with its upper left corner at 0, to pixels of the photograph."""
    plane = np.array([[0, 0], [marker_mm, 0], [marker_mm, marker_mm], [0, marker_mm]], np.float32)
    return cv2.getPerspectiveTransform(plane, square.astype(np.float32))


def rectification(to_image: np.ndarray, mm_per_pixel: float, shape: tuple[int, int], angle: float) -> Rectification:
    """From a photograph of ``shape`` (H, W) to its plane, on which a pixel is ``mm_per_pixel``.

    Raises:
        RefusedError: the horizon of the plane is in the picture, or the rectified picture would be too large.
    """
    height, width = shape
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], np.float64)
    on_plane = corners @ np.linalg.inv(to_image).T
    if not (np.all(on_plane[:, 2] > 0) or np.all(on_plane[:, 2] < 0)):
        raise RefusedError(f"the surface is seen at {angle:.0f} degrees, up to its horizon; crop the photograph")
    flat = on_plane[:, :2] / on_plane[:, 2:] / mm_per_pixel
    low = np.floor(flat.min(0))
    across, down = (int(side) for side in np.ceil(flat.max(0) - low))
    if across * down > _LARGER * width * height or max(across, down) > _LONGEST:
        raise RefusedError(
            f"the surface is seen at {angle:.0f} degrees, and its far parts would fill {across} x {down} pixels; crop "
            "the photograph to what is near the marker"
        )
    move = np.array([[1 / mm_per_pixel, 0, -low[0]], [0, 1 / mm_per_pixel, -low[1]], [0, 0, 1]])
    return Rectification(move @ np.linalg.inv(to_image), (down, across))


def _unsure(side: float) -> float:
    """Degrees that a marker of so many pixels may seem turned by: its corners are found to a fraction of a pixel."""
    return math.degrees(math.acos(1 - 2 * _CORNER / side))


def _pixels_per_mm(to_image: np.ndarray, marker_mm: float) -> tuple[float, float]:
    """The largest and the smallest scale of a homography in the middle of the marker, over all directions."""
    u, v, w = to_image @ np.array([marker_mm / 2, marker_mm / 2, 1])
    jacobian = (to_image[:2, :2] - np.outer([u / w, v / w], to_image[2, :2])) / w
    fine, coarse = np.linalg.svd(jacobian, compute_uv=False)
    return float(fine), float(coarse)
