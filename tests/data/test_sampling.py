"""Seeds, splits, batch order and stacking."""

from itertools import chain

import numpy as np
import pytest
import torch

from csbsr.data import DataError, item_generator, item_seed
from csbsr.data.collate import stack, stack_by_size
from csbsr.data.sampler import BatchSequence
from csbsr.data.sources import InMemory, Subset, fingerprint, subset
from csbsr.data.split import split_train_validation
from tests.data.helpers import Numbered


def test_item_seed_is_fixed_for_ever():
    """Recorded values: a change here changes every published run."""
    assert item_seed(0, "blur", 3, 7) == 614555147828247051
    assert item_seed(0, "blur", "wall/a.jpg") == 5121955617289447212


def test_item_seed_tells_its_parts_apart():
    variants = [(0, "a", 1), (1, "a", 1), (0, "b", 1), (0, "a", 2), (0, "a", "1"), (0, "a1"), (0, "a"), (0, 1, "a")]
    seeds = {item_seed(*variant) for variant in variants}
    assert len(seeds) == len(variants)
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert torch.equal(
        torch.rand(4, generator=item_generator(5, "x", 1)), torch.rand(4, generator=item_generator(5, "x", 1))
    )


def test_split_is_stable_and_independent_of_order():
    names = [f"{number:03d}.jpg" for number in range(200)]
    train, validation = split_train_validation(names, 0.05, 0)
    assert len(validation) == 10
    assert sorted(train + validation) == list(range(200))
    backwards = split_train_validation(names[::-1], 0.05, 0)[1]
    assert {names[index] for index in validation} == {names[::-1][index] for index in backwards}
    assert split_train_validation(names, 0.05, 1)[1] != validation
    larger = split_train_validation([*names, "new.jpg"], 0.05, 0)[1]
    assert len(set(larger) ^ set(validation)) <= 2


def test_split_of_few_images():
    assert [len(part) for part in split_train_validation(["a", "b", "c"], 0.05, 0)] == [2, 1]
    assert split_train_validation(["a"], 0.0, 0) == ([0], [])
    with pytest.raises(DataError, match="validation_fraction=0"):
        split_train_validation(["a"], 0.05, 0)
    with pytest.raises(ValueError, match="validation_fraction"):
        split_train_validation(["a"], 1.0, 0)


def epochs(sequence, count):
    """Batches of the first ``count`` epochs, read one epoch at a time."""
    place = {"at": 0}
    sequence.position = lambda: place["at"]
    for _ in range(count):
        yield list(sequence)
        place["at"] += len(sequence)


def test_every_epoch_is_another_permutation_without_the_rest():
    sequence = BatchSequence(11, seed=4, batch_size=3)
    assert len(sequence) == 3
    first, second = epochs(sequence, 2)
    for number, epoch in enumerate((first, second)):
        assert [len(batch) for batch in epoch] == [3, 3, 3]
        assert {key[0] for key in chain(*epoch)} == {number}
        assert len({key[1] for key in chain(*epoch)}) == 9
    assert [key[1] for key in chain(*first)] != [key[1] for key in chain(*second)]
    assert list(BatchSequence(11, 4, 3)) == first
    assert list(BatchSequence(11, 5, 3)) != first


@pytest.mark.parametrize("start", [0, 1, 2, 3, 5, 6, 7])
def test_entered_anywhere_it_goes_on_as_if_never_left(start):
    through = list(chain(*epochs(BatchSequence(11, 4, 3), 5)))
    entered = list(BatchSequence(11, 4, 3, position=lambda: start))
    assert entered == through[start : start + 3]


def test_position_is_asked_when_the_iteration_begins():
    place = {"at": 0}
    sequence = BatchSequence(6, 0, 2, position=lambda: place["at"])
    begun = iter(sequence)
    place["at"] = 2
    assert next(begun) == next(iter(BatchSequence(6, 0, 2)))


@pytest.mark.parametrize("world_size", [2, 3, 6])
def test_processes_share_out_the_same_steps(world_size):
    alone = list(BatchSequence(25, 1, 6))
    shared = [list(BatchSequence(25, 1, 6 // world_size, rank, world_size)) for rank in range(world_size)]
    assert [list(chain(*step)) for step in zip(*shared, strict=True)] == alone


def test_too_few_images_for_a_batch():
    with pytest.raises(DataError, match=r"found 5 images; .* 3 images on each of 2 processes.* data.batch_size .* 2"):
        BatchSequence(5, 0, 3, 0, 2)
    with pytest.raises(ValueError, match="batch_size"):
        BatchSequence(5, 0, 0)
    with pytest.raises(ValueError, match="rank"):
        BatchSequence(5, 0, 1, 2, 2)


def sample(index, height):
    return {"hr": torch.full((3, height, 4), float(index)), "name": f"{index}.png", "index": index}


def test_stacking():
    batch = stack([sample(1, 4), sample(2, 4)])
    assert batch["hr"].shape == (2, 3, 4, 4)
    assert batch["name"] == ["1.png", "2.png"]
    assert batch["index"].tolist() == [1, 2]
    assert batch["index"].dtype == torch.int64


def test_sizes_never_mix():
    batches = stack_by_size([sample(0, 4), sample(1, 6), sample(2, 4)])
    assert [batch["name"] for batch in batches] == [["0.png", "2.png"], ["1.png"]]
    assert [batch["hr"].shape[2] for batch in batches] == [4, 6]


class Degraded(Numbered):
    def read_degraded(self, index):
        return f"lr {index}", f"kernel {index}"


def test_subset_and_memory():
    part = subset(Numbered(9), [4, 2])
    assert len(part) == 2
    assert part.name(1) == "numbered/002.png"
    assert part.read(0)[0][0, 0, 0] == 4
    assert type(part) is Subset
    assert subset(Degraded(9), [4, 2]).read_degraded(1) == ("lr 2", "kernel 2")

    kept = InMemory(part)
    assert [kept.name(index) for index in range(len(kept))] == ["numbered/004.png", "numbered/002.png"]
    for got, wanted in zip(kept.read(1), part.read(1), strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert kept.read(0)[0] is kept.read(0)[0]
    assert kept.nbytes == 2 * 12 * 16 * 4


def test_fingerprint_of_any_source():
    assert fingerprint(Numbered(3)) == fingerprint(Numbered(3)) != fingerprint(Numbered(4))
