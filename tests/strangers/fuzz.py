"""Mutated checkpoints and summaries for as long as one likes: only refusals, no other error, no hang, bounded memory.

    python -m tests.strangers.fuzz <folder> -max_total_time=600 -rss_limit_mb=2048 -timeout=30

needs ``pip install atheris``; the folder takes the seeds and what the fuzzer finds interesting.  The first byte of an
input says what the others are: a file, a pickle inside a sound archive, a card inside a sound checkpoint, a summary.
"""

import json
import pickle
import sys
import tempfile
from pathlib import Path

import atheris
import torch

with atheris.instrument_imports(include=["csbsr", "zipfile", "pickletools", "torch._weights_only_unpickler"]):
    import csbsr
    from csbsr.weights import checkpoint as weights
    from csbsr.weights.stored import stored_settings

from csbsr.cli.replay import may_be_said_again
from csbsr.inspection.store import read_summary
from tests.strangers.checkpoints import CASES, forged, sound

FILE, PICKLE, CARD, SUMMARY, WORD = range(5)
_SOUND = sound()
_FOLDER = Path(tempfile.mkdtemp(prefix="fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))


def one(data: bytes) -> None:
    """One input; what is no refusal goes on to the fuzzer."""
    if not data:
        return
    kind, rest = data[0] % 5, data[1:]
    try:
        KINDS[kind](rest)
    except (ValueError, FileNotFoundError) as error:  # JSON and UTF-8 errors of the harness itself are ValueErrors too
        text = str(error)
        assert len(text) < 5000, "a very long message"


def a_file(data: bytes) -> None:
    path = _FOLDER / "a.ckpt"
    path.write_bytes(data)
    csbsr.load(path)


def a_pickle(data: bytes) -> None:
    path = _FOLDER / "a.ckpt"
    forged(path, data, {"0": bytes(64)})
    csbsr.load(path)


def a_card(data: bytes) -> None:
    card = json.loads(data)
    name = "ckpt: a"
    weights.check_card(card, name)
    stored_settings(card.get("config", {}), ("data", "degradation"), name)
    state = weights.network_weights(_SOUND)
    network = weights.rebuilt(card["network"], state, ("csbsr",), name)
    weights.fill(network, state, name)


def a_summary(data: bytes) -> None:
    (_FOLDER / "summary.json").write_bytes(data)
    read_summary(_FOLDER)


def a_word(data: bytes) -> None:
    may_be_said_again(data.decode("utf-8", "replace"))


KINDS = (a_file, a_pickle, a_card, a_summary, a_word)


def write_seeds(folder: Path) -> None:
    """Sound and hostile inputs of every kind."""
    folder.mkdir(parents=True, exist_ok=True)
    small = {"state_dict": {"network.a": torch.zeros(3)}, "csbsr": {"network": {"_target_": "csbsr.sr.NoSR"}}}
    torch.save(small, folder / "seed")
    seeds = [(FILE, (folder / "seed").read_bytes())]
    (folder / "seed").unlink()
    seeds += [(PICKLE, pickle.dumps(small["csbsr"], 2)), (PICKLE, pickle.dumps([{"csbsr": small["csbsr"]}] * 3, 2))]
    card = _SOUND["csbsr"] | {
        "config": {"data": {"degradation": "${degradation}", "crop": 96}, "degradation": {"a": 1}}
    }
    seeds += [(CARD, json.dumps(card).encode()), (WORD, b"logger=csv"), (WORD, b"data.size=[1,2]")]
    record = {
        "file": "a/b.jpg", "status": "done", "width": 4, "height": 3, "result_width": 16, "result_height": 12,
        "threshold": 0.5, "results": {"mask": "a/b_mask.png"}, "settings": {"tile": 768},
        "source": {"path": "/a/b.jpg"},
    }  # fmt: skip
    seeds.append((SUMMARY, json.dumps({"format": 1, "photographs": [record, record]}).encode()))
    for case in CASES:
        path = _FOLDER / "seed"
        path.unlink(missing_ok=True)
        case.make(path)
        if path.is_file() and path.stat().st_size < 5000 and not path.is_symlink():
            seeds.append((FILE, path.read_bytes()))
    for number, (kind, data) in enumerate(seeds):
        (folder / f"seed-{number}").write_bytes(bytes([kind]) + data)


if __name__ == "__main__":
    write_seeds(Path(next(argument for argument in sys.argv[1:] if not argument.startswith("-"))))
    atheris.Setup([sys.argv[0], *sys.argv[1:]], one)
    atheris.Fuzz()
