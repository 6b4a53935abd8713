"""Published ImageNet weights for the encoders: downloaded on request only, or read from a file."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

#: Files that torchvision publishes; the digits in the name begin the SHA-256 of the content.
URLS = {
    "resnet34": "https://download.pytorch.org/models/resnet34-b627a593.pth",
    "resnet101": "https://download.pytorch.org/models/resnet101-63fe2227.pth",
    "vgg16": "https://download.pytorch.org/models/vgg16-397923af.pth",
}
#: Entries of published files that belong to the classifier behind the encoder (the last three in HRNet's).
CLASSIFIER = ("fc.", "classifier.", "incre_modules.", "downsamp_modules.", "final_layer.")


def load_pretrained(module: nn.Module, pretrained: str | None, architecture: str) -> None:
    """Load ImageNet weights into an encoder, in place.

    Args:
        module: the encoder; its parameters have the names of the published file, the classifier excepted.
        pretrained: None (does nothing), ``imagenet`` (torchvision's published file, from torch's download folder or, if
            it is not there, from the network, checked against its hash) or the path of a file with a state dict.
        architecture: name of the published network, as in `URLS`; others can be read from a file only.

    Raises:
        ValueError: no file is published for ``architecture``, the file does not exist or cannot be downloaded, it holds
            no state dict, or its entries do not fit ``module``.
    """
    if pretrained is None:
        return
    if pretrained == "imagenet":
        source, weights = _download(architecture)
    else:
        source, weights = str(pretrained), _read(Path(pretrained), architecture)
    weights = {name: tensor for name, tensor in weights.items() if not name.startswith(CLASSIFIER)}
    _check(module, weights, source)
    module.load_state_dict(weights, strict=False)


def _download(architecture: str) -> tuple[str, Mapping[str, Tensor]]:
    if architecture not in URLS:
        raise ValueError(
            f"pretrained: no ImageNet file is published for {architecture} (only for {', '.join(URLS)}); "
            "give the path of a file instead"
        )
    url = URLS[architecture]
    try:
        weights = torch.hub.load_state_dict_from_url(url, map_location="cpu", check_hash=True, weights_only=True)
    except (OSError, RuntimeError) as error:  # no connection (URLError is an OSError), or another hash
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        raise ValueError(
            f"pretrained=imagenet: could not download {url} ({error}); download it elsewhere and put it at "
            f"{folder / url.rpartition('/')[2]}, or give its path as pretrained=<file>"
        ) from error
    return url, weights


def _read(path: Path, architecture: str) -> Mapping[str, Tensor]:
    if not path.is_file():
        choice = f" or imagenet (downloads {URLS[architecture]})" if architecture in URLS else ""
        raise ValueError(f"pretrained: expected null, the path of a file{choice}, got {str(path)!r}, which is no file")
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(
            f"pretrained: {path} cannot be read as weights: {error}; expected a state dict written by torch.save"
        ) from error
    if isinstance(weights, Mapping) and isinstance(weights.get("state_dict"), Mapping):
        weights = weights["state_dict"]
    if not isinstance(weights, Mapping) or not all(isinstance(tensor, Tensor) for tensor in weights.values()):
        raise ValueError(
            f"pretrained: expected a state dict (names to tensors) in {path}, got {type(weights).__name__}"
        )
    return weights


def _check(module: nn.Module, weights: Mapping[str, Tensor], source: str) -> None:
    expected = module.state_dict()
    # older published files lack the counter of BatchNorm, which no computation here reads
    missing = sorted(name for name in expected.keys() - weights.keys() if not name.endswith("num_batches_tracked"))
    unexpected = sorted(weights.keys() - expected.keys())
    shapes = [
        f"{name}: {tuple(expected[name].shape)}, got {tuple(weights[name].shape)}"
        for name in expected.keys() & weights.keys()
        if expected[name].shape != weights[name].shape
    ]
    problems = [
        f"{title} ({len(found)}): {', '.join(found[:5])}{', …' if len(found) > 5 else ''}"
        for title, found in (("missing", missing), ("unexpected", unexpected), ("of another shape", sorted(shapes)))
        if found
    ]
    if problems:
        raise ValueError(
            f"pretrained: {source} does not fit {type(module).__name__}; published weights need width=1 and the "
            f"published depth. {'; '.join(problems)}"
        )
