"""The contract of all super-resolution networks, small ones."""

from csbsr.sr import DBPN, Bicubic, NoSR, SrcNet
from csbsr.sr.kbpn import KBPN
from tests.sr.contract import SRContract


class TestBicubic(SRContract):
    def make(self) -> Bicubic:
        return Bicubic(scale=4)


class TestNoSR(SRContract):
    scale = 1

    def make(self) -> NoSR:
        return NoSR()


class TestDBPN(SRContract):
    def make(self) -> DBPN:
        return DBPN(scale=4, stages=4, width=0.125)


class TestDBPNTwoStages(SRContract):
    scale = 2

    def make(self) -> DBPN:
        return DBPN(scale=2, stages=2, width=0.125)


class TestDBPNEightfold(SRContract):
    scale = 8

    def make(self) -> DBPN:
        return DBPN(scale=8, stages=3, width=0.125)


class TestSrcNet(SRContract):
    def make(self) -> SrcNet:
        return SrcNet(scale=4, groups=2, blocks=2, width=0.25)


class TestSrcNetDouble(SRContract):
    scale = 2

    def make(self) -> SrcNet:
        return SrcNet(scale=2, groups=1, blocks=1, width=0.25)


class TestKBPN(SRContract):
    estimates_kernel = True

    def make(self) -> KBPN:
        return KBPN(scale=4, stages=2, width=0.125, kernel_size=5, coarse_size=3)
