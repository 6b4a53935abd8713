"""Which part of the system trains at which step: the only place that knows step ranges and freezing.

Everything here is a pure function of the global step (0-based: the number of updates already made), so a run that is
continued from a checkpoint is in the right phase without any state of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from csbsr.sr.base import SRNetwork

#: α falls by this much an epoch of joint training, down to a floor of the same size (as published).
ALPHA_STEP = 0.01


@dataclass(frozen=True)
class Phase:
    """One stretch of training.

    Attributes:
        name: shown in the progress bar and the logs.
        steps: how many updates it lasts.
        trains: the part that learns, a key of `PARTS`; everything else is frozen, BatchNorm statistics included.
        segments: the segmentor runs and its loss counts; otherwise the loss is L_SR alone.
        true_kernel: the SR network is fed the true blur kernel instead of estimating it.
    """

    name: str
    steps: int
    trains: str = "all"
    segments: bool = True
    true_kernel: bool = False

    def __post_init__(self) -> None:
        if self.trains not in PARTS:
            raise ValueError(f"phase {self.name!r}: trains: expected one of {', '.join(PARTS)}, got {self.trains!r}")
        if self.steps < 0:
            raise ValueError(f"phase {self.name!r}: steps: expected at least 0, got {self.steps}")


class PhaseSchedule:
    """A sequence of phases that fills a number of updates.

    Args:
        phases: the phases in order, by name, each a mapping of `Phase`'s other arguments.  Instead of ``steps`` a phase
            may say ``fraction`` (of ``total_steps``) or neither (all that is left).  Phases beyond ``total_steps`` are
            cut off.
        total_steps: number of updates of all phases together.
        steps_per_epoch: what α counts as an epoch, instead of the length of the training data (to decay as on another
            data set).

    Raises:
        ValueError: the phases do not fill ``total_steps``, or a number is out of range.
    """

    def __init__(
        self, phases: Mapping[str, Mapping[str, Any]], total_steps: int, steps_per_epoch: int | None = None
    ) -> None:
        for name, value in {"total_steps": total_steps, "steps_per_epoch": steps_per_epoch}.items():
            if value is not None and value < 1:
                raise ValueError(f"{name}: expected at least 1, got {value}")
        self.steps_per_epoch = steps_per_epoch
        self.total_steps = total_steps
        parsed, left = [], total_steps
        for name, arguments in phases.items():
            arguments = dict(arguments)
            fraction = arguments.pop("fraction", None)
            steps = arguments.pop("steps", left if fraction is None else round(fraction * total_steps))
            steps = min(steps, left)
            left -= steps
            phase = Phase(name, steps, **arguments)
            if steps:
                parsed.append(phase)
        if left:
            raise ValueError(
                f"phases: {', '.join(phases) or 'none'} fill {total_steps - left} of {total_steps} steps; "
                "leave out the steps of the last phase, or lower steps"
            )
        self.phases = tuple(parsed)

    @property
    def joint_start(self) -> int:
        """First step at which the segmentation loss counts; ``total_steps`` if it never does."""
        start = 0
        for phase in self.phases:
            if phase.segments:
                break
            start += phase.steps
        return start

    def index(self, step: int) -> int:
        """Position of the phase that holds ``step``; the last phase goes on for ever."""
        end = 0
        for index, phase in enumerate(self.phases):
            end += phase.steps
            if step < end:
                return index
        return len(self.phases) - 1

    def at(self, step: int) -> Phase:
        """The phase of update ``step`` (0-based)."""
        return self.phases[self.index(step)]

    def alpha(self, step: int, steps_per_epoch: int) -> float:
        """Weight α of the region loss against the boundary loss: 1 at first, 0.01 less each epoch of joint training.

        α = max(0.01, 1 − 0.01·⌊(step − joint_start) / steps_per_epoch⌋), where the schedule's own ``steps_per_epoch``
        replaces the argument if it was given.
        """
        epochs = max(0, step - self.joint_start) // (self.steps_per_epoch or steps_per_epoch)
        return max(ALPHA_STEP, 1 - ALPHA_STEP * epochs)

    def check(self, network: nn.Module, from_scratch: bool) -> None:
        """Refuse phases that do not fit ``network``, before anything is trained or written.

        Args:
            network: what will be trained.
            from_scratch: its weights are freshly drawn, so no segmentation can rest on a part that stays frozen.

        Raises:
            ValueError: a phase trains a part that is not there, or, from scratch, segments with a part that neither it
                nor an earlier phase trains.
        """
        trained: set[int] = set()
        for phase in self.phases:
            trained |= _learning(network, phase.trains)
            random = [name for name, parameter in network.named_parameters() if id(parameter) not in trained]
            if from_scratch and phase.segments and random:
                raise ValueError(
                    f"phase {phase.name!r} trains {phase.trains!r} on top of {len(random)} parameters that nothing has "
                    f"trained ({', '.join(random[:3])}, …); start from a trained system with init=<checkpoint>"
                )


def _child(network: nn.Module, name: str) -> Iterator[nn.Parameter]:
    """Parameters of a part of a serial system; none in a parallel system, which has no such part."""
    part = dict(network.named_children()).get(name)
    return iter(()) if part is None else part.parameters()


def _kernel_predictors(network: nn.Module) -> Iterator[nn.Parameter]:
    sr: SRNetwork | None = getattr(network, "sr", None)
    predictors = () if sr is None else sr.kernel_predictors()
    return (parameter for module in predictors for parameter in module.parameters())


def _sr_body(network: nn.Module) -> Iterator[nn.Parameter]:
    predictors = {id(parameter) for parameter in _kernel_predictors(network)}
    return (parameter for parameter in _child(network, "sr") if id(parameter) not in predictors)


def _blur_skip(network: nn.Module) -> Iterator[nn.Parameter]:
    segmentor = dict(network.named_children()).get("segmentor")
    return iter(()) if segmentor is None else _child(segmentor, "blur_skip")


#: The parts of a serial system that can train alone.
PARTS: dict[str, Callable[[nn.Module], Iterator[nn.Parameter]]] = {
    "sr_without_kernel_predictors": _sr_body,
    "kernel_predictors": _kernel_predictors,
    "sr": lambda network: _child(network, "sr"),
    "segmentor": lambda network: _child(network, "segmentor"),
    "blur_skip": _blur_skip,
    "all": lambda network: network.parameters(),
}


def freeze_all_but(network: nn.Module, part: str) -> None:
    """Let only ``part`` of ``network`` learn.

    Its parameters require gradients and all others do not.  Every module that holds parameters but none that learns is
    put into eval mode, so that frozen BatchNorms keep their statistics; call it again after ``network.train()``.

    Raises:
        ValueError: the network has no such part.
    """
    learning = _learning(network, part)
    for parameter in network.parameters():
        parameter.requires_grad_(id(parameter) in learning)
    for module in network.modules():
        parameters = list(module.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            module.eval()


def _learning(network: nn.Module, part: str) -> set[int]:
    """Identities of the parameters of ``part``."""
    learning = {id(parameter) for parameter in PARTS[part](network)}
    if not learning:
        parts = [type(getattr(network, name)).__name__ for name in ("sr", "segmentor") if hasattr(network, name)]
        raise ValueError(
            f"a phase trains {part!r}, but {' + '.join(parts) or type(network).__name__} has no parameters there; "
            "choose phases that fit: phases=sr_first if the SR network estimates no kernel, phases=joint if there is "
            "none to train alone, phases=blur_skip for a segmentor with a blur skip"
        )
    return learning
