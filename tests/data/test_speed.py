"""How fast one loader process makes training samples from real photographs."""

import time

import numpy as np
import pytest

from csbsr.data import FolderPairs
from csbsr.data.augment import Augmentation
from csbsr.data.dataset import TrainingSet
from tests.data.helpers import Halving


@pytest.mark.slow
def test_items_per_second(photographs, record_property):
    """480 x 320 JPEG photographs, PNG masks, crop 224, flips, signed distance; the bound is loose on purpose."""
    data = TrainingSet(FolderPairs(photographs / "crackforest", "train"), 0, Augmentation(224, 0.5), Halving().draw)
    for index in range(len(data)):
        data[0, index]
    rates = []
    for epoch in range(5):
        began = time.perf_counter()
        for index in range(len(data)):
            data[epoch, index]
        rates.append(len(data) / (time.perf_counter() - began))
    record_property("items_per_second", float(np.median(rates)))
    assert max(rates) > 100
