"""Generated photographs of cracked surfaces with exact masks."""

from csbsr.data.synthetic.pairs import SyntheticPairs, photograph

__all__ = ["SyntheticPairs", "photograph"]
