"""Networks from outside csbsr: trained, evaluated and continued only where their package is trusted."""

import json
import sys

import pytest
import torch

from csbsr.cli import evaluate, train
from tests.cli.inprocess import call
from tests.strangers.checkpoints import sound

WORDS = [
    "segmentor=custom", "sr=bicubic", "phases=joint", "data.train_images=7", "data.test_images=1", "data.size=[40,48]",
    "data.cache=none", "data.crop=32", "data.batch_size=2", "data.num_workers=0", "trainer.accelerator=cpu",
    "callbacks.progress=null", "callbacks.panels=null", "+trainer.enable_progress_bar=false",
]  # fmt: skip
MONAI = {
    "BasicUNet": ["+segmentor.network.features=[8,8,8,8,8,8]"],
    "SegResNet": ["+segmentor.network.init_filters=8", "segmentor.size_multiple=8", "segmentor.minimum_size=1"],
}
OWN = """
from torch import nn

class Mine(nn.Sequential):
    def __init__(self, channels):
        super().__init__(nn.Conv2d(3, channels, 5, padding=2), nn.ReLU(), nn.Conv2d(channels, 1, 1))
"""


@pytest.mark.parametrize("name", MONAI)
def test_monai_networks_train_and_evaluate(name, tmp_path, capsys):
    trusted = "trusted=[csbsr,monai]"
    network = [f"segmentor.network._target_=monai.networks.nets.{name}", *MONAI[name]]
    call(train.main, *WORDS, *network, trusted, "steps=2", f"output={tmp_path / 'run'}")
    ckpt = tmp_path / "run" / "checkpoints" / "last.ckpt"
    assert torch.load(ckpt, weights_only=True)["global_step"] == 2
    assert f"Bicubic + {name}, ×4" in capsys.readouterr().out
    common = [
        f"ckpt={ckpt}",
        "trainer.accelerator=cpu",
        "metrics=fast",
        "panels=0",
        f"output={tmp_path / 'evaluation'}",
    ]
    with pytest.raises(SystemExit):
        call(evaluate.main, *common)
    assert "trusted=[csbsr,monai]" in capsys.readouterr().err
    assert not (tmp_path / "evaluation").exists()
    call(evaluate.main, *common, trusted)
    assert json.loads((tmp_path / "evaluation" / "metrics.json").read_text())["images"] == 1


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A run with a class of one's own from a file on PYTHONPATH."""
    (tmp_path / "my_net.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    words = [
        "segmentor.network._target_=my_net.Mine", "trusted=[csbsr,my_net]", "+segmentor.network.channels=4",
        "~segmentor.network.spatial_dims", "~segmentor.network.in_channels", "~segmentor.network.out_channels",
    ]  # fmt: skip
    call(train.main, *WORDS, *words, "steps=2", "trainer.max_steps=1", f"output={tmp_path / 'run'}")
    yield words, tmp_path / "run" / "checkpoints" / "last.ckpt"
    sys.modules.pop("my_net")


def test_a_class_of_one_s_own_trains_continues_and_starts_another(own, tmp_path):
    words, ckpt = own
    with pytest.raises(SystemExit, match=r"trained with segmentor\.network\._target_=my_net\.Mine 'trusted=.*repeat"):
        call(train.main, f"ckpt={ckpt}", "trainer.max_steps=2")
    call(train.main, f"ckpt={ckpt}", *words[:2], "trainer.max_steps=2")
    assert torch.load(ckpt, weights_only=True)["global_step"] == 2
    call(train.main, *WORDS, *words, "steps=1", f"init={ckpt}", f"output={tmp_path / 'next'}")


@pytest.mark.parametrize(
    "word",
    [
        "+callbacks.x={_target_:os.mkdir,path:PATH}", "trainer._target_=os.mkdir", "trusted=[os]",
        "callbacks.x=${oc.decode:y}", "hydra.searchpath=[PATH]", "--config-dir=PATH",
    ],
)  # fmt: skip
def test_a_checkpoint_chooses_no_code(word, tmp_path):
    word = word.replace("PATH", str(tmp_path / "made"))
    torch.save(sound(overrides=[*WORDS, word]), tmp_path / "x.ckpt")
    with pytest.raises(SystemExit, match="if you trust where it comes from, repeat these words"):
        call(train.main, f"ckpt={tmp_path / 'x.ckpt'}", f"output={tmp_path / 'run'}")
    assert [path.name for path in tmp_path.iterdir()] == ["x.ckpt"]
