"""Training: phases, the LightningModule, callbacks, loggers and schedules."""

from csbsr.training.phases import Phase, PhaseSchedule

__all__ = ["Phase", "PhaseSchedule"]
