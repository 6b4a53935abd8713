"""Joint networks: super-resolution and segmentation as one module."""

from csbsr.build import build
from csbsr.joint.dsrl import DSRL
from csbsr.joint.lite import LiteNetwork
from csbsr.joint.network import JointNetwork

__all__ = ["DSRL", "JointNetwork", "LiteNetwork", "build"]
