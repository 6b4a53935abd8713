"""csbsr: crack segmentation from blurred low-resolution photographs by joint blind super-resolution."""

from typing import TYPE_CHECKING

from csbsr.lazy import by_name

if TYPE_CHECKING:
    from csbsr.weights import load

__version__ = "0.1.0"
__all__ = ["__version__", "load"]
__getattr__ = by_name(__name__, {"load": "weights"})  # importing csbsr alone stays cheap
