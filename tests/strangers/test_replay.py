"""Words of a stranger's checkpoint: which are said again, which the user has to repeat."""

import pytest

from csbsr.cli.replay import check_sizes, check_stored, groups, may_be_said_again

AGAIN = [
    "recipe=quick", "experiment=csbsr_pspnet", "segmentor=unet", "segmentor=custom", "experiment=null", "data=khanhha",
    "loss/super_resolution=released", "callbacks=ema", "logger=tensorboard", "logger=none", "loss=bce_dice",
    "steps=2400", "seed=7", "scale=4", "width.sr=0.125", "stages=2", "dropout=0", "compile=true", "optimizer.lr=3e-3",
    "loss.beta=0.3", "data.crop=96", "data.size=[40,48]", "data.cache=none", "data.root='/photos/bröcke (2), [a]=x'",
    "data.train_images=20", "data.num_workers=0", "degradation.sigma=[0.2,1.5]", "sr.kernel_size=9", "init='/a/b.ckpt'",
    "segmentor.blocks=[1,1,1,1]", "segmentor.blur_skip=modified", "segmentor.pretrained=imagenet", "metrics=fast",
    "phases.phases.sr.fraction=0.17", "phases=joint", "trainer.max_steps=3", "trainer.precision=bf16-mixed",
    "trainer.accelerator=cpu", "trainer.devices=2", "trainer.strategy=ddp_find_unused_parameters_false",
    "+trainer.enable_progress_bar=false", "+trainer.limit_val_batches=2", "trainer.gradient_clip_val=1",
    "callbacks.progress=null", "callbacks.panels.images=2", "callbacks.last.every_n_steps=100", "data.fixed_draws=true",
    "callbacks.average.decay=0.99", "~segmentor.network.spatial_dims", "+segmentor.network.dropout=0.1",
    "metrics.groups=[iou,surface]", "loss.segmentation.region={dice: 1.0}", "scheduler.warmup_steps=1",
    "save_every_minutes=5", "objective=iou_max", "++data.seed=3", "sr.checkpoint=true",
    "data.surfaces='/photos/walls'", "data.mask_name='{stem}_mask'", "data.crack_label='#ff0000'", "data.world=varied",
]  # fmt: skip
REPEATED = [
    # a file of the disk as an option of a group
    "logger=../../../tmp/x/evil", "experiment=/tmp/evil", "loss=a/../../b", "data=..", "callbacks=evil",
    "sr=../sr/kbpn",
    "logger='csv/../../x'", "experiment=[csbsr_pspnet,../x]", "logger@trainer=csv", "+logger@callbacks.x=csv",
    # code
    "trainer._target_=os.system", "+callbacks.x={_target_:os.system}", "trusted=[os]", "+trusted=[os]", "~trusted",
    "loss.segmentation={_target_: os.system}", "+segmentor.network._target_=os.system", "sr._target_=csbsr.sr.NoSR",
    "loss.segmentation={'_tar\\get_': x}", "+optimizer._partial_=false", "+trainer.plugins=x", "+trainer.callbacks=[x]",
    # what is outside the file
    "x=${oc.env:HOME}", r"x=$\{oc.env:HOME\}", "data.root=${oc.env:SECRET}", "optimizer.lr=${oc.env:LR}",
    "data.name=${now:}",
    # Hydra's own words
    "hydra.run.dir=x", "hydra/launcher=joblib", "hydra.job_logging=x", "--config-dir=z", "-cd=z", "-m", "--cfg=job",
    "steps=1,2", "data=null", "optimizer=[null]", "seed=range(3)", "loss=glob(*)", "sr=kbpn,none",
    # places to write
    "callbacks.last.folder=/home/x", "callbacks.best.dirpath=/etc", "callbacks.panels.folder=x", "output=/x", "ckpt=/x",
    "logger.csv.save_dir=/home/x", "trainer.default_root_dir=/x", "+callbacks.best.filename=../../x", "split=/x",
    "+trainer.profiler=advanced", "callbacks.progress={a: 1}", "data.cache=/x", "data.train=../../etc",
    "data.test=a..b",
    # hosts, and processes
    "logger=wandb", "logger.wandb.project=x", "+logger.wandb.base_url=http://x", "trainer.num_nodes=2", "cluster=slurm",
    "data.origin='http://evil'", "resume=true",
    # sizes
    "data.num_workers=100000", "data.crop=1000000", "degradation.size=100001", "data.size=[100000,100000]", "seed=1e40",
    "trainer.devices=1000", "loss.beta=inf", "data.batch_size=1000000000", "width.sr=500", "stages=1000000",
    # what is no word
    "", "=", "a", "steps", "a b c", "steps=[", "'steps'=1", "steps=\x00", "x" * 5000, "steps=" + "[" * 3000,
]  # fmt: skip


@pytest.mark.parametrize("word", AGAIN)
def test_said_again(word):
    assert may_be_said_again(word)


@pytest.mark.parametrize("word", REPEATED, ids=lambda word: repr(word[:40]))
def test_to_be_repeated(word):
    assert not may_be_said_again(word)


def test_every_option_of_every_group_but_wandb_is_said_again():
    for group, options in groups().items():
        for option in options:
            assert may_be_said_again(f"{group}={option}") == (option != "wandb" and group != "cluster"), (group, option)


def test_the_error_lists_the_words_on_one_line_and_repeating_them_is_enough():
    stored = ["steps=2", "logger=wandb", "logger=../\x1b[31mevil", "data.root='/a b'"]
    with pytest.raises(ValueError, match=r"^ckpt: a\.ckpt was trained with logger=wandb 'logger=\.\./\\x1b\[31mevil'; "
                                         r".* repeat these words") as error:  # fmt: skip
        check_stored(stored, [], "a.ckpt")
    assert "\n" not in str(error.value)
    check_stored(stored, stored[1:3], "a.ckpt")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"data": {"num_workers": 100_000}},
            r"data\.num_workers: expected a number up to 64, got 100000; give data\.num",
        ),
        ({"data": {"size": [10**6, 10**6]}}, r"data\.size: expected a number up to 4096"),
        ({"degradation": {"size": 100_001}}, r"degradation\.size: expected a number up to 1000"),
        ({"degradation": {"sigma": [0, float("nan")]}}, r"degradation\.sigma: expected"),
        ({"data": {"name": "/etc/passwd"}}, r"data\.name: expected a word, got '/etc/passwd'; give data\.name="),
        ({"data": {"train": "../../etc"}}, r"data\.train: expected a word"),
        ({"data": {"batch_size": 1000, "crop": 4000}}, r"at most 200 megapixels together, got 1000 crops of 4000"),
    ],
)
def test_numbers_of_a_stored_configuration_are_bounded(settings, message):
    with pytest.raises(ValueError, match=message):
        check_sizes(settings, ["data", "degradation"], "ckpt: a")
