"""Data sets from plain values, as the files in conf/data name them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from csbsr.contracts import Degradation, PairSource
from csbsr.data.crack_data import CrackData
from csbsr.data.degraded import DegradedPairs
from csbsr.data.folder import FolderPairs
from csbsr.data.limits import MAX_MEGAPIXELS
from csbsr.data.mask_values import MaskRule, label_of
from csbsr.data.pairs import STEM
from csbsr.data.synthetic import SyntheticPairs
from csbsr.data.world import SurfaceFolder, WorldPairs

WORLDS = ("plain", "varied")


def folder_data(
    root: str,
    degradation: Degradation,
    train: str = "train",
    test: str = "test",
    origin: str = "",
    mask_name: str = STEM,
    crack_label: int | str | None = None,
    ignore_label: int | str | None = None,
    bands: Sequence[int] | None = None,
    bits: int | None = None,
    check: str = "full",
    max_megapixels: float = MAX_MEGAPIXELS,
    **options: Any,
) -> CrackData:
    """Data of ``root/{train,test}/{images,masks}``.

    Args:
        root: the data set's folder.
        degradation: see `csbsr.data.CrackData`, as for ``options``.
        train: name of the folder with the training part.
        test: name of the folder with the test part.
        origin: how to get the data set, for the error when it is missing.
        mask_name: see `csbsr.data.folder.FolderPairs`, as for ``bands``, ``bits``, ``check`` and
            ``max_megapixels``.
        crack_label: see `csbsr.data.mask_values.MaskRule`; whole numbers may come as text.
        ignore_label: the same.
        options: further arguments of `csbsr.data.CrackData`; ``lightning=False`` returns one without loaders.
    """
    rule = MaskRule(label_of(crack_label), label_of(ignore_label))
    train_pairs, test_pairs = (
        FolderPairs(root, split, origin, mask_name, rule, bands, bits, check, max_megapixels) for split in (train, test)
    )
    return _data(train_pairs, test_pairs, degradation, **options)


def synthetic_data(
    degradation: Degradation,
    train_images: int = 800,
    test_images: int = 40,
    size: Sequence[int] | str = (320, 320),
    data_seed: int = 0,
    world: str = "plain",
    surfaces: str | None = None,
    surfaces_list: str | None = None,
    photographed: float = 0.5,
    sound: float = 0.15,
    thinnest: float = 0.0,
    **options: Any,
) -> CrackData:
    """Data of generated images.

    Args:
        degradation: see `csbsr.data.CrackData`, as for ``options``.
        train_images: number of training (and validation) images.
        test_images: number of test images.
        size: (H, W) in pixels.
        data_seed: another one gives other images; apart from ``seed``, so that runs with several seeds share data.
        world: ``plain`` (`csbsr.data.SyntheticPairs`) or ``varied`` (`csbsr.data.WorldPairs`).
        surfaces: folder of photographs without cracks to draw cracks into; the world is then varied in any case.
        surfaces_list: text file that names those of ``surfaces`` to use, one per line; None: all.
        photographed: varied world with ``surfaces``: fraction of the images drawn into a photograph.
        sound: varied world: fraction of the images without a crack.
        thinnest: varied world: narrower cracks are marked so many pixels wide; 0: masks are exact.
        options: further arguments of `csbsr.data.CrackData`; ``lightning=False`` returns one without loaders.
    """
    if len(size) != 2 or not all(isinstance(side, int) for side in size):
        raise ValueError(f"size: expected height and width in pixels, such as [320,320], got {size!r}")
    height, width = (int(side) for side in size)
    if world not in WORLDS:
        raise ValueError(f"world: expected one of {', '.join(WORLDS)}, got {world!r}")
    parts = (("train", train_images), ("test", test_images))
    train: PairSource
    test: PairSource
    if world == "plain" and surfaces is None:
        train, test = (SyntheticPairs(split, count, (height, width), data_seed) for split, count in parts)
        return _data(train, test, degradation, **options)
    train, test = (
        WorldPairs(
            split,
            count,
            (height, width),
            data_seed,
            SurfaceFolder(surfaces, surfaces_list, split) if surfaces is not None else None,
            photographed,
            sound,
            thinnest,
        )
        for split, count in parts
    )
    return _data(train, test, degradation, **options)


def degraded_data(root: str, degradation: Degradation, name: str | None = None, **options: Any) -> CrackData:
    """Data of a degraded test set: no training part; ``degradation`` only states the scale.

    Args:
        root: see `csbsr.data.degraded.DegradedPairs`, as for ``name``.
        degradation: see `csbsr.data.CrackData`, as for ``options``.
        name: the degradation's folder.
        options: further arguments of `csbsr.data.CrackData`; ``lightning=False`` returns one without loaders.
    """
    return _data(None, DegradedPairs(root, name), degradation, **options)


def _data(
    train: PairSource | None, test: PairSource | None, degradation: Degradation, lightning: bool = True, **options: Any
) -> CrackData:
    """The Lightning data module, or without Lightning what it is made of."""
    if not lightning:
        return CrackData(train, test, degradation, **options)
    from csbsr.data.datamodule import CrackDataModule

    return CrackDataModule(train, test, degradation, **options)
