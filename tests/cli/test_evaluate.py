"""csbsr-eval: what it writes, its run card, its loggers, and which seed decides on the test's blur."""

import csv
import json
import shlex
import subprocess
import sys

import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from csbsr.cli import evaluate
from csbsr.cli.config import literal_paths, unquoted
from csbsr.report.collect import collect
from tests.cli.inprocess import NETWORK, call, checkpoint

DATA = ["data=synthetic", "data.test_images=3", "data.size=[64,64]", "data.cache=none", "data.num_workers=0"]
COMMON = [*DATA, "trainer.accelerator=cpu"]


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("eval")
    weights = checkpoint(folder / "my weights.ckpt", threshold=0.4)
    call(evaluate.main, f"ckpt={weights}", *COMMON, "panels=1", "logger=tensorboard", f"output={folder / 'out'}")
    return folder / "out"


def test_files(evaluated):
    found = {path.name for path in evaluated.iterdir()}
    assert {"metrics.json", "per_image.csv", "curves.csv", "run_card.json", "report.html", "pictures"} <= found
    assert len(list((evaluated / "panels").rglob("*.png"))) == 1
    kept = {path.name for path in (evaluated / "pictures" / "synthetic_00002").iterdir()}
    assert kept == {"lr.png", "sr.webp", "hr.webp", "mask.png", "levels.png", "kernel.png"}  # bicubic estimates none
    assert Image.open(evaluated / "pictures" / "synthetic_00002" / "levels.png").size == (64, 64)
    with (evaluated / "per_image.csv").open() as file:
        assert [row["name"] for row in csv.DictReader(file)] == [f"synthetic_{i:05d}.png" for i in range(3)]
    (one,) = collect([evaluated])
    assert one.system == "Bicubic + PSPNet"
    assert one.threshold == 0.4  # from the checkpoint


def test_cracks_are_measured_and_compared_with_those_of_the_masks(evaluated):
    values = json.loads((evaluated / "metrics.json").read_text())
    assert {"width_bias", "width_ratio", "width_mae", "width_error_90", "length_found", "length_false"} <= set(values)
    with (evaluated / "per_image.csv").open() as file:
        shares = [float(row["length_found"]) for row in csv.DictReader(file) if row["length_found"]]
    assert shares  # some of the images have a crack
    assert min(shares) <= values["length_found"] <= max(shares)
    page = (evaluated / "report.html").read_text()
    assert "crack length found" in page
    assert "nine tenths of the found length" in page


def test_noise_is_told_and_not_measured(tmp_path, capsys):
    weights = checkpoint(tmp_path / "w.ckpt", threshold=0.4)
    call(evaluate.main, f"ckpt={weights}", *COMMON, "panels=0", "max_branches=1", f"output={tmp_path / 'out'}")
    values = json.loads((tmp_path / "out" / "metrics.json").read_text())
    with (tmp_path / "out" / "per_image.csv").open() as file:
        noise = [row["name"] for row in csv.DictReader(file) if float(row["unmeasured"])]
    assert values["unmeasured"] == len(noise) > 0
    told = " ".join(capsys.readouterr().out.split())
    assert f"note {len(noise)} of 3 images are too noisy to be measured ({noise[0]}" in told


def test_robustness_is_a_table_of_the_report(tmp_path):
    weights = checkpoint(tmp_path / "w.ckpt", threshold=0.4)
    small = ["robustness=standard", "robustness.images=2", "robustness.motion=[9]", "robustness.jpeg=[30]"]
    call(evaluate.main, f"ckpt={weights}", *COMMON, "panels=0", *small, f"output={tmp_path / 'out'}")
    with (tmp_path / "out" / "robustness.csv").open(encoding="utf-8") as file:
        rows = {row["factor"]: row for row in csv.DictReader(file)}
    assert next(iter(rows)) == "clean"
    assert {"motion, 9 px", "JPEG, quality 30", "noise, σ 0.03", "defocus, radius 4 px"} <= set(rows)
    assert rows["clean"]["images"] == "2"
    assert float(rows["motion, 9 px"]["psnr"]) < float(rows["clean"]["psnr"])
    assert rows["clean"]["kernel_psnr"] == ""  # bicubic estimates none
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "<h2>Robustness</h2>" in page
    assert "motion, 9 px" in page


def test_the_run_card_says_how_to_repeat_it(evaluated):
    card = json.loads((evaluated / "run_card.json").read_text())
    words = shlex.split(card["command"])
    assert words[0] == "csbsr-eval"
    assert words[1] == f"ckpt={evaluated.parent / 'my weights.ckpt'}"  # as typed, not as Hydra needs it
    assert card["network"] == NETWORK
    assert card["weights"]["sha256"]
    assert card["data"]["images"] == 3
    assert len(card["data"]["fingerprint"]) == 16
    assert (card["data"]["name"], card["data"]["degradation"]) == ("synthetic", "anisotropic")
    assert card["config"]["degradation"]["sigma"] == [0.2, 4.0]


def test_tensorboard_gets_scalars_table_panel_and_configuration(evaluated):
    events = EventAccumulator(str(evaluated / "tensorboard"))
    events.Reload()
    tags = events.Tags()
    values = json.loads((evaluated / "metrics.json").read_text())
    logged = {tag.removeprefix("test/") for tag in tags["scalars"] if tag.startswith("test/")}
    assert logged == set(values)
    assert events.Scalars("test/psnr")[0].value == pytest.approx(values["psnr"], rel=1e-6)
    assert tags["images"] == ["test/panel"]
    (text,) = events.Tensors("test/metrics/text_summary")
    assert b"| psnr |" in text.tensor_proto.string_val[0]
    assert "my weights.ckpt" in (evaluated / "tensorboard" / "hparams.yaml").read_text()


@pytest.mark.slow
def test_wandb_offline(tmp_path):
    weights = checkpoint(tmp_path / "w.ckpt")
    words = [f"ckpt={weights}", *COMMON, "logger=wandb", "logger.wandb.offline=true", f"output={tmp_path / 'o'}"]
    subprocess.run([sys.executable, "-m", "csbsr.cli.evaluate", *words], check=True)  # its end completes the record
    (run,) = (tmp_path / "o" / "wandb").glob("offline-run-*")
    record = next(run.glob("*.wandb")).read_bytes()
    for expected in (b"test/iou_max", b"recommended_threshold", b"csbsr.sr.Bicubic"):
        assert expected in record
    assert list(run.rglob("media/images/test/panel*.png"))
    (table,) = run.rglob("media/table/test/metrics*.table.json")
    assert json.loads(table.read_text())["columns"] == ["metric", "value", "definition"]


def test_the_seed_of_the_test_is_the_evaluation_s(tmp_path):
    blurs = []
    for name, trained, words in (("a", 0, []), ("b", 7, []), ("c", 7, ["seed=1"])):
        weights = checkpoint(tmp_path / f"{name}.ckpt", seed=trained)
        call(evaluate.main, f"ckpt={weights}", *COMMON, *words, "metrics=fast", f"output={tmp_path / name}")
        with (tmp_path / name / "per_image.csv").open() as file:
            blurs.append([row["sigma_1"] for row in csv.DictReader(file)])
    assert blurs[0] == blurs[1]  # systems trained with several seeds see the same test images
    assert blurs[0] != blurs[2]


def test_words_as_typed():
    typed = ["ckpt=/a b,c/it's [x].ckpt", "seed=1", "data.root=/ü", "name='x y'", "output=/end\\"]
    assert unquoted(literal_paths(typed)) == typed
