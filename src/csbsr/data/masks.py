"""Mask files as labels 0, 1 and 255 (ignored), after a look at what their values mean."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from csbsr.data.errors import DataError
from csbsr.data.labelme_files import POLYGONS, read_polygons
from csbsr.data.mask_values import (
    IGNORED,
    SOUND,
    MaskRule,
    Verdict,
    by_rule,
    judge_alpha,
    judge_colours,
    judge_levels,
)
from csbsr.data.reading.formats import SUFFIXES
from csbsr.data.reading.photographs import luminance
from csbsr.data.reading.pixels import Decoded, decode

#: Suffixes of masks: pictures, and polygons of LabelMe.
MASK_SUFFIXES = SUFFIXES | POLYGONS


class MaskLook(NamedTuple):
    """What one mask holds."""

    kind: str  #: of `csbsr.data.mask_values.Verdict`, or "unreadable"
    cracks: int = 0  #: pixels
    ignored: int = 0  #: pixels
    pixels: int = 0
    note: str = ""  #: what was assumed
    error: str = ""  #: why it cannot be read as a mask


def read_labels(
    path: str | Path, rule: MaskRule | None = None, size: tuple[int, int] | None = None, dark: int = 0
) -> np.ndarray:
    """A mask (H, W) uint8: 0 background, 1 crack, 255 (`IGNORED`) for what is neither.

    Without a rule crack is what lies above the middle, if the values are those of a mask.  Where a TIFF holds no data
    there is none.

    Args:
        path: a picture, or polygons of LabelMe (``.json``).
        rule: which values are what.
        size: (H, W) for polygons that do not tell it.
        dark: level of 255 up to which pixels are background, whatever else the file holds.

    Raises:
        DataError: the file cannot be read, or its values are not those of a mask; says what they are and what to set.
    """
    return _read(path, rule or MaskRule(), size, dark)[0]


def look_at_mask(
    path: str | Path, rule: MaskRule | None = None, size: tuple[int, int] | None = None
) -> tuple[MaskLook, np.ndarray | None]:
    """What a mask holds, and the mask; whatever is wrong ends up in the look."""
    try:
        labels, verdict = _read(path, rule or MaskRule(), size)
    except _Fault as fault:
        return MaskLook(fault.kind, error=str(fault)), None
    except DataError as error:
        return MaskLook("unreadable", error=str(error)), None
    cracks, ignored = int(np.count_nonzero(labels == 1)), int(np.count_nonzero(labels == IGNORED))
    return MaskLook(verdict.kind, cracks, ignored, labels.size, verdict.text), labels


class _Fault(DataError):
    """A mask whose values mean something else; ``kind`` is that of its verdict."""

    kind = ""


def _read(path: str | Path, rule: MaskRule, size: tuple[int, int] | None, dark: int = 0) -> tuple[np.ndarray, Verdict]:
    if Path(path).suffix.lower() in POLYGONS:
        return read_polygons(path, rule, size), SOUND
    found = decode(path)
    if rule.crack_label is not None:
        return _ruled(path, found, rule), SOUND
    levels = _levels(path, found)
    if dark:
        levels = np.where(levels > dark, levels, 0).astype(np.uint8)
    if found.valid is not None:  # a value for no-data that is bright would be that of the cracks
        levels = np.where(found.valid | (levels > 127), levels, 0).astype(np.uint8)
    ignored = _where(path, found, rule.ignore_label) if rule.ignore_label is not None else None
    if ignored is not None:
        levels = np.where(ignored, 0, levels).astype(np.uint8)
    _check(path, judge_alpha(levels, found.alpha))
    if found.kind == "rgb" and ignored is None:
        _check(path, judge_colours(_eight(found.pixels[..., :3]), found.lossy))
    verdict = judge_levels(levels, found.lossy)
    _check(path, verdict)
    labels = (levels > 127).view(np.uint8)
    if labels.all():
        warnings.warn(f"{path}: every pixel of this mask is crack; is it inverted or empty by mistake?", stacklevel=4)
    if ignored is not None:
        labels[ignored] = IGNORED
    return labels, verdict


def _check(path: str | Path, verdict: Verdict) -> None:
    if verdict.fault:
        fault = _Fault(str(DataError.about(path, verdict.text, "0 for background and 255 for crack", verdict.remedy)))
        fault.kind = verdict.kind
        raise fault


def _ruled(path: str | Path, found: Decoded, rule: MaskRule) -> np.ndarray:
    labels = np.zeros(found.pixels.shape[:2], np.uint8)
    if rule.crack_label is not None:
        labels[_where(path, found, rule.crack_label)] = 1
    if rule.ignore_label is not None:
        labels[_where(path, found, rule.ignore_label)] = IGNORED
    return labels


def _where(path: str | Path, found: Decoded, label: int | str) -> np.ndarray:
    if isinstance(label, str):
        values = _eight(found.pixels[..., :3]) if found.kind == "rgb" else _eight(found.pixels[..., 0])
    elif found.labels is not None:
        values = found.labels
    elif found.kind == "rgb":
        values = luminance(_eight(found.pixels)) if found.pixels.dtype == np.uint8 else found.pixels[..., :3].max(2)
    else:
        values = found.pixels[..., 0]
    try:
        return by_rule(values, label, found.lossy)
    except ValueError as error:
        raise DataError.about(
            path, "a picture", "a label that pictures have", f"crack_label, ignore_label: {error}."
        ) from None


def _levels(path: str | Path, found: Decoded) -> np.ndarray:
    """(H, W) uint8, 255 white; above 127 exactly where the file is above the middle of its range."""
    if found.kind == "bands":
        raise DataError.about(
            path, f"{found.pixels.shape[2]} bands", "a mask of one band", "Save the band with the cracks alone."
        )
    if found.kind == "rgb":
        return luminance(_eight(found.pixels[..., :3]))
    return _eight(found.pixels[..., 0])


def _eight(pixels: np.ndarray) -> np.ndarray:
    """Values of any type as uint8 of 0 … 255; whole numbers up to 255 stay."""
    if pixels.dtype == np.uint8:
        return pixels
    largest = float(np.nanmax(pixels, initial=0))
    if pixels.dtype.kind != "f" and largest <= 255:
        return pixels.clip(0, 255).astype(np.uint8)
    white = (1.0 if largest <= 1 else 255.0 if largest <= 255 else 65535.0) if pixels.dtype.kind == "f" else 65535.0
    if largest > white:
        white = largest
    scaled = np.nan_to_num(pixels.astype(np.float32) * np.float32(255 / white)).clip(0, 255)
    eight = np.ceil(scaled - np.float32(0.5))
    eight[(scaled > 127) & (eight <= 127)] = 128
    return eight.astype(np.uint8)


class SetVerdict(NamedTuple):
    """What the masks of a whole set are."""

    error: str  #: why nothing can be learnt or measured from it; empty if nothing is wrong
    kind: str  #: "", "no cracks" or "inverted"


def judge_set(looks: Sequence[MaskLook], option: str = "data.crack_label") -> SetVerdict:
    """Judge all masks of a part together: a single empty or a very cracked image is normal, a set of them is not.

    Args:
        looks: at each of its masks; those that cannot be read are passed over.
        option: how a person names the label of the crack there.
    """
    readable = [look for look in looks if not look.error and look.pixels]
    if not readable:
        return SetVerdict("", "")
    cracked = [look for look in readable if look.cracks]
    if not cracked:
        return SetVerdict(
            f"none of the {len(readable)} masks holds a crack. If cracks are black there, say {option}=0; "
            f"if they are labels, say {option}=<label>; else add images with cracks", "no cracks",
        )  # fmt: skip
    mostly = [look for look in cracked if look.cracks > 0.5 * (look.pixels - look.ignored)]
    if len(readable) > 1 and len(mostly) > 0.9 * len(readable):
        share = 100 * sum(look.cracks for look in readable) / sum(look.pixels for look in readable)
        return SetVerdict(
            f"{len(mostly)} of {len(readable)} masks are crack on more than half of their pixels ({share:.3g} %): "
            f"they look inverted; say {option}=0 if cracks are black there", "inverted",
        )  # fmt: skip
    return SetVerdict("", "")
