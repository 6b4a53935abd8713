"""The mean of weights before and after fine-tuning: what is validated and kept, and what training goes on from."""

from types import SimpleNamespace

import pytest
import torch

import csbsr
from csbsr.training.anchor import Anchored


def test_validation_sees_the_mean_and_training_goes_on_from_its_own():
    network = csbsr.load("lite")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    module = SimpleNamespace(network=network, device=torch.device("cpu"))
    trainer = SimpleNamespace(state=SimpleNamespace(fn="fit"))
    anchor = Anchored("lite", share=0.25)
    anchor.on_fit_start(trainer, module)
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.is_floating_point():
                value.add_(1.0)
    anchor.on_validation_start(trainer, module)
    anchor.on_validation_start(trainer, module)  # twice changes nothing
    for name, value in network.state_dict().items():
        expected = before[name] + 0.25 if value.is_floating_point() else before[name]
        torch.testing.assert_close(value, expected, atol=1e-4, rtol=1e-5)
    anchor.on_train_batch_start(trainer, module, None, 0)
    torch.testing.assert_close(network.stem.weight, before["stem.weight"] + 1)
    anchor.on_validation_start(SimpleNamespace(state=SimpleNamespace(fn="test")), module)
    torch.testing.assert_close(network.stem.weight, before["stem.weight"] + 1)


@pytest.mark.parametrize(
    ("arguments", "message"), [((None,), "init: expected weights"), (("lite", 0.0), "share: expected a number above 0")]
)
def test_what_does_not_fit_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Anchored(*arguments)
