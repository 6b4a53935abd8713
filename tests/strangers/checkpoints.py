"""Checkpoints that a stranger might send, and what the commands must say of them.

Each case is a function from a path to write to; `CASES` holds them with the message expected.
"""

import copy
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch

from csbsr.build import build
from csbsr.weights.checkpoint import CARD_KEY
from tests.cli.inprocess import NETWORK

#: What a run that goes on needs beside weights and card.
RUN = {
    "epoch": 0, "global_step": 2, "pytorch-lightning_version": "2.6.6", "loops": {}, "callbacks": {},
    "optimizer_states": [{"state": {}, "param_groups": []}], "lr_schedulers": [],
}  # fmt: skip
OVERRIDES = ["sr=bicubic", "width.segmentor=0.0625", "steps=2"]


class Case(NamedTuple):
    name: str
    make: Callable[[Path], Any]
    message: str
    run: bool = False  #: only a run that goes on reads it


def sound(**changes: Any) -> dict[str, Any]:
    """A checkpoint as csbsr-train writes it; ``changes`` replace entries of its card."""
    torch.manual_seed(0)
    state = {f"network.{name}": value for name, value in build(NETWORK).state_dict().items()}
    card = {
        "format": 1, "version": "0.2.0", "network": copy.deepcopy(NETWORK), "scale": 4, "seed": 0,
        "config": {}, "overrides": list(OVERRIDES), "choices": {"data": "synthetic"}, "recommended_threshold": 0.5,
    }  # fmt: skip
    return {**RUN, "state_dict": state, CARD_KEY: card | changes}


def forged(path: Path, data: bytes, storages: dict[str, bytes] | None = None, compression: int = zipfile.ZIP_STORED):
    """An archive as torch writes it, with another pickle in it."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/byteorder", "little")
        archive.writestr("archive/version", "3\n")
        for key, content in (storages or {}).items():
            archive.writestr(f"archive/data/{key}", content)


def saved(value: Any) -> Callable[[Path], Any]:
    return lambda path: torch.save(value() if callable(value) else value, path)


def card(**changes: Any) -> Callable[[Path], Any]:
    """A sound checkpoint but for some entries of its card."""
    return saved(lambda: sound(**changes))


def entry(**changes: Any) -> Callable[[Path], Any]:
    """A sound checkpoint but for some of its entries; None takes one out."""
    return saved(lambda: {key: value for key, value in {**sound(), **changes}.items() if value is not None})


def network(**changes: Any) -> Callable[[Path], Any]:
    """A card whose network has other arguments: ``sr__width=500`` for those of a part."""
    spec = copy.deepcopy(NETWORK)
    for key, value in changes.items():
        part, _, name = key.rpartition("__")
        (spec[part] if part else spec)[name] = value
    return card(network=spec)


def target(name: Any) -> Callable[[Path], Any]:
    return card(network={"_target_": name, "path": "victim.txt", "width": 1, "height": 1})


def state(change: Callable[[dict[str, torch.Tensor]], Any]) -> Callable[[Path], Any]:
    """A sound checkpoint but for its weights."""

    def value() -> dict[str, Any]:
        checkpoint = sound()
        changed = change(checkpoint["state_dict"])
        return {**checkpoint, "state_dict": checkpoint["state_dict"] if changed is None else changed}

    return saved(value)


def largest(weights: dict[str, torch.Tensor]) -> str:
    return max(weights, key=lambda name: weights[name].numel())


def reduced(name: bytes, argument: bytes) -> bytes:
    """A pickle that calls ``name`` ("module attribute") with one argument."""
    module, attribute = name.split()
    return b"\x80\x02c" + module + b"\n" + attribute + b"\n" + argument + b"\x85R."


def nested(depth: int) -> bytes:
    return b"\x80\x02" + b"]" * depth + b"a" * (depth - 1) + b"."


def doubled(times: int) -> Any:
    value: Any = [1]
    for _ in range(times):
        value = [value, value]
    return value


def deep(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = {"a": value}
    return value


def truncated(path: Path) -> None:
    torch.save(sound(), path)
    path.write_bytes(path.read_bytes()[:-3000])


def overlapping(path: Path) -> None:
    """One entry, listed a thousand times."""
    torch.save({"a": torch.zeros(5000)}, path)
    data = path.read_bytes()
    end = data.rindex(b"PK\x05\x06")
    count, _, size, start = struct.unpack("<HHII", data[end + 8 : end + 20])
    directory = data[start : start + size]
    head = data[end : end + 8] + struct.pack("<HHII", count * 100, count * 100, size * 100, start) + b"\0\0"
    path.write_bytes(data[:start] + directory * 100 + head)


def legacy(path: Path, contents: bytes = b"") -> None:
    """The format before torch 1.6: pickles one after another."""
    head = b"".join(pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
    path.write_bytes(head + (contents or reduced(b"posix system", b"X\x08\x00\x00\x00touch ran")))


def legacy_claim(path: Path) -> None:
    """Ten storages of four gigabytes each, none of them in the file."""
    store = b"(" + b"".join(
        b"X\x01\x00\x00\x00%d(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x00%dX\x03\x00\x00\x00cpu"
        b"J\x00\x00\x00\x40Nt" % (i, i) + b"Q"
        for i in range(10)
    )
    legacy(path, b"\x80\x02}" + store + b"u." + pickle.dumps([str(i) for i in range(10)], 2))


def pipe(path: Path) -> None:
    os.mkfifo(path)


CASES = [
    # no checkpoint at all
    Case("empty", lambda path: path.write_bytes(b""), "is empty"),
    Case("text", lambda path: path.write_text("not a checkpoint"), "cannot be read as a checkpoint"),
    Case("page", lambda path: path.write_text("<!DOCTYPE html><html></html>"), "cannot be read as a checkpoint"),
    Case("zeros", lambda path: path.write_bytes(b"\0" * 10_000), "cannot be read as a checkpoint"),
    Case("pipe", pipe, "found a pipe; expected a file"),
    Case("device", lambda path: path.symlink_to("/dev/zero"), "found a link to a device"),
    Case("nothing", lambda path: path.symlink_to("nowhere"), "no file "),
    Case("an archive of others",
         lambda path: zipfile.ZipFile(path, "w").writestr("a", "b"), "archive without weights|damaged"),
    Case("truncated", truncated, "damaged|does? not match"),
    # what torch reads, but is none
    Case("mapping of nothing", saved({}), "no released system|no checkpoint"),
    Case("list", saved([1, 2]), r"holds a list; expected a checkpoint"),
    Case("number", saved(3), r"holds a whole number \(3\)"),
    Case("tensor", saved(torch.zeros(3)), "holds a Tensor"),
    Case("deep", lambda path: forged(path, nested(100_000)), "deeper ones, than a checkpoint has"),
    Case("endless", saved(lambda: {"a": doubled(40)}), "more values, or deeper ones"),
    # code, and memory, asked for by the pickle
    Case("os.system",
         lambda path: forged(path, reduced(b"posix system", b"X\x09\x00\x00\x00touch ran")), r"names posix\.system"),
    Case("eval",
         lambda path: forged(path, reduced(b"builtins eval", b"X\x03\x00\x00\x001+1")), r"names builtins\.eval"),
    Case("bytearray",
         lambda path: forged(path, reduced(b"builtins bytearray", b"\x8a\x05\x00\x00\x00\x00\x03")),
         r"names builtins\.bytearray"),
    Case("count", lambda path: forged(path, reduced(b"collections Counter", b"]")), r"names collections\.Counter"),
    Case("large tensor",
         lambda path: forged(path, reduced(b"torch Tensor", b"J\xff\xff\xff\x7f")), r"names torch\.Tensor"),
    Case("stacked name",
         lambda path: forged(path, b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x94\x93."), "names STACK_GLOBAL"),
    Case("old format, os.system", legacy, r"names posix\.system"),
    Case("old format, storages", legacy_claim, "cannot be read as a checkpoint|no released system"),
    Case("no end", lambda path: forged(path, b"\x80\x02]"), "damaged"),
    # an archive that is larger inside
    Case("packed",
         lambda path: forged(path, b"\x80\x02}.", {"0": bytes(50 << 20)}, zipfile.ZIP_DEFLATED), "packed or encrypted"),
    Case("overlapping", overlapping, "more bytes than it has|damaged"),
    # tensors
    Case("stretched",
         state(lambda w: {**w, largest(w): torch.zeros(1).expand(9999, 9999)}),
         "has 99980001 values, but the file holds 1"),
    Case("stretched momentum",
         entry(optimizer_states=[{"state": {0: {"a": torch.zeros(1).expand(10**5, 10**5)}}, "param_groups": []}]),
         "the file holds 1"),
    Case("sparse",
         state(lambda w: {**w, "network.x": torch.sparse_coo_tensor(size=(10**6, 10**6))}),
         r"names torch\._utils|no plain one"),
    Case("on no device",
         state(lambda w: {**w, "network.x": torch.empty(10**6, 10**6, device="meta")}),
         r"names torch\._utils|no plain one"),
    Case("no weights", entry(state_dict=None), r"expected state_dict \(a mapping\), found none"),
    Case("weights in a list", entry(state_dict=[1]), r"state_dict: expected a mapping, got a list"),
    Case("weights that are numbers", entry(state_dict={"network.a": 1}), r"state_dict\.network\.a: expected a tensor"),
    Case("weights missing",
         state(lambda w: {name: value for name, value in w.items() if name != largest(w)}), "do not fit .*1 missing"),
    Case("weights left over", state(lambda w: {**w, "network.x": torch.zeros(1)}), "do not fit .*1 left over"),
    Case("weights of another shape",
         state(lambda w: {**w, largest(w): torch.zeros(3)}), "do not fit .*1 of another shape"),
    Case("no weights at all", entry(state_dict={}), "do not fit|far larger"),
    # the card
    Case("card is a list", entry(csbsr=[1]), "its card is a list"),
    Case("card is text", entry(csbsr="x" * 10), "its card is text"),
    Case("card is empty", entry(csbsr={}), r"expected network \(a mapping\), found none"),
    Case("card is deep", card(config=deep(40)), "deeper ones|nested more than 32 deep"),
    Case("card without end", card(config={"a": doubled(20)}), "more values, or deeper ones"),
    Case("a long text", card(version="x" * 200_000), "a text of 200000 characters"),
    Case("a long number", card(seed=10**4000), "cannot be read as a checkpoint|a number of 13288 bits at seed"),
    Case("newer",
         card(format=99, version="9\x1b[31m"), r"format 99, written by csbsr 9\\x1b\[31m; .*install a newer one"),
    Case("format in words", card(format="one"), "format: expected a whole number"),
    Case("scale in words", card(scale="four"), r"scale: expected a whole number, got text \(four\)"),
    Case("scale 0", card(scale=0), "scale: expected 1 to 16, got 0"),
    Case("scale true", card(scale=True), "scale: expected a whole number, got true or false"),
    Case("seed is a list", card(seed=[1]), "seed: expected a whole number, got a list"),
    Case("threshold in words",
         card(recommended_threshold="half"), "recommended_threshold: expected a number from 0 to 1"),
    Case("threshold NaN",
         card(recommended_threshold=float("nan")), "recommended_threshold: expected a number from 0 to 1"),
    Case("threshold 7", card(recommended_threshold=7), "recommended_threshold: expected a number from 0 to 1"),
    Case("overrides is text", card(overrides="logger=wandb"), "overrides: expected a list of texts"),
    Case("overrides of numbers", card(overrides=[1, 2]), "overrides: expected a list of texts"),
    Case("choices of lists", card(choices={"data\x1b[2J": {"a": 1}}), r"choices\.data\\x1b\[2J: expected text"),
    Case("config is a list", card(config=[1]), "config: expected a mapping"),
    # the network that it describes
    Case("network is a list", card(network=[1]), "network: expected a mapping, got a list"),
    Case("network without a class", card(network={"sr": 1}), r"expected _target_ \(text\), found none"),
    Case("class is a number", target(5), "_target_: expected text"),
    Case("class of others", target("os.system"), "_target_ 'os.system' lies outside"),
    Case("class that writes", target("csbsr.inspection.png.PngWriter"), "PngWriter' lies outside"),
    Case("class that reads", target("csbsr.data.folder.FolderPairs"), "FolderPairs' lies outside"),
    Case("build itself", target("csbsr.build.build"), "lies outside"),
    Case("a module's import", target("csbsr.segmentor.pretrained.Path"), "is no part of a system"),
    Case("a function", target("csbsr.segmentor.pretrained.load_pretrained"), "is no part of a system"),
    Case("no such class", target("csbsr.sr.Nothing"), "cannot be imported"),
    Case("an odd name", target("csbsr.sr..\x1b[31m"), "cannot be imported|lies outside"),
    Case("a part of a network", target("csbsr.sr.NoSR"), "NoSR"),
    Case("parts exchanged",
         network(sr={"_target_": "csbsr.segmentor.UNet", "width": 0.0625}), "cannot be built|with a scale"),
    Case("a part is a number", network(sr=4), "cannot be built|with a scale"),
    Case("unknown argument", network(sr__colour=3), "colour"),
    Case("width 500", network(segmentor__width=500), "far larger than the .* MB of weights it holds"),
    Case("width in words", network(segmentor__width="wide"), r"^ckpt: .*PSPNet: '>' not supported"),
    Case("width NaN", network(segmentor__width=float("nan")), "expected a number up to 65536"),
    Case("width below 0", network(segmentor__width=-1), "width: expected a positive fraction"),
    Case("many blocks", network(segmentor__blocks=[10**9] * 4), r"segmentor\.blocks: expected a number up to 65536"),
    Case("60 000 blocks", network(segmentor__blocks=[60_000] * 4), "far larger than the"),
    Case("endless blocks",
         network(segmentor__blocks=doubled(30)), "more values, or deeper|more than .* values|nested more"),
    Case("a deep network",
         card(network={"_target_": "csbsr.joint.JointNetwork", "sr": deep(17)}), "nested more than 16 deep"),
    Case("scale 1000000", network(sr__scale=10**6), r"sr\.scale: expected a number up to 16"),
    Case("scale -4", network(sr__scale=-4), "scale|do not fit"),
    Case("normalisation", network(normalization="\x1b[31m"), "normalization: expected one of"),
    # a run that goes on
    Case("another step", entry(global_step="two"), "global_step: expected a whole number", True),
    Case("steps below 0", entry(global_step=-1), "global_step: expected a number from 0"),
    Case("no epoch", entry(epoch=None), r"expected epoch \(a whole number\), found none", True),
    Case("loops is a list", entry(loops=[1]), "loops: expected a mapping", True),
    Case("optimizers is text", entry(optimizer_states="x"), "optimizer_states: expected a list", True),
    Case("optimizers of numbers", entry(optimizer_states=[1]), "optimizer_states: expected mappings", True),
    Case("no overrides",
         saved(lambda: {**sound(), CARD_KEY: {"network": NETWORK}}), "was not written by csbsr-train", True),
    Case("words of code",
         card(overrides=["logger=../../evil"]), r"trained with logger=\.\./\.\./evil; .*repeat these words", True),
    Case("words of paths",
         card(overrides=["callbacks.best.dirpath=/home/x", "steps=2"]),
         r"trained with callbacks\.best\.dirpath=/home/x;", True),
    Case("words of hosts", card(overrides=["logger=wandb"]), "trained with logger=wandb; ", True),
    Case("words of the machine", card(overrides=["data.root=${oc.env:SECRET}"]), "trained with 'data.root=", True),
]  # fmt: skip

assert len({case.name for case in CASES}) == len(CASES)
