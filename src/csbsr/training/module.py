"""The LightningModule: one training step of a joint network, its validation and its checkpoints."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor, nn
from torchmetrics import Metric

from csbsr.contracts import Batch, JointOutput
from csbsr.data.seeds import item_seed
from csbsr.errors import NonFiniteLoss
from csbsr.training.phases import Phase, PhaseSchedule, freeze_all_but
from csbsr.weights.checkpoint import CARD_KEY

log = logging.getLogger("csbsr")
T = TypeVar("T")


class CrackModule(LightningModule):
    """Trains and evaluates a joint network.

    Args:
        network: `csbsr.joint.JointNetwork` or another module ``(lr, kernel, segment) -> JointOutput``.
        metrics: collects a row per image; used for validation and test.
        loss: ``(JointOutput, Batch, alpha, joint) -> LossTerms``; not needed for evaluation.
        phases: which part trains when; not needed for evaluation.
        optimizer: from parameters to an optimiser; not needed for evaluation.
        scheduler: from the optimiser to a learning-rate scheduler stepped after every update; None keeps the rate.
        seed: of every random draw inside a step (dropout): a function of seed, step and rank.
        card: what a checkpoint tells of itself (network description, configuration, …); plain containers.
    """

    def __init__(
        self,
        network: nn.Module,
        metrics: Metric,
        loss: nn.Module | None = None,
        phases: PhaseSchedule | None = None,
        optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer] | None = None,
        scheduler: Callable[[torch.optim.Optimizer], Any] | None = None,
        seed: int = 0,
        card: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.metrics = metrics
        self.loss = loss
        self.phases = phases
        self.seed = seed
        self.card = card or {}
        self._optimizer = optimizer
        self._scheduler = scheduler
        self._non_finite: Tensor | None = None  # on the device: how many losses since the last update were not finite
        self._verdict: tuple[Tensor, Any] | None = None  # the same on the host, and the event after which it is there
        self._batch_names: list[str] = []

    # -- what depends on the step ------------------------------------------------------------------------------------

    @property
    def schedule(self) -> PhaseSchedule:
        """The phases of a module that trains.

        Raises:
            ValueError: the module was made without them.
        """
        return _needed("phases", self.phases)

    @property
    def phase(self) -> Phase:
        """The phase of the next update."""
        return self.schedule.at(self.global_step)

    @property
    def alpha(self) -> float:
        """Weight of the region loss against the boundary loss at the next update."""
        batches = self.trainer.num_training_batches // self.trainer.accumulate_grad_batches
        return self.schedule.alpha(self.global_step, max(1, int(batches)))

    def train(self, mode: bool = True) -> CrackModule:
        """Training mode, except for the parts that the phase has frozen: their BatchNorm statistics stay."""
        super().train(mode)
        if mode and self.phases is not None and self._trainer is not None:
            freeze_all_but(self.network, self.phase.trains)
        return self

    # -- training ----------------------------------------------------------------------------------------------------

    def forward(self, lr: Tensor, kernel: Tensor | None = None) -> JointOutput:
        """Run the network on ``lr`` (B, 3, h, w)."""
        return self.network(lr, kernel)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Mean loss of the batch, by the phase of this step."""
        torch.manual_seed(item_seed(self.seed, "step", self.global_step, self.global_rank))
        phase, alpha = self.phase, self.alpha
        output = self.network(batch["lr"], batch["kernel"] if phase.true_kernel else None, segment=phase.segments)
        terms = _needed("loss", self.loss)(output, batch, alpha=alpha, joint=phase.segments)
        loss = terms.total.mean()
        self._note_if_non_finite(loss, batch["name"])
        if not self._is_logged():
            return loss
        scalars = {f"train/{name}": value.detach().mean() for name, value in terms.terms.items()}
        scalars = mean_over_processes({"train/loss": loss.detach(), **scalars})
        self.log_dict(scalars, batch_size=len(batch["name"]))
        self.log_dict(
            {"train/alpha": alpha, "train/phase": float(self.schedule.index(self.global_step))},
            batch_size=len(batch["name"]),
        )
        return loss

    def _is_logged(self) -> bool:
        """Whether the logger takes values of this step; collecting them takes milliseconds."""
        interval: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]  # Lightning sets it without declaring it
        return interval > 0 and (self.global_step + 1) % interval == 0

    def _note_if_non_finite(self, loss: Tensor, names: list[str]) -> None:
        """Start carrying the verdict to the host; it is read before the update, when the backward pass is queued."""
        flag = (~torch.isfinite(loss.detach())).float()
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(flag)  # every rank must stop at the same step
        if self._non_finite is not None:  # gradient accumulation
            flag += self._non_finite
            names = [*self._batch_names, *names]
        host = torch.empty((), pin_memory=flag.is_cuda).copy_(flag, non_blocking=True)
        self._verdict = (host, torch.cuda.current_stream().record_event() if flag.is_cuda else None)
        self._non_finite, self._batch_names = flag, list(names)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Stop before a NaN reaches the weights."""
        host, event = _needed("verdict", self._verdict)
        if event is not None:
            event.synchronize()  # waits for the forward pass only
        if host:
            raise NonFiniteLoss(
                f"the loss is not finite at step {self.global_step} (phase {self.phase.name}); "
                f"the batch held {', '.join(self._batch_names)}. Look at these files, "
                "lower optimizer.lr, or set trainer.gradient_clip_val=1"
            )
        self._non_finite = None

    def configure_optimizers(self) -> Any:
        """One optimiser over all parameters: those that a phase freezes have no gradient and are passed over."""
        optimizer = _needed("optimizer", self._optimizer)(self.network.parameters())
        if self._scheduler is None:
            return optimizer
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": self._scheduler(optimizer), "interval": "step", "name": "lr"},
        }

    # -- validation and test -----------------------------------------------------------------------------------------

    def on_validation_epoch_start(self) -> None:
        """Forget the rows of an earlier epoch, a sanity check's included."""
        self.metrics.reset()

    on_test_epoch_start = on_validation_epoch_start

    def validation_step(  # type: ignore[override]  # Lightning hands any result on to the callbacks
        self, batches: list[Batch], batch_idx: int
    ) -> list[JointOutput]:
        """Add a row per image; the batches hold images of one size each."""
        outputs = [self.network(batch["lr"]) for batch in batches]
        for output, batch in zip(outputs, batches, strict=True):
            self.metrics.update(output, batch)
        return outputs

    test_step = validation_step  # type: ignore[assignment]  # as above

    def on_validation_epoch_end(self) -> None:
        """Log the metrics and remember the best threshold, which goes into every checkpoint from here on."""
        values = self.metrics.compute()
        if not self.trainer.sanity_checking:  # every rank computes the same values
            self.card["recommended_threshold"] = values["iou_max_threshold"]
            shown = {name: values[name] for name in ("iou_max", "aiu", "psnr", "ssim", "kernel_psnr") if name in values}
            rank_zero_only(log.info)(
                "step %d: validation on %d images: %s",
                self.global_step,
                round(values["images"]),
                ", ".join(f"{name} {value:.3f}" for name, value in shown.items()),
            )
        self.log_dict({f"val/{name}": value for name, value in values.items()}, sync_dist=True)

    def on_test_epoch_end(self) -> None:
        """Log the metrics; tables and files are written by the command line from `metrics`."""
        self.log_dict({f"test/{name}": value for name, value in self.metrics.compute().items()}, sync_dist=True)

    # -- checkpoints -------------------------------------------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the card: with it the network can be rebuilt from the file alone."""
        checkpoint[CARD_KEY] = dict(self.card)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what only a checkpoint knows."""
        if "recommended_threshold" in checkpoint.get(CARD_KEY, {}):
            self.card["recommended_threshold"] = checkpoint[CARD_KEY]["recommended_threshold"]


def mean_over_processes(values: dict[str, Tensor]) -> dict[str, Tensor]:
    """Each of these scalars as its mean over the processes of the training; every process has to ask for the same."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return values
    together = torch.stack([value.float() for value in values.values()])
    torch.distributed.all_reduce(together)
    return dict(zip(values, together / torch.distributed.get_world_size(), strict=True))


def _needed(name: str, value: T | None) -> T:
    """``value``, which a module for evaluation does without."""
    if value is None:
        raise ValueError(f"{name}: expected one for training, got None; give it to CrackModule")
    return value
