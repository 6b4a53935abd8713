"""Stopping a run from outside: a signal lets the step finish and the state be saved; a second one stops at once."""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint

from csbsr.training.resuming import validation_follows

#: Signals that ask a run to stop: of a terminal, of schedulers, containers and ``timeout``, of a closed connection.
SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2") if hasattr(signal, name)
)


#: Seconds within which a signal counts once: ``timeout``, terminals and schedulers send it to a process and its group.
ECHO = 1.0


class Stopped(Exception):
    """A signal has stopped the run.

    Attributes:
        signal: which one.
    """

    def __init__(self, received: signal.Signals) -> None:
        super().__init__(f"stopped by {received.name}")
        self.signal = received

    @property
    def exit_code(self) -> int:
        """As a shell has it: 128 and the number of the signal, 130 for Ctrl-C."""
        return 128 + self.signal


class Stops:
    """Listens for `SIGNALS` while it is entered.

    Outside a step a signal raises `Stopped` where the program stands.  Once training has begun (`finish_steps`) it is
    only noted, and `StopTraining` ends the run after the step.  A second signal ends the process at once.

    Attributes:
        received: the first signal; None if there was none.
        finish_steps: note a signal instead of raising.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self.finish_steps = False
        self._first = 0.0
        self._process = os.getpid()
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Stops:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        self._before = {}

    def tell_others(self, number: int) -> None:
        """Call who listened to a signal before: submitit, say, which puts a job back into the queue."""
        handler = self._before.get(number)
        if callable(handler) and handler is not signal.default_int_handler:
            handler(number, None)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:  # a process that loads data: this one tells it when to end
            return
        if self.received is not None and time.monotonic() - self._first < ECHO:
            return
        if self.received is not None:
            signal.signal(number, signal.SIG_DFL)
            os.kill(self._process, number)
            return
        self.received, self._first = signal.Signals(number), time.monotonic()
        if not self.finish_steps:
            raise Stopped(self.received)
        os.write(2, f"\n{self.received.name}: finishing this step and saving; once more stops at once\n".encode())


class StopTraining(Checkpoint):
    """Ends the run after the step in which one of its processes has received a signal.

    A Checkpoint to Lightning, so that it comes after those that save.

    Args:
        stops: what the process has received.
    """

    def __init__(self, stops: Stops) -> None:
        self.stops = stops

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Keep Lightning from putting its own handlers in place of these: they end a run without saving it."""
        trainer._signal_connector.register_signal_handlers = self._finish_steps  # type: ignore[method-assign]

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Stop after the update, unless that was the last thing to do."""
        loop = trainer.fit_loop
        if not loop._should_accumulate():
            self._stop_if_asked(trainer, validation_follows(loop) or trainer.global_step < trainer.max_steps)

    def on_validation_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Stop within a validation: the run was saved before it, and validates when it goes on."""
        if trainer.state.fn == "fit":
            self._stop_if_asked(trainer, True)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop after the validation, unless that was the last thing to do."""
        if trainer.state.fn == "fit":
            self._stop_if_asked(trainer, trainer.global_step < trainer.max_steps)

    def _finish_steps(self) -> None:
        self.stops.finish_steps = True

    def _stop_if_asked(self, trainer: pl.Trainer, unfinished: bool) -> None:
        received = highest(trainer, int(self.stops.received or 0))
        if received and unfinished:
            raise Stopped(signal.Signals(received))


def agreed(trainer: pl.Trainer, wish: bool) -> bool:
    """Whether any process of the run has this wish; every process has to ask at the same place."""
    return bool(highest(trainer, int(wish)))


def highest(trainer: pl.Trainer, value: int) -> int:
    """The highest value of all processes of the run."""
    if trainer.world_size == 1:
        return value
    values = torch.tensor(value, device=trainer.strategy.root_device)
    return int(trainer.strategy.reduce(values, reduce_op="max"))
