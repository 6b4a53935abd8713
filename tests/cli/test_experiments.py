"""Every published row as a configuration: composes, trains, evaluates (shrunken), and means what the paper means."""

import csv
import json
import re
from functools import cache

import pytest
import torch
from hydra import compose, initialize_config_dir

from csbsr.cli import evaluate, train
from csbsr.cli.build import plain
from csbsr.cli.config import config_folder
from csbsr.joint import build
from csbsr.report.published import PUBLISHED
from tests.cli.inprocess import call
from tests.data.helpers import write_pairs

EXPERIMENTS = sorted(path.stem for path in (config_folder() / "experiment").glob("*.yaml"))
FINE_TUNING = "csbsr_fail_weight_blur_skip"
TINY = [
    "width.sr=0.0625", "width.segmentor=0.0625", "stages=2", "data.crop=32", "data.batch_size=2", "data.num_workers=0",
    "trainer.accelerator=cpu", "trainer.log_every_n_steps=1", "optimizer.lr=1e-3", "callbacks.progress=null",
    "+trainer.enable_progress_bar=false", "callbacks.panels=null",
]  # fmt: skip
#: Depths, by the part that has them.
SHALLOW = {
    "kbpn": ["sr.sft_hidden=8"],
    "srcnet": ["sr.groups=1", "sr.blocks=1"],
    "pspnet": ["segmentor.blocks=[1,1,1,1]"],
    "hrnet_ocr": ["segmentor.modules=[1,1,1]", "segmentor.blocks=1"],
    "dsrl": ["model.blocks=[1,1,1]"],
}


@cache
def composed(*words):
    """The configuration of a command line, and the option chosen in each group."""
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        config = compose("train", overrides=list(words), return_hydra_config=True)
    return config, config.hydra.runtime.choices


def shrunken(experiment):
    """Words that make an experiment small, with one step in every phase, and the number of phases."""
    config, choices = composed(f"experiment={experiment}")
    parts = {choices["model"]} if choices["model"] == "dsrl" else {choices["sr"], choices["segmentor"]}
    phases = list(config.phases.phases)
    words = [f"experiment={experiment}", *TINY, *(word for part in sorted(parts) for word in SHALLOW.get(part, []))]
    return [*words, *(f"++phases.phases.{name}.steps=1" for name in phases[:-1])], len(phases)


def weights(folder):
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)


def learning(folder):
    """Names of the parameters that the optimiser has moved."""
    checkpoint = weights(folder)
    (optimizer,) = checkpoint["optimizer_states"]
    network = build(checkpoint["csbsr"]["network"])
    names = [name for name, _ in network.named_parameters()]
    return {names[index] for index, state in optimizer["state"].items() if bool(state["exp_avg"].any())}


def curves(folder):
    with (folder / "metrics.csv").open() as file:
        return [row for row in csv.DictReader(file) if row["train/loss"]]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A data set in khanhha's layout: JPEG photographs and JPEG masks."""
    folder = tmp_path_factory.mktemp("khanhha")
    write_pairs(folder, "train", [f"CFD_{i:03d}" for i in range(7)], (40, 48), mask_suffix=".jpg")
    return write_pairs(folder, "test", ["Volker_001"], (40, 48), mask_suffix=".jpg")


@pytest.fixture(scope="module")
def fail_weight(root, tmp_path_factory):
    """A trained csbsr_fail_weight, from which the fine-tuning starts."""
    folder = tmp_path_factory.mktemp("fail_weight") / "run"
    words, steps = shrunken("csbsr_fail_weight")
    call(train.main, *words, f"steps={steps}", f"data.root={root}", f"output={folder}")
    return folder


@pytest.mark.parametrize(
    ("experiment", "more"),
    [*((name, ()) for name in EXPERIMENTS), ("dsrl", ("model.variant=dsrl_x4",))],
    ids=[*EXPERIMENTS, "dsrl_x4"],
)
def test_trains_through_its_phases_and_evaluates(experiment, more, root, fail_weight, tmp_path, capsys):
    words, phases = shrunken(experiment)
    if experiment == FINE_TUNING:
        more = (*more, f"init={fail_weight / 'checkpoints' / 'last.ckpt'}")
    run = tmp_path / "run"
    call(train.main, *words, *more, f"steps={phases + 1}", f"data.root={root}", f"output={run}")
    rows = curves(run)
    assert [float(row["train/phase"]) for row in rows] == [*range(phases), phases - 1]
    assert all(0 < float(row["train/loss"]) < 100 for row in rows)
    assert float(rows[-1]["train/segmentation"]) > 0
    call(
        evaluate.main, f"ckpt={run / 'checkpoints' / 'last.ckpt'}", "trainer.accelerator=cpu", "metrics=released",
        "panels=0", f"output={tmp_path / 'evaluation'}",
    )  # fmt: skip
    values = json.loads((tmp_path / "evaluation" / "metrics.json").read_text())  # NaN would be no JSON for others
    config, choices = composed(*words, *more)
    blind = choices["model"] == "serial" and choices["sr"] == "kbpn"
    assert values["images"] == 1
    assert 0 <= values["aiu"] <= values["iou_max"] <= 1
    assert (values["kernel_psnr"] is not None) == blind
    assert (values["psnr"] is None) == (experiment == "hr_upper_bound")  # equal images: infinite
    assert (", beta" in capsys.readouterr().out) == ("beta" in config.loss)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_quick_recipe_leaves_an_experiment_what_it_is(experiment):
    own, (config, choices) = (
        composed(f"experiment={experiment}")[1],
        composed(f"experiment={experiment}", "recipe=quick"),
    )
    assert choices["phases"] == ("quick" if own["phases"] == "paper" else own["phases"])
    schedule = build(plain(config.phases))
    assert schedule.total_steps == config.steps == 2400
    assert schedule.phases[-1].segments
    assert schedule.joint_start <= config.steps * 0.55
    assert len(schedule.phases) == len(config.phases.phases)


def test_shares_of_the_published_schedule():
    starts = {}
    for experiment in EXPERIMENTS:
        config, choices = composed(f"experiment={experiment}")
        assert config.steps == 700_000
        starts[choices["phases"]] = build(plain(config.phases)).joint_start
    assert starts == {"paper": 30_000, "sr_first": 30_000, "independent": 370_000, "joint": 0, "blur_skip": 0}


def test_published_numbers_stand_in_the_files():
    rows = []
    for experiment in EXPERIMENTS:
        text = (config_folder() / "experiment" / f"{experiment}.yaml").read_text()
        line = re.search(r"^# Published.*?: (.*)$", text, re.M)
        if line:
            rows.append(tuple(float(number) for number in re.findall(r"\d*\.\d+", line.group(1))))
    assert sorted(rows) == sorted(tuple(row.values()) for row in PUBLISHED.values())


def test_betas_as_published():
    betas = {name: composed(f"experiment={name}")[0].loss.get("beta") for name in EXPERIMENTS}
    assert betas == {
        "csbsr_pspnet": 0.3, "csbsr_hrnet_ocr": 0.9, "csbsr_crackformer": 0.9, "csbsr_unet": 0.3, "cssr_pspnet": 0.7,
        "csbsr_fail_weight": 0.3, FINE_TUNING: 0.3, "bicubic_pspnet": 1.0, "hr_upper_bound": 1.0,
        "independent_kbpn_pspnet": 1.0, "srcnet_segnet": 0.3, "dsrl": None,
    }  # fmt: skip


def test_fine_tuning_changes_the_blur_skip_alone(root, fail_weight, tmp_path):
    words, _ = shrunken(FINE_TUNING)
    init = fail_weight / "checkpoints" / "last.ckpt"
    call(train.main, *words, "steps=2", f"init={init}", f"data.root={root}", f"output={tmp_path / 'run'}")
    old, new = weights(fail_weight)["state_dict"], weights(tmp_path / "run")["state_dict"]
    prefix = "network.segmentor.blur_skip."
    assert {name for name in new if name not in old} == {name for name in new if name.startswith(prefix)}
    assert [name for name, value in old.items() if not torch.equal(value, new[name])] == []  # statistics included
    parameters = {f"network.{name}" for name in learning(tmp_path / "run")}
    assert parameters == {
        name for name in new if name.startswith(prefix) and "running" not in name and "num_b" not in name
    }
    assert new[prefix + "norm1.num_batches_tracked"] == 2  # its own statistics do follow


def test_trained_apart_means_apart(root, tmp_path):
    words, phases = shrunken("independent_kbpn_pspnet")
    words += [f"data.root={root}", f"steps={phases}"]
    call(train.main, *words, "trainer.max_steps=3", f"output={tmp_path / 'run'}")
    first = weights(tmp_path / "run")["state_dict"]
    assert all(value == 0 for name, value in first.items() if name.endswith("num_batches_tracked"))
    assert learning(tmp_path / "run") == {name.removeprefix("network.") for name in first if ".sr." in name}
    call(train.main, f"ckpt={tmp_path / 'run' / 'checkpoints' / 'last.ckpt'}", f"trainer.max_steps={phases}")
    second = weights(tmp_path / "run")["state_dict"]
    assert weights(tmp_path / "run")["global_step"] == phases
    assert all(torch.equal(value, second[name]) for name, value in first.items() if ".sr." in name)
    assert not torch.equal(first["network.segmentor.head.weight"], second["network.segmentor.head.weight"])
    last = curves(tmp_path / "run")[-1]
    assert float(last["train/loss"]) == pytest.approx(float(last["train/segmentation"]), rel=1e-6)  # beta is 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sr=bicubic", "phases=paper"], r"'sr_without_kernel_predictors', but Bicubic \+ PSPNet .* phases=joint"),
        (["sr=dbpn", "phases=paper"], r"'kernel_predictors', but DBPN \+ PSPNet has no parameters .* phases=sr_first"),
        (
            ["extra_paths=blur_skip", "phases=blur_skip"],
            r"parameters that nothing has trained \(sr\..*init=<checkpoint>",
        ),
        (["phases=blur_skip"], r"'blur_skip', but KBPN \+ PSPNet has no parameters"),
        (["experiment=dsrl", "phases=paper"], r"'sr_without_kernel_predictors', but DSRL has no parameters"),
        (["experiment=dsrl", "scale=2"], r"scale: DSRL works at scale 4, got 2"),
        (["sr=dbpn", "extra_paths=blur_skip"], r"needs a blur kernel, but DBPN estimates none"),
        (["sr=none"], r"set scale=1"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_anything_is_written(words, message, root, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        call(train.main, *TINY, *words, f"data.root={root}", "data=folder", f"output={tmp_path / 'run'}")
    assert stop.value.code == 1
    error = capsys.readouterr().err
    assert re.search(message, error, re.S), error
    assert not (tmp_path / "run").exists()
