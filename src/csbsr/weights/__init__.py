"""Reading weights: our checkpoints and those that the authors released."""

from csbsr.weights.checkpoint import load, read_checkpoint
from csbsr.weights.released import load_reference

__all__ = ["load", "load_reference", "read_checkpoint"]
