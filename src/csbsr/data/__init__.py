"""Data: files or generated surfaces to samples and batches of high-resolution image and crack mask."""

import importlib
import os
from typing import Any

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # read when albumentations is imported; else it asks PyPI

#: Public name -> module, imported when first asked for: the loss needs distance maps, not Lightning.
_MODULES = {
    "CrackDataModule": "datamodule",
    "DataError": "errors",
    "DegradedPairs": "degraded",
    "FolderPairs": "folder",
    "Problem": "checks",
    "SurfaceFolder": "world",
    "SyntheticPairs": "synthetic",
    "WorldPairs": "world",
    "check": "checks",
    "degrade_batch": "datamodule",
    "degraded_data": "factories",
    "distance_to_crack": "distance",
    "evaluation_generator": "seeds",
    "folder_data": "factories",
    "item_generator": "seeds",
    "item_seed": "seeds",
    "normalized_signed_distance": "distance",
    "read_image": "reading",
    "read_mask": "reading",
    "synthetic_data": "factories",
}
__all__ = list(_MODULES)


def __dir__() -> list[str]:
    return [*globals(), *__all__]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
