"""What a checkpoint tells of itself, its *card*, checked before any of it is believed.

format               version of the card
network              description of the network for `csbsr.build.build`: classes of csbsr and their arguments
scale, seed          whole numbers
recommended_threshold   of the mask, in [0, 1]
config, overrides, choices   of the run that wrote it: plain values, texts, texts
license              of the weights, text
exported             how a file of csbsr-export was made, see `csbsr.weights.exported`
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from csbsr.plain import check_plain, field, is_kind, kind_of
from csbsr.words import printable

FORMAT = 1  #: of the cards that are written, and the newest that can be read
#: Rooms of csbsr whose classes a network is made of.  Others write files, or read them, when they are made.
NETWORKS = ("csbsr.sr", "csbsr.segmentor", "csbsr.joint")
_LARGEST_SCALE = 16
_LARGEST_ARGUMENT = 2**16  # of a network: channels, sizes, numbers of blocks
#: Arguments that make images larger.
_LARGEST = {"scale": _LARGEST_SCALE, "size_multiple": 1024, "minimum_size": 1024}
_MOST_ARGUMENTS = 5000


def check_card(card: Any, name: str) -> None:
    """Check a card.

    Args:
        card: what a checkpoint of ours holds under `csbsr.weights.checkpoint.CARD_KEY`.
        name: of the file, for the error.

    Raises:
        ValueError: an entry is missing, of another kind or out of its range; or the card is of a newer version.
    """
    if not isinstance(card, Mapping):
        raise ValueError(f"{name}: its card is {kind_of(card)}; expected a checkpoint of csbsr-train")
    check_plain(card, name)
    version = card.get("format", FORMAT)
    if not is_kind(version, int) or version < 1:
        raise ValueError(f"{name}: format: expected a whole number from 1, got {kind_of(version)}")
    if version > FORMAT:
        written = card.get("version")
        raise ValueError(
            f"{name} has a card of format {version}, written by csbsr {printable(written)}; this csbsr reads up to "
            f"{FORMAT}: install a newer one"
        )
    check_network(field(card, "network", dict, name), name)
    for key, kind in (
        ("seed", int), ("scale", int), ("config", dict), ("choices", dict), ("data", dict), ("license", str)
    ):  # fmt: skip
        if key in card:
            field(card, key, kind, name)
    scale = card.get("scale", 1)
    if not 1 <= scale <= _LARGEST_SCALE:
        raise ValueError(f"{name}: scale: expected 1 to {_LARGEST_SCALE}, got {scale}")
    _check_threshold(card.get("recommended_threshold"), name)
    overrides = card.get("overrides", [])
    if not isinstance(overrides, list) or not all(isinstance(word, str) for word in overrides):
        raise ValueError(f"{name}: overrides: expected a list of texts, got {kind_of(overrides)}")
    for key, value in card.get("choices", {}).items():
        if not isinstance(value, (str, type(None), list)):
            raise ValueError(f"{name}: choices.{printable(key)}: expected text, got {kind_of(value)}")


def _check_threshold(value: Any, name: str) -> None:
    if value is None:
        return
    if not is_kind(value, float) or not math.isfinite(value) or not 0 <= value <= 1:
        raise ValueError(f"{name}: recommended_threshold: expected a number from 0 to 1, got {kind_of(value)}")


def check_network(spec: Mapping[str, Any], name: str) -> None:
    """Check a description of a network: few arguments, numbers of sensible sizes.

    Raises:
        ValueError: it is not such a description.
    """
    check_plain(spec, f"{name}: network", most=_MOST_ARGUMENTS, deepest=16)
    field(spec, "_target_", str, f"{name}: network")
    pending: list[tuple[str, Any]] = [("network", spec)]
    while pending:
        place, item = pending.pop()
        if isinstance(item, Mapping):
            target = item.get("_target_", "")
            if not isinstance(target, str):
                raise ValueError(f"{name}: {place}._target_: expected the name of a class, got {kind_of(target)}")
            pending += [(f"{place}.{printable(key)}", part) for key, part in item.items()]
        elif isinstance(item, (list, tuple)):
            pending += [(place, part) for part in item]
        elif isinstance(item, (int, float)):
            largest = _LARGEST.get(place.rpartition(".")[2], _LARGEST_ARGUMENT)
            if not abs(item) <= largest:
                raise ValueError(f"{name}: {place}: expected a number up to {largest}, got {kind_of(item)}")


def network_packages(trusted: Sequence[str]) -> tuple[str, ...]:
    """What a stored description may name, of the packages that are ``trusted``: of csbsr itself its networks alone."""
    return tuple(part for name in trusted for part in (NETWORKS if name == "csbsr" else (name,)))


def without_downloads(spec: Any) -> Any:
    """The description with every ``pretrained`` set to None: what it fetches or reads, the weights replace anyway."""
    if isinstance(spec, Mapping):
        return {key: None if key == "pretrained" else without_downloads(value) for key, value in spec.items()}
    if isinstance(spec, (list, tuple)):
        return [without_downloads(value) for value in spec]
    return spec
