"""A generated world as varied as real photographs: surfaces, openings from hairlines to gaps, and what is no crack."""

from csbsr.data.world.pairs import WorldPairs
from csbsr.data.world.photographs import SurfaceFolder

__all__ = ["SurfaceFolder", "WorldPairs"]
