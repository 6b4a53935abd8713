"""Joint systems: super-resolution and segmentation as one module."""

from csbsr.build import build
from csbsr.joint.dsrl import DSRL
from csbsr.joint.lite import LiteNetwork
from csbsr.joint.lite_appearance import LiteSystem
from csbsr.joint.network import JointNetwork
from csbsr.joint.system import JointSystem, SerialSystem, describe

__all__ = ["DSRL", "JointNetwork", "JointSystem", "LiteNetwork", "LiteSystem", "SerialSystem", "build", "describe"]
