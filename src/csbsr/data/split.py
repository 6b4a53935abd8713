"""Which training images are kept apart for validation."""

from __future__ import annotations

from collections.abc import Sequence

from csbsr.data.errors import DataError
from csbsr.data.seeds import item_seed


def split_train_validation(names: Sequence[str], fraction: float, seed: int) -> tuple[list[int], list[int]]:
    """Indices into ``names`` of the training and of the validation images, each ascending.

    The validation images are those with the smallest hash of (seed, name), so the choice does not depend on the order
    of the names, and a few more images change it little.

    Args:
        names: unique names.
        fraction: share of validation images, in [0, 1); the count is rounded, but at least 1 if ``fraction`` > 0.
        seed: another seed chooses other images.

    Raises:
        ValueError: ``fraction`` is outside [0, 1).
        DataError: no training image would be left.
    """
    if not 0 <= fraction < 1:
        raise ValueError(f"validation_fraction: expected a share from 0 to below 1, got {fraction}")
    count = max(1, round(fraction * len(names))) if fraction > 0 else 0
    if count >= len(names):
        raise DataError.about(
            "validation_fraction",
            f"{len(names)} training images, of which {count} would be kept for validation",
            "at least one image left to train on",
            "Add images, or set data.validation_fraction=0.",
        )
    validation = first_by_seed(names, count, seed)
    kept = set(validation)
    return [index for index in range(len(names)) if index not in kept], validation


def first_by_seed(names: Sequence[str], count: int | None, seed: int) -> list[int]:
    """Indices, ascending, of the ``count`` names with the smallest hash of (seed, name); None for all."""
    order = sorted(range(len(names)), key=lambda index: (item_seed(seed, "validation", names[index]), names[index]))
    return sorted(order[:count])
