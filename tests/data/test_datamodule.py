"""The data module: parts, loaders, degradation on the device, records, and what it refuses."""

import logging

import pytest
import torch

from csbsr.data import CrackDataModule, DataError, degrade_batch
from csbsr.data.sources import InMemory
from tests.data.helpers import Halving, Numbered, Shuffled


def module(train=20, test=5, source=Numbered, **options):
    options = {"crop": 8, "batch_size": 4, "num_workers": 0, "validation_fraction": 0.2, **options}
    return CrackDataModule(source(train), source(test), Halving(), **options)


def test_parts_and_record():
    data = module()
    record = data.split_record()
    assert record["seed"] == 0
    assert record["train"] == 16
    assert len(record["validation"]) == 4
    assert record["validation"] == [data.validation.source.name(index) for index in range(4)]
    trained = {data.training.source.name(index) for index in range(16)}
    assert trained.isdisjoint(record["validation"])
    assert data.test is None  # not asked for
    data.setup("test")
    assert len(data.test) == 5
    assert module(seed=1).split_record()["validation"] != record["validation"]


def test_a_validation_looks_at_so_many_images_chosen_by_the_seed():
    every, fewer = module().split_record(), module(validation_images=2).split_record()
    assert len(fewer["validation"]) == 2
    assert set(fewer["validation"]) < set(every["validation"])
    assert fewer["kept_apart"] == every["kept_apart"] == 4
    assert fewer["train"] == every["train"]  # what is not looked at is not trained on
    assert module(validation_images=9).split_record() == every
    chosen = {tuple(module(seed=seed, validation_images=1).split_record()["validation"]) for seed in range(4)}
    assert len(chosen) > 1
    data = module(validation_images=2)
    data.setup("fit")
    assert len(data.val_dataloader()) == 2
    for wrong in (0, -1):
        with pytest.raises(ValueError, match="validation_images: expected 1 or more"):
            module(validation_images=wrong)


def test_batches_are_degraded_after_transfer():
    data = module()
    data.setup("fit")
    batch = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    assert batch["hr"].shape == (4, 3, 8, 8)
    assert torch.equal(batch["lr"], batch["hr"][..., ::2, ::2])
    assert torch.equal(batch["kernel"][:, 0, 0], batch["blur"])
    validation = data.on_after_batch_transfer(next(iter(data.val_dataloader())), 0)
    assert [part["lr"].shape for part in validation] == [(1, 3, 6, 8)]


def test_low_resolution_images_from_files_are_left_alone():
    batch = {"hr": torch.zeros(1, 3, 4, 4), "lr": torch.ones(1, 3, 2, 2), "kernel": torch.ones(1, 1, 3, 3) / 9}
    assert module().on_after_batch_transfer(batch, 0) is batch


def test_degradation_is_exact_and_has_no_gradient():
    class Looking(Halving):
        def __call__(self, hr, blur):
            assert not torch.is_grad_enabled()
            assert not torch.is_autocast_enabled("cpu")
            self.seen = hr.dtype
            return super().__call__(hr, blur)

    looking = Looking()
    for dtype, computed in ((torch.bfloat16, torch.float32), (torch.float64, torch.float64)):
        batch = {"hr": torch.rand(2, 3, 4, 4, dtype=dtype), "blur": torch.rand(2, 3)}
        with torch.autocast("cpu", dtype=torch.bfloat16):
            degraded = degrade_batch(looking, batch)
        assert looking.seen == computed
        assert degraded["lr"].dtype == degraded["kernel"].dtype == dtype


def test_limits_and_validation_switched_off():
    data = module(train_limit=6, validation_fraction=0, test_limit=2)
    data.setup()
    assert [data.training.source.name(index)[-7:-4] for index in range(6)] == [f"{index:03d}" for index in range(6)]
    assert len(data.training) == 6
    assert data.val_dataloader() == []
    assert len(data.test_dataloader()) == 2
    with pytest.raises(ValueError, match="train_limit"):
        module(train_limit=0).setup("fit")


def test_evaluation_batches_hold_one_size_each():
    data = module(source=Shuffled, test=7, eval_batch_size=7)
    data.setup("test")
    batches = next(iter(data.test_dataloader()))
    assert sorted(len(batch["name"]) for batch in batches) == [2, 2, 3]


def test_cache_reads_the_files_once(caplog):
    class Counting(Numbered):
        reads = 0

        def read(self, index):
            Counting.reads += 1
            return super().read(index)

    data = module(source=Counting, cache="ram")
    with caplog.at_level(logging.INFO):
        data.setup("fit")
    assert "MB of memory" in caplog.text
    assert isinstance(data.training.source, InMemory)
    for _ in range(3):
        list(data.train_dataloader())
        list(data.val_dataloader())
    assert Counting.reads == 20
    plain = module(source=Counting)
    plain.setup("fit")
    list(plain.train_dataloader())
    assert Counting.reads == 36
    with pytest.raises(ValueError, match="cache: expected one of none, ram, got 'disk'"):
        module(cache="disk")


def test_fingerprint_of_the_parts_in_use():
    data = module()
    assert data.fingerprint() == {}
    data.setup("fit")
    assert data.fingerprint().keys() == {"train"}
    data.setup("test")
    prints = data.fingerprint()
    assert prints["train"] != prints["test"]
    other = module(train=21)
    other.setup()
    assert other.fingerprint() == {"train": other.fingerprint()["train"], "test": prints["test"]}
    assert other.fingerprint()["train"] != prints["train"]


def test_refusals():
    with pytest.raises(ValueError, match="crop: expected a multiple of the scale 2, got 9; try 8"):
        module(crop=9)
    with pytest.raises(DataError, match=r"found 3 images; .*data.batch_size to at most 3"):
        module(train=4).setup("fit")
    module(train=4).setup("validate")
    with pytest.raises(DataError, match="no train part"):
        CrackDataModule(None, Numbered(3), Halving(), crop=8).setup("fit")


def test_loading_draws_nothing_from_the_global_generator():
    data = module()
    data.setup("fit")
    torch.manual_seed(0)
    list(data.train_dataloader())
    list(data.val_dataloader())
    after = torch.rand(1)
    torch.manual_seed(0)
    assert torch.equal(torch.rand(1), after)
