"""csbsr: crack segmentation from blurred low-resolution photographs by joint blind super-resolution."""

from typing import Any

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def __dir__() -> list[str]:
    return [*globals(), "load"]


def __getattr__(name: str) -> Any:  # importing csbsr alone stays cheap
    if name == "load":
        from csbsr.weights import load

        return load
    raise AttributeError(f"module 'csbsr' has no attribute {name!r}")
