"""Joint networks: super-resolution and segmentation as one module, and building them from plain descriptions."""

from csbsr.joint.build import build
from csbsr.joint.dsrl import DSRL
from csbsr.joint.lite import LiteNetwork
from csbsr.joint.network import JointNetwork

__all__ = ["DSRL", "JointNetwork", "LiteNetwork", "build"]
