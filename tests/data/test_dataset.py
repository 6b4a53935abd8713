"""Samples: their tensors, and that every draw depends on what it should and on nothing else."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from csbsr.data import DataError, distance_to_crack, normalized_signed_distance
from csbsr.data.augment import Augmentation
from csbsr.data.collate import stack, stack_by_size
from csbsr.data.dataset import EvaluationSet, TrainingSet
from csbsr.data.sampler import BatchSequence
from csbsr.data.sources import subset
from tests.data.helpers import Halving, Numbered, Shuffled

DRAW = Halving().draw


def training(seed=0, **options):
    return TrainingSet(Shuffled(12, (20, 24)), seed, Augmentation(8, 0.5), DRAW, **options)


def equal(first, second):
    return first.keys() == second.keys() and all(
        torch.equal(first[key], second[key]) if isinstance(first[key], torch.Tensor) else first[key] == second[key]
        for key in first
    )


def test_training_sample():
    sample = training(distances=("signed", "crack"))[2, 5]
    assert sample["hr"].shape == (3, 8, 8)
    assert sample["hr"].dtype == sample["mask"].dtype == sample["distance"].dtype == torch.float32
    assert sample["name"] == "numbered/005.png"
    assert sample["index"] == 5
    assert sample["blur"].shape == (3,)
    mask = sample["mask"][0].numpy()
    assert set(np.unique(mask)) == {0, 1}
    np.testing.assert_array_equal(sample["distance"][0], normalized_signed_distance(mask))
    np.testing.assert_array_equal(sample["crack_distance"][0], distance_to_crack(mask))


def test_pixels_become_value_over_255():
    sample = EvaluationSet(Numbered(3), 0, 2, DRAW, ())[2]
    assert sample.keys() == {"hr", "mask", "blur", "name", "index"}
    assert torch.equal(sample["hr"], torch.full((3, 12, 16), 2.0) / 255)
    assert sample["mask"].shape == (1, 12, 16)
    assert sample["mask"].sum() == 1


def test_training_draws_follow_seed_epoch_and_index_only():
    first = training()
    sample = first[3, 7]
    _ = [first[0, index] for index in range(12)]
    assert equal(first[3, 7], sample)
    assert equal(training()[3, 7], sample)
    for other in (training()[4, 7], training(seed=1)[3, 7]):
        assert not torch.equal(other["blur"], sample["blur"])
    crops = {training()[epoch, 7]["hr"].numpy().tobytes() for epoch in range(10)}
    assert len(crops) > 5


def test_fixed_draws_repeat_the_first_epoch():
    fixed = training(fixed_draws=True)
    assert equal(fixed[5, 3], fixed[0, 3])
    assert equal(fixed[5, 3], training()[0, 3])


def test_evaluation_draws_follow_seed_and_name_only():
    whole = EvaluationSet(Numbered(6), 0, 2, DRAW)
    part = EvaluationSet(Numbered(9), 0, 2, DRAW)  # other data around it
    assert equal(whole[4], part[4])
    assert not torch.equal(whole[4]["blur"], whole[5]["blur"])
    assert not torch.equal(whole[4]["blur"], EvaluationSet(Numbered(6), 1, 2, DRAW)[4]["blur"])
    part = EvaluationSet(subset(Shuffled(5), [4, 2]), 0, 2, DRAW)  # other positions, as after adding images
    whole = EvaluationSet(Shuffled(5), 0, 2, DRAW)
    assert torch.equal(part[0]["blur"], whole[4]["blur"])
    assert torch.equal(part[1]["blur"], whole[2]["blur"])


def test_evaluation_cuts_right_and_bottom_to_multiples_of_the_scale():
    image, mask = Shuffled(4, (21, 27)).read(1)
    sample = EvaluationSet(Shuffled(4, (21, 27)), 0, 4, DRAW)[1]
    assert sample["hr"].shape == (3, 20, 24)
    np.testing.assert_array_equal(sample["mask"][0], mask[:20, :24])
    assert sample["hr"][1, 19, 23] == np.float32(image[19, 23, 1]) / np.float32(255)


def test_images_smaller_than_the_scale_are_refused():
    with pytest.raises(DataError, match=r"000\.png: found an image of 9 x 3 pixels; expected at least 4 x 4"):
        EvaluationSet(Numbered(1, (3, 9)), 0, 4, DRAW)[0]


def test_unknown_distance():
    with pytest.raises(ValueError, match=r"expected names of \['crack', 'signed'\], got \['far'\]"):
        training(distances=("far",))


def loaded(batch_size, workers):
    data = training()
    sequence = BatchSequence(len(data), 0, batch_size)
    samples = {}
    for batch in DataLoader(data, batch_sampler=sequence, num_workers=workers, collate_fn=stack):
        for place, name in enumerate(batch["name"]):
            samples[name] = {key: value[place] for key, value in batch.items()}
    return samples


def test_samples_are_the_same_for_any_batch_size_and_worker_count():
    reference = loaded(3, 0)
    assert len(reference) == 12
    for batch_size, workers in ((4, 0), (3, 2), (6, 1)):
        other = loaded(batch_size, workers)
        assert all(equal(other[name], reference[name]) for name in reference)


def test_evaluation_is_the_same_for_any_batch_size_and_worker_count():
    def by_name(batch_size, workers):
        loader = DataLoader(
            EvaluationSet(Shuffled(7), 0, 2, DRAW), batch_size, num_workers=workers, collate_fn=stack_by_size
        )
        return {
            name: {key: value[place] for key, value in batch.items()}
            for batches in loader
            for batch in batches
            for place, name in enumerate(batch["name"])
        }

    reference = by_name(1, 0)
    assert len(reference) == 7
    for other in (by_name(7, 0), by_name(4, 2)):
        assert all(equal(other[name], reference[name]) for name in reference)
