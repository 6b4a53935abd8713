"""Names of version 0.1 that are others now: what its checkpoints and configurations say is understood for one version.

This table is the only place that knows them.
"""

from __future__ import annotations

#: Modules by their old name, as a ``_target_`` may begin.
MODULES = {
    "csbsr.joint.build": "csbsr.build",
    "csbsr.reference": "csbsr.weights",
    "csbsr.data.synthetic_crack": "csbsr.data.synthetic.crack",
    "csbsr.data.synthetic_noise": "csbsr.data.synthetic.noise",
    "csbsr.data.synthetic_surface": "csbsr.data.synthetic.surface",
    "csbsr.report.panel": "csbsr.pages.panel",
}


def present_name(target: str) -> str:
    """The dotted name under which a class is found now that a description calls ``target``."""
    for old, new in MODULES.items():
        if target.startswith(old + "."):
            return new + target[len(old) :]
    return target
