"""Names of version 0.1 that are others now: what its checkpoints and configurations say is understood for one version.

This table is the only place that knows them.
"""

from __future__ import annotations

from collections.abc import Sequence

#: Modules by their old name, as a ``_target_`` may begin.
MODULES = {
    "csbsr.joint.build": "csbsr.build",
    "csbsr.reference": "csbsr.weights",
    "csbsr.data.synthetic_crack": "csbsr.data.synthetic.crack",
    "csbsr.data.synthetic_noise": "csbsr.data.synthetic.noise",
    "csbsr.data.synthetic_surface": "csbsr.data.synthetic.surface",
    "csbsr.report.panel": "csbsr.pages.panel",
}
#: Groups of the configuration by their old name.
GROUPS = {"paths": "extra_paths"}


def present_words(words: Sequence[str]) -> list[str]:
    """Words of a command line or of a checkpoint, such as ``paths=blur_skip``, as they are said now."""
    return [_present_word(word) for word in words]


def _present_word(word: str) -> str:
    key, equals, value = word.partition("=")
    group = key.lstrip("+~")
    prefix = key[: len(key) - len(group)]
    return f"{prefix}{GROUPS[group]}{equals}{value}" if group in GROUPS else word


def present_name(target: str) -> str:
    """The dotted name under which a class is found now that a description calls ``target``."""
    for old, new in MODULES.items():
        if target.startswith(old + "."):
            return new + target[len(old) :]
    return target
