"""Groups of csbsr-train that do not go together, told by their words before anything is built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from omegaconf import DictConfig

from csbsr.build import arguments_of
from csbsr.cli.config import value_of

_PARTS = ("sr", "segmentor")
_WEIGHTS = ("crack_weight", "fail_weight")  # of a loss


def check_combination(config: DictConfig, choices: Mapping[str, str]) -> None:
    """Raise ValueError where one group asks for what another does not have.

    Args:
        config: composed.
        choices: the option of each group.
    """
    paths, loss, model = (choices.get(group) for group in ("extra_paths", "loss", "model"))
    if loss == "dsrl" and model != "dsrl":
        raise ValueError(
            f"loss: dsrl compares features that model=dsrl alone has, got model={model}; take both, or another loss="
        )
    for key in _WEIGHTS:
        if config.loss.get(key) is not None and not _takes(config.loss, key):
            raise ValueError(
                f"extra_paths: {paths} sets loss.{key}, which loss={loss} does not have; take another loss="
            )
    if config.segmentor.get("blur_skip") is None:
        return
    if "segmentor" not in config.model:
        raise ValueError(f"extra_paths: {paths} leads into a segmentor, and model={model} has none; leave it out")
    if not _takes(config.segmentor, "blur_skip"):
        raise ValueError(
            f"extra_paths: {paths} leads into segmentor=pspnet alone, got segmentor={choices.get('segmentor')}; take "
            "that one, or leave extra_paths= out"
        )


def unread(config: DictConfig, words: Sequence[str]) -> list[str]:
    """The words that choose parts of a serial system, where ``model`` is another one and reads none of them."""
    return [f"{part}={value_of(words, part)}" for part in _PARTS if part not in config.model and value_of(words, part)]


def _takes(node: DictConfig, key: str) -> bool:
    taken = arguments_of(node["_target_"])
    return taken is None or key in taken
