"""A dark gap seen through a blur: what its intensity profile says of its width, by Bayes' rule on a grid.

The profile across a crack is modelled as a rectangle between two levels of background, convolved with the line spread
of the blur, on a background that wanders.  Width, place and the camera's own blur run over a grid; the levels are
linear in the profile and are integrated out, the black level of the open crack with a prior of its own, because of a
crack narrower than the blur only the product of width and depth can be seen.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

#: Samples of a profile that the model looks at, at most.
WINDOW = 30
_CHUNK = 4_000_000  # numbers held at a time
_WIDTHS = np.concatenate([np.geomspace(0.08, 2, 20), np.arange(2.25, 6.01, 0.25), np.arange(6.4, 16.1, 0.4)])
_PLACES = np.arange(-2, 2.01, 0.25)
_BLURS = np.linspace(-1.75, 1.75, 7)  # standard deviations of the prior
_LEVELS = 3  # black, left and right of the crack
_FLOOR = 0.3  # grey levels of noise that no blur takes away: rounding


@dataclass(frozen=True)
class Priors:
    """What is held likely before a profile is seen.  Lengths in samples, levels in grey values from 0 to 255.

    Attributes:
        black: level of the open crack.
        black_spread: standard deviation of it.
        blur: median of the camera's own blur, the σ of a Gaussian.
        blur_spread: standard deviation of its logarithm.
        width: median of the width.
        width_spread: standard deviation of its logarithm.
        place: standard deviation of the crack's place around where it was seen.
        noise: smallest standard deviation of the profile around the model; twice, four and eight times are tried too.
        wander: growth of the background's deviation with the root of the distance from the crack in samples, of that of
            the noise; more than one value are tried as levels of the noise are.
        background: mean level beside the crack.
        background_spread: standard deviation of it.
    """

    black: float = 17.0
    black_spread: float = 8.0
    blur: float = 0.95
    blur_spread: float = 0.55
    width: float = 1.5
    width_spread: float = 1.1
    place: float = 1.0
    noise: float = 2.5
    wander: tuple[float, ...] = (0.15,)
    background: float = 130.0
    background_spread: float = 60.0


class Posterior(NamedTuple):
    """Of n profiles, in samples.

    Attributes:
        widths: (w,) the grid.
        weights: (n, w) probability of each.
        blur: (n,) mean of the camera's own blur.
        place: (n,) mean place from the middle of the window.
    """

    widths: np.ndarray
    weights: np.ndarray
    blur: np.ndarray
    place: np.ndarray

    def quantiles(self, shares: tuple[float, ...]) -> np.ndarray:
        """(n, len(shares)): widths below which that share of the probability lies."""
        edges = np.concatenate(
            [[0.0], (self.widths[1:] + self.widths[:-1]) / 2, [1.5 * self.widths[-1] - 0.5 * self.widths[-2]]]
        )
        below = np.concatenate([np.zeros((len(self.weights), 1)), np.cumsum(self.weights, axis=1)], axis=1)
        below /= below[:, -1:]
        result = np.empty((len(below), len(shares)))
        rows = np.arange(len(below))
        for k, share in enumerate(shares):
            place = np.clip((below < share).sum(axis=1), 1, below.shape[1] - 1)
            first, last = below[rows, place - 1], below[rows, place]
            part = np.divide(share - first, last - first, out=np.zeros(len(below)), where=last > first)
            result[:, k] = edges[place - 1] + part * (edges[place] - edges[place - 1])
        return result


class _Bank(NamedTuple):
    """Templates of every width, place and blur of the grid, whitened for each level of noise."""

    projections: list[np.ndarray]  #: of each level of noise (n, 3 * M): onto the three levels
    offsets: list[np.ndarray]  #: (3 * M,), what the priors add to them
    constants: list[np.ndarray]  #: (M,) log evidence that does not depend on the profile
    whitening: list[np.ndarray]  #: (n, n)
    sparse: np.ndarray  #: numbers of the templates that choose the level of noise


def posterior(profiles: np.ndarray, spread: tuple[float, ...], priors: Priors) -> Posterior:
    """The posterior of the width.

    Args:
        profiles: (n, k) grey values, the crack within two samples of the middle.
        spread: the known blur: empty for none, σ in samples, or a line spread (odd count) of sum 1.
        priors: of everything else.
    """
    count, samples = profiles.shape
    bank = _bank(samples, spread, priors)
    shape = (len(_BLURS), len(_WIDTHS), len(_PLACES))
    weights, blur, place = np.empty((count, shape[1])), np.empty(count), np.empty(count)
    sigmas = _sigmas(priors)
    profiles = profiles.astype(np.float32)
    levels = _noise_levels(profiles, bank)
    for level in range(len(bank.projections)):
        chosen = np.flatnonzero(levels == level)
        step = max(1, _CHUNK // bank.projections[level].shape[1])
        for first in range(0, len(chosen), step):
            part = chosen[first : first + step]
            evidence = _evidence(profiles[part], bank, level, None)
            evidence -= evidence.max(axis=1, keepdims=True)
            grid = np.exp(evidence, out=evidence).reshape(-1, *shape)
            total = grid.sum(axis=(1, 2, 3))
            weights[part] = grid.sum(axis=(1, 3)) / total[:, None]
            blur[part] = grid.sum(axis=(2, 3)) @ sigmas / total
            place[part] = grid.sum(axis=(1, 2)) @ _PLACES / total
    return Posterior(_WIDTHS, weights, blur, place)


def _noise_levels(profiles: np.ndarray, bank: _Bank) -> np.ndarray:
    """(n,) number of the level of noise under which each profile is likeliest, by a part of the templates."""
    found = []
    for level in range(len(bank.projections)):
        parts = []
        step = max(1, _CHUNK // (3 * len(bank.sparse)))
        for first in range(0, len(profiles), step):
            evidence = _evidence(profiles[first : first + step], bank, level, bank.sparse)
            most = evidence.max(axis=1)
            parts.append(most + np.log(np.exp(evidence - most[:, None]).sum(axis=1)))
        found.append(np.concatenate(parts))
    return np.argmax(found, axis=0)


def _evidence(profiles: np.ndarray, bank: _Bank, level: int, templates: np.ndarray | None) -> np.ndarray:
    """(n, M) log evidence of each template, up to a constant of the profile that all levels of noise share."""
    projections, offsets, constants = bank.projections[level], bank.offsets[level], bank.constants[level]
    if templates is not None:
        projections = projections.reshape(len(projections), _LEVELS, -1)[..., templates].reshape(len(projections), -1)
        offsets, constants = offsets.reshape(_LEVELS, -1)[:, templates].ravel(), constants[templates]
    seen = profiles @ projections
    seen += offsets
    np.square(seen, out=seen)
    first, second, third = np.split(seen, _LEVELS, axis=1)
    first += second
    first += third
    first -= np.square(profiles @ bank.whitening[level].T).sum(axis=1, keepdims=True)
    first *= 0.5
    first += constants
    return first


def _sigmas(priors: Priors) -> np.ndarray:
    return priors.blur * np.exp(priors.blur_spread * _BLURS)


@lru_cache(maxsize=8)
def _bank(samples: int, spread: tuple[float, ...], priors: Priors) -> _Bank:
    sigma, width, place = (grid.ravel() for grid in np.meshgrid(_sigmas(priors), _WIDTHS, _PLACES, indexing="ij"))
    x = np.arange(samples) - (samples - 1) / 2
    left, right = _sides(x, sigma, width, place, spread)
    design = np.stack([1 - left - right, left, right]).transpose(2, 0, 1).reshape(samples, -1)  # (n, 3 * M)
    prior = (
        -0.5 * (_BLURS.repeat(len(_WIDTHS) * len(_PLACES))) ** 2
        - 0.5 * (np.log(width / priors.width) / priors.width_spread) ** 2
        - 0.5 * (place / priors.place) ** 2
        + np.log(np.gradient(_WIDTHS) / _WIDTHS)[None, :, None].repeat(len(_BLURS), 0).repeat(len(_PLACES), 2).ravel()
    )
    smoothing = _smoothing(samples, spread)
    wander = np.where(x[:, None] * x > 0, np.minimum(abs(x[:, None]), abs(x)), 0)
    bank = _Bank([], [], [], [], _sparse())
    for noise, growth in itertools.product(priors.noise * 2.0 ** np.arange(4), priors.wander):
        covariance = smoothing @ (np.eye(samples) + growth**2 * wander) @ smoothing.T
        root = np.linalg.cholesky(noise**2 * covariance + _FLOOR**2 * np.eye(samples))
        whitening = np.linalg.inv(root)
        rows = np.array([
            [1 / priors.black_spread, 0, 0],
            [0, 1 / noise, -1 / noise],  # the two sides differ by as much as the noise
            [0, 0, 1 / priors.background_spread],
        ])  # fmt: skip
        known = np.array([priors.black / priors.black_spread, 0, priors.background / priors.background_spread])
        seen = (whitening @ design).reshape(samples, _LEVELS, -1)
        products = [(seen[:, i] * seen[:, j]).sum(axis=0) for i in range(_LEVELS) for j in range(_LEVELS)]
        normal = np.stack(products, axis=-1).reshape(-1, _LEVELS, _LEVELS) + rows.T @ rows
        triangle = np.linalg.cholesky(normal)
        inverse = np.linalg.inv(triangle)
        # Orthonormal together with the rows of the priors.
        basis = np.concatenate(
            [sum(seen[:, i] * inverse[:, j, i] for i in range(j + 1)) for j in range(_LEVELS)], axis=1
        )
        bank.projections.append((whitening.T @ basis).astype(np.float32))
        bank.offsets.append((inverse @ (rows.T @ known)).T.ravel().astype(np.float32))
        bank.whitening.append(whitening.astype(np.float32))
        determinants = np.log(np.einsum("mii->mi", triangle)).sum(axis=1) + np.log(np.diag(root)).sum() + np.log(noise)
        bank.constants.append((prior - determinants - 0.5 * known @ known).astype(np.float32))
    return bank


def _sides(
    x: np.ndarray, sigma: np.ndarray, width: np.ndarray, place: np.ndarray, spread: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """(M, n) each: share of what each sample sees that lies left and right of the crack."""
    if len(spread) < 2:
        total = np.hypot(sigma, sum(spread))[:, None]
        first, last = (place - width / 2)[:, None], (place + width / 2)[:, None]
        return ndtr((first - x) / total), ndtr((x - last) / total)
    left = right = np.zeros((len(sigma), len(x)))
    for shift, share in zip(np.arange(len(spread)) - len(spread) // 2, spread, strict=True):
        if share > 1e-6:
            sides = _sides(x - shift, sigma, width, place, ())
            left, right = left + share * sides[0], right + share * sides[1]
    return left, right


def _smoothing(samples: int, spread: tuple[float, ...]) -> np.ndarray:
    """(n, n) what the known blur does to noise that was there before it."""
    if not spread:
        return np.eye(samples)
    if len(spread) == 1:
        reach = int(4 * spread[0] + 0.5)
        shares = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(spread[0], 1e-6)) ** 2)
        shares /= shares.sum()
    else:
        shares, reach = np.array(spread), len(spread) // 2
    result = np.zeros((samples, samples))
    for shift, share in zip(range(-reach, reach + 1), shares, strict=True):
        source = np.arange(samples) + shift
        source = np.abs(np.where(source < 0, source + 1, source)) % (2 * samples)  # mirrored at its ends
        source = np.where(source >= samples, 2 * samples - 1 - source, source)
        np.add.at(result, (np.arange(samples), source), share)
    return result


def _sparse() -> np.ndarray:
    numbers = np.arange(len(_BLURS) * len(_WIDTHS) * len(_PLACES)).reshape(len(_BLURS), len(_WIDTHS), len(_PLACES))
    return numbers[1::2, ::3, ::2].ravel()
