"""Millimetres to a pixel of a GeoTIFF, from its transform."""

from __future__ import annotations

import math

from csbsr.data.reading.geo import GeoReference
from csbsr.measure.ground.scale import RefusedError, Scale, sampling

_AXIS, _FLATTENING = 6378137.0, 1 / 298.257223563  # WGS 84, metres
_WEB_MERCATOR = 3857
_NEAR_POLE = 85.0  # degrees
_SQUARE, _SHEAR = 0.1, 0.02  # shares by which the sides of a pixel, and its right angle, may differ
_PROJECTION = 0.001  # by which a projection stretches lengths: up to this in UTM


def metres_per_degree(latitude: float) -> tuple[float, float]:
    """Metres to a degree of longitude and of latitude on the ellipsoid WGS 84, at ``latitude`` in degrees."""
    phi, squared = math.radians(latitude), _FLATTENING * (2 - _FLATTENING)
    root = math.sqrt(1 - squared * math.sin(phi) ** 2)
    east, north = _AXIS / root * math.cos(phi), _AXIS * (1 - squared) / root**3
    return math.radians(east), math.radians(north)


def scale_of_geotiff(geo: GeoReference) -> Scale:
    """The scale in the middle of an image.

    The two sides of a pixel are measured on the ground; the scale is the root of its area, and its interval spans both.

    Raises:
        RefusedError: degrees near a pole or of no latitude, an unknown unit, pixels that are no squares on the ground.
    """
    width, height = geo.size
    east, north, unit = _metres(geo, geo.at(width / 2, height / 2)[1])
    a, b, _, d, e, _ = geo.transform
    across, down = (a * east, d * north), (b * east, e * north)
    sides = math.hypot(*across), math.hypot(*down)
    area = abs(across[0] * down[1] - across[1] * down[0])
    if area < (1 - _SHEAR) * sides[0] * sides[1] or abs(sides[0] / sides[1] - 1) > _SQUARE:
        raise RefusedError(
            f"the GeoTIFF's pixels are no squares on the ground ({1000 * sides[0]:.3g} x {1000 * sides[1]:.3g} mm); "
            "reproject it to metres, for example with gdalwarp -t_srs EPSG:<UTM zone>"
        )
    found = math.sqrt(area)
    relative = _PROJECTION + max(abs(side / found - 1) for side in sides)
    system = "no code" if geo.epsg is None else f"EPSG:{geo.epsg}"
    return Scale(sampling(1000 * found, relative), f"transform of the GeoTIFF ({system}, {unit})")


def _metres(geo: GeoReference, y: float) -> tuple[float, float, str]:
    """Metres to a unit of the coordinates eastwards and northwards, and what the unit is called."""
    if geo.degrees:
        if not abs(y) <= _NEAR_POLE:
            what = "near a pole" if abs(y) <= 90 else "no latitude"
            raise RefusedError(
                f"the GeoTIFF is in degrees at {y:.5g}, {what}, where they give no scale; reproject it to metres"
            )
        return *metres_per_degree(y), f"degrees at latitude {y:.4f}"
    if geo.metres is None:
        raise RefusedError("the GeoTIFF does not tell the unit of its coordinates; give gsd_mm=, or assign its CRS")
    if geo.epsg == _WEB_MERCATOR:  # its metres grow towards the poles
        latitude = math.degrees(math.atan(math.sinh(y / _AXIS)))
        if abs(latitude) > _NEAR_POLE:
            raise RefusedError(f"the GeoTIFF lies near a pole, at {latitude:.5g} degrees; reproject it to metres")
        true = math.cos(math.radians(latitude))
        return true, true, f"Web Mercator at latitude {latitude:.4f}"
    feet = {0.3048: "feet", 1200 / 3937: "US survey feet"}
    return geo.metres, geo.metres, feet.get(geo.metres, "metres")
