"""The scale of photographs: millimetres to a pixel from the file, from a distance, from a marker in the picture."""

from csbsr.measure.ground.automatic import Automatic
from csbsr.measure.ground.cameras import sensor_widths
from csbsr.measure.ground.scale import Rectification, RefusedError, Scale

__all__ = ["Automatic", "Rectification", "RefusedError", "Scale", "sensor_widths"]
