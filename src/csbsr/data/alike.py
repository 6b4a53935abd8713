"""Images that show the same: exactly, or after saving, resizing or brightening them again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

_SIDE = 32  # pixels of the thumbnail whose frequencies are compared
_COMPARED, _HASHED = 16, 8  # sides of the squares of its lowest frequencies
_LIGHT = 2  # side of the square of the very lowest, which is lighting
_BANDS, _BITS = 6, 10  # parts of the hash, of which two images alike share at least one
_LIKE = 0.92  # correlation of their frequencies from which two images show the same
_CROWD = 2000  # images of one part of the hash beyond which they are too plain to be compared


class Print(NamedTuple):
    """What of an image tells others like it."""

    digest: bytes  #: of its pixels
    bits: int  #: 60 of its lowest frequencies
    frequencies: bytes  #: (256,) float16 of length 1; empty for an image of one colour


def print_of(image: np.ndarray) -> Print:
    """The print of an image (H, W, 3), uint8 or float32 in [0, 1]."""
    digest = hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16)
    digest.update(repr(image.shape).encode())
    grey = image.mean(2, dtype=np.float32) * np.float32(1 if image.dtype == np.uint8 else 255)
    small = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    if float(small.std()) < 0.5:
        return Print(digest.digest(), 0, b"")
    frequencies = cv2.dct(small)
    hashed = frequencies[:_HASHED, :_HASHED].ravel()[-_BANDS * _BITS :]
    bits = int.from_bytes(np.packbits(hashed > np.median(hashed)).tobytes(), "big") >> (-_BANDS * _BITS % 8)
    compared = frequencies[:_COMPARED, :_COMPARED].copy()
    compared[:_LIGHT, :_LIGHT] = 0
    compared = np.sign(compared) * np.sqrt(np.abs(compared))  # a strong edge that many images share weighs less
    length = float(np.linalg.norm(compared))
    unit = (compared / max(length, 1e-6)).astype(np.float16)
    return Print(digest.digest(), bits, unit.tobytes())


def same(prints: Sequence[Print]) -> Iterator[tuple[int, int]]:
    """Pairs (earlier, later) of images with equal pixels; of several, each with the first."""
    first: dict[bytes, int] = {}
    for index, own in enumerate(prints):
        if own.digest in first:
            yield first[own.digest], index
        else:
            first[own.digest] = index


def near(prints: Sequence[Print]) -> Iterator[tuple[int, int, float]]:
    """Pairs (earlier, later) that show the same in other pixels, and the correlation of their frequencies.

    Candidates share 10 of 60 bits, so the work grows little faster than the images.
    """
    places = {index: row for row, index in enumerate(i for i, own in enumerate(prints) if own.frequencies)}
    table = np.zeros((len(places), _COMPARED**2), np.float32)
    for index, row in places.items():
        table[row] = np.frombuffer(prints[index].frequencies, np.float16)
    buckets: dict[tuple[int, int], list[int]] = {}
    seen: set[bytes] = set()
    for index, row in places.items():
        own = prints[index]
        if own.digest in seen:
            continue
        seen.add(own.digest)
        candidates: set[int] = set()
        for band in range(_BANDS):
            bucket = buckets.setdefault((band, own.bits >> (_BITS * band) & (1 << _BITS) - 1), [])
            if len(bucket) <= _CROWD:
                candidates.update(bucket)
            bucket.append(index)
        if not candidates:
            continue
        others = sorted(candidates)
        likeness = table[[places[other] for other in others]] @ table[row]
        best = int(likeness.argmax())
        if likeness[best] >= _LIKE:
            yield others[best], index, min(1.0, float(likeness[best]))
