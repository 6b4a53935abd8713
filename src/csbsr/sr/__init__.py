"""Super-resolution networks: ``lr`` to ``sr`` and, where blind, the blur kernel."""

from csbsr.sr.base import SRNetwork
from csbsr.sr.bicubic import Bicubic
from csbsr.sr.dbpn import DBPN
from csbsr.sr.kbpn import KBPN
from csbsr.sr.none import NoSR
from csbsr.sr.srcnet import SrcNet

__all__ = ["DBPN", "KBPN", "Bicubic", "NoSR", "SRNetwork", "SrcNet"]
