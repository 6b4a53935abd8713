"""Reading weights: our checkpoints and those that the authors released."""

from csbsr.reference.checkpoint import load, read_checkpoint
from csbsr.reference.released import load_reference

__all__ = ["load", "load_reference", "read_checkpoint"]
