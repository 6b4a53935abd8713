"""The network that CONTRIBUTING.md adds keeps the contract of segmentors, as its reader's test will ask."""

from tests.docs import ROOT, blocks
from tests.segmentor.contract import SegmentorContract


class TestTheNetworkOfTheGuide(SegmentorContract):
    def make(self):
        names: dict = {"__name__": "my_net"}
        exec(compile(blocks(ROOT / "CONTRIBUTING.md", "python")[0], "my_net.py", "exec"), names)
        return names["MyNet"](width=0.5)
