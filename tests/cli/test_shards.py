"""csbsr-predict shard=i/n and merge=true give what one process gives."""

import csv
import hashlib

import numpy as np
import pytest
from PIL import Image

from csbsr.cli import predict
from csbsr.inspection.sharding import Shard, shard_from, share_of
from tests.cli.inprocess import checkpoint, exit_code

SAME = ["cracks.csv", "cracks.geojson", "density.geojson"]
CELLS = "gsd_mm=10", "cell_m=0.1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("shards")
    weights = checkpoint(root / "w.ckpt")
    checkpoint(root / "other.ckpt", seed=1)
    photos = root / "photos"
    (photos / "north").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png", "c.png", "north/a.png", "north/d.png"):
        image = rng.integers(0, 256, (24, 32, 3 if name != "b.png" else 4), np.uint8)
        Image.fromarray(image).save(photos / name)
    (photos / "broken.png").write_text("no image")
    return root, weights, photos


def run(folder, output, *words):
    _, weights, photos = folder
    return exit_code(predict.main, f"ckpt={weights}", f"input={photos}", f"output={output}", "device=cpu", *words)


def table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return [{**row, "seconds": ""} for row in csv.DictReader(file)]


def test_a_share_hangs_on_the_name_alone():
    number = int(hashlib.sha256(b"north/a.png").hexdigest()[:16], 16) % 7 + 1
    assert share_of("north/a.png", 7) == Shard(number, 7)
    assert [Shard(i, 7).has("north/a.png") for i in range(1, 8)].count(True) == 1


@pytest.mark.parametrize("word", ["0/2", "3/2", "1", "a/b", "1/0", "-1/2"])
def test_other_values_are_refused(word):
    with pytest.raises(ValueError, match="expected i/n with i from 1 to n"):
        shard_from(word)


def test_two_shards_are_one_process(folder, tmp_path, capsys):
    one, two = tmp_path / "one", tmp_path / "two"
    run(folder, one, *CELLS)
    run(folder, two, "shard=1/2", *CELLS)
    assert run(folder, two, "merge=true", *CELLS) == 1
    assert "lacks shard 2/2" in capsys.readouterr().err
    run(folder, two, "shard=2/2", *CELLS)
    assert len(list(two.rglob("*_mask.png"))) == 5
    assert run(folder, two, "merge=true", *CELLS) == predict.SOME_FAILED  # broken.png, as in one process
    for name in SAME:
        assert (one / name).read_bytes() == (two / name).read_bytes()
    assert len((one / "cracks.csv").read_text().splitlines()) > 1
    assert table(one / "summary.csv") == table(two / "summary.csv")
    assert len(table(one / "summary.csv")) == 6
    for mask in one.rglob("*_mask.png"):
        assert mask.read_bytes() == (two / mask.relative_to(one)).read_bytes()
    first = (one / "density.geojson").read_bytes()
    for output in (one, two):  # another side of the cells is no other result
        capsys.readouterr()
        assert run(folder, output, "gsd_mm=10", "cell_m=0.07") == predict.SOME_FAILED
        assert "done     0, skipped 5" in capsys.readouterr().out
    assert (one / "density.geojson").read_bytes() == (two / "density.geojson").read_bytes() != first
    assert table(one / "summary.csv")[0]["cell_m"] == "0.07"
    assert run(folder, two, "merge=true", "shard=1/2", *CELLS) == 1
    assert run(folder, two, "merge=true", "overwrite=true", *CELLS) == 1
    assert "overwrite=true does it again" in capsys.readouterr().err
    (next(two.glob("shard-*-of-2/*_mask.png"))).unlink()
    assert run(folder, two, "merge=true", *CELLS) == 1
    assert "is unfinished, 1 photographs are not done" in capsys.readouterr().err


def test_shards_of_other_weights_are_refused(folder, tmp_path, capsys):
    output = tmp_path / "mixed"
    run(folder, output, "shard=1/2")
    run(folder, output, "shard=2/2", f"ckpt={folder[0] / 'other.ckpt'}")
    assert run(folder, output, "merge=true") == 1
    assert "shard-2-of-2 holds results of other settings (weights" in capsys.readouterr().err
    assert not list(output.glob("*_mask.png"))
