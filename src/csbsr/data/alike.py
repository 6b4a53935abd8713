"""Images that show the same: exactly, or after saving, resizing or brightening them again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

_SIDE = 32  # pixels of the thumbnail that is compared
_LOW = 8  # side of the square of its lowest frequencies that is hashed
_BANDS = 4  # of 16 bits: two hashes that differ in fewer bits share one of them
_LIKE = 0.97  # correlation of two thumbnails from which they show the same
_CROWD = 200  # images with one band of bits beyond which they are too plain to be compared


class Print(NamedTuple):
    """What of an image tells others like it."""

    digest: bytes  #: of its pixels
    bits: int  #: 64 of its lowest frequencies
    thumbnail: bytes  #: (32, 32) int8, without mean, of one contrast; empty for an image of one colour


def print_of(image: np.ndarray) -> Print:
    """The print of an image (H, W, 3), uint8 or float32 in [0, 1]."""
    digest = hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16)
    digest.update(repr(image.shape).encode())
    grey = image.astype(np.float32).mean(2) if image.dtype == np.uint8 else image.mean(2) * np.float32(255)
    small = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    small -= small.mean()
    contrast = float(small.std())
    if contrast < 0.5:
        return Print(digest.digest(), 0, b"")
    frequencies = cv2.dct(small)[:_LOW, :_LOW].ravel()
    above = frequencies > np.median(frequencies[1:])
    bits = int.from_bytes(np.packbits(above).tobytes(), "big")
    thumbnail = np.rint(small / contrast * 32).clip(-127, 127).astype(np.int8)
    return Print(digest.digest(), bits, thumbnail.tobytes())


def same(prints: Sequence[Print]) -> Iterator[tuple[int, int]]:
    """Pairs (earlier, later) of images with equal pixels; of several, each with the first."""
    first: dict[bytes, int] = {}
    for index, own in enumerate(prints):
        if own.digest in first:
            yield first[own.digest], index
        else:
            first[own.digest] = index


def near(prints: Sequence[Print]) -> Iterator[tuple[int, int, float]]:
    """Pairs (earlier, later) that show the same in other pixels, and the correlation of their thumbnails.

    Candidates share 16 of 64 bits of their lowest frequencies, so the work grows with the images, not with their
    square.
    """
    buckets: dict[tuple[int, int], list[int]] = {}
    seen: set[bytes] = set()
    for index, own in enumerate(prints):
        if not own.thumbnail or own.digest in seen:
            continue
        seen.add(own.digest)
        candidates: set[int] = set()
        for band in range(_BANDS):
            bucket = buckets.setdefault((band, own.bits >> (16 * band) & 0xFFFF), [])
            if len(bucket) <= _CROWD:
                candidates.update(bucket)
            bucket.append(index)
        best = max(((_correlation(prints[other], own), -other) for other in candidates), default=(0.0, 0))
        if best[0] >= _LIKE:
            yield -best[1], index, best[0]


def _correlation(one: Print, other: Print) -> float:
    first, second = (np.frombuffer(part.thumbnail, np.int8).astype(np.float32) for part in (one, other))
    return float(first @ second / np.sqrt((first @ first) * (second @ second)))
