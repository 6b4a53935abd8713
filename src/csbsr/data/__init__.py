"""Data: files or generated surfaces to samples and batches of high-resolution image and crack mask."""

import os

from csbsr.lazy import by_name

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # read when albumentations is imported; else it asks PyPI

#: Public name -> module, imported when first asked for: the loss needs distance maps, not Lightning.
_MODULES = {
    "CrackData": "crack_data",
    "CrackDataModule": "datamodule",
    "DataError": "errors",
    "DegradedPairs": "degraded",
    "FolderPairs": "folder",
    "MaskRule": "mask_values",
    "Photograph": "reading",
    "Problem": "checks",
    "SurfaceFolder": "world",
    "SyntheticPairs": "synthetic",
    "WorldPairs": "world",
    "check": "checks",
    "degrade_batch": "crack_data",
    "degraded_data": "factories",
    "distance_to_crack": "distance",
    "evaluation_generator": "seeds",
    "folder_data": "factories",
    "item_generator": "seeds",
    "item_seed": "seeds",
    "labelme": "labelme_files",
    "normalized_signed_distance": "distance",
    "read_coco": "coco_files",
    "read_image": "reading",
    "read_labels": "masks",
    "read_mask": "reading",
    "read_photograph": "reading",
    "read_polygons": "labelme_files",
    "synthetic_data": "factories",
}
__all__ = list(_MODULES)
__getattr__ = by_name(__name__, _MODULES)
