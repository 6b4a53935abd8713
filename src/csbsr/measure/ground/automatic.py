"""Millimetres to a pixel from wherever a photograph tells them: GeoTIFF, a drone's XMP, EXIF and a distance, a marker.

The first source that gives a scale is taken.  One that is there and must not be used is told, and the next is asked.
The altitude of GPS is never taken for a distance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from csbsr.data.reading.geo import GeoReference, read_georeference
from csbsr.measure.ground.cameras import SENSOR_WIDTHS
from csbsr.measure.ground.exif import Head, read_head
from csbsr.measure.ground.geotiff import scale_of_geotiff
from csbsr.measure.ground.lens import scale_of_drone, scale_of_lens
from csbsr.measure.ground.marker import marker_dictionary, scale_of_marker
from csbsr.measure.ground.scale import ContradictionError, RefusedError, Scale
from csbsr.measure.ground.xmp import read_xmp


class Automatic:
    """Finds the scale of photographs.

    Args:
        distance_m: metres from the camera to the surface, for photographs whose EXIF tells the lens; None if not known.
        marker_mm: side of the black square of a printed ArUco marker on the surface; None: none is looked for.
        dictionary: of the marker, see `csbsr.measure.ground.marker.marker_dictionary`.
        widths: of cameras' sensors in mm, see `csbsr.measure.ground.cameras.sensor_widths`.

    Raises:
        ValueError: a number is not above 0, or there is no such dictionary.
    """

    def __init__(
        self,
        distance_m: float | None = None,
        marker_mm: float | None = None,
        dictionary: str = "4x4_50",
        widths: Mapping[str, float] = SENSOR_WIDTHS,
    ) -> None:
        for name, value in (("distance_m", distance_m), ("marker_mm", marker_mm)):
            if value is not None and (isinstance(value, (bool, str)) or not 0 < value < math.inf):
                raise ValueError(f"{name}: expected a number above 0, got {value!r}")
        marker_dictionary(dictionary)
        self.distance_m, self.marker_mm, self.dictionary, self.widths = distance_m, marker_mm, dictionary, widths
        self._known: dict[tuple[Path, int], Scale] = {}

    def of_file(self, path: Path) -> Scale:
        """What the head of a file tells, without its pixels; remembered until the file changes."""
        try:
            key = path, path.stat().st_mtime_ns
        except OSError:
            return Scale()
        if key not in self._known:
            geo = read_georeference(path)
            self._known[key] = replace(self._of_file(path, geo), geo=geo)
        return self._known[key]

    def of_photograph(self, path: Path, image: np.ndarray) -> Scale:
        """What the file tells, else a marker in its ``image`` (H, W, 3) uint8."""
        found = self.of_file(path)
        if found.sampling is not None or self.marker_mm is None:
            return found
        try:
            marker = scale_of_marker(image, self.marker_mm, self.dictionary)
        except RefusedError as error:
            return replace(found, refused=(*found.refused, str(error)))
        if marker is None:
            nothing = f"no marker of {self.dictionary} was found; give marker_dictionary= if it is of another"
            return replace(found, refused=(*found.refused, nothing))
        return replace(marker, refused=found.refused, geo=found.geo)

    def _of_file(self, path: Path, geo: GeoReference | None) -> Scale:
        refused: list[str] = []
        if geo is not None:
            try:
                return scale_of_geotiff(geo)
            except RefusedError as error:
                refused.append(str(error))
        head = read_head(path)
        if head is not None:
            try:
                found = self._of_drone(head, refused)
                if found is None and self.distance_m is not None:
                    found = scale_of_lens(head, self.widths, self.distance_m)
                if found is not None:
                    return replace(found, refused=tuple(refused))
            except RefusedError as error:
                refused.append(str(error))
        return Scale(refused=tuple(refused))

    def _of_drone(self, head: Head, refused: list[str]) -> Scale | None:
        """From XMP; None without a distance there.  A contradiction is raised, for EXIF is in doubt with it."""
        if not head.xmp:
            return None
        try:
            return scale_of_drone(read_xmp(head.xmp), head, self.widths, self.distance_m)
        except ContradictionError:
            raise
        except RefusedError as error:
            refused.append(str(error))
            return None
