"""Networks from plain descriptions: nested dictionaries whose ``_target_`` names a class.

The same description builds a network from a configuration and rebuilds it from a checkpoint, so a checkpoint needs no
pickled code.  Because whoever wrote the description chooses what is called, only names inside trusted packages resolve.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from csbsr.moved import present_name

TRUSTED = ("csbsr",)
#: Modules whose functions may be named beside classes: they make data modules from plain values.
_FACTORIES = ("csbsr.data.factories", "csbsr.inspection.corrected")


def build(spec: Any, trusted: Sequence[str] = TRUSTED) -> Any:
    """Build what ``spec`` describes.

    Args:
        spec: a mapping with ``_target_`` (dotted name of a class or function) and its keyword arguments, which may be
            such mappings again; anything else is returned as it is, lists and mappings with their entries built.
        trusted: packages (or dotted prefixes) that ``_target_`` may name.

    Raises:
        ValueError: ``_target_`` lies outside ``trusted``, does not exist, or rejects its arguments.
    """
    if isinstance(spec, Mapping):
        built = {key: build(value, trusted) for key, value in spec.items() if key != "_target_"}
        if "_target_" not in spec:
            return built
        target = _resolve(spec["_target_"], trusted)
        taken = _arguments(target)
        if taken is not None and (unknown := [key for key in built if key not in taken]):
            raise ValueError(f"{spec['_target_']} has no argument {unknown[0]!r}; expected some of {', '.join(taken)}")
        try:
            return target(**built)
        except TypeError as error:
            raise ValueError(f"{spec['_target_']}: {error}") from error
    if isinstance(spec, (list, tuple)):
        return [build(value, trusted) for value in spec]
    return spec


def arguments_of(name: str) -> list[str] | None:
    """The names of the arguments of a class of ours by its dotted name; None if it takes any."""
    return _arguments(_resolve(name, TRUSTED)) if _inside(name, TRUSTED) else None


def _arguments(target: Any) -> list[str] | None:
    try:
        taken = inspect.signature(target).parameters.values()
    except (TypeError, ValueError):  # of C, without one
        return None
    return None if any(one.kind is one.VAR_KEYWORD for one in taken) else [one.name for one in taken]


def _resolve(name: str, trusted: Sequence[str]) -> Any:
    if not isinstance(name, str):
        raise ValueError(f"_target_: expected the name of a class, got {name!r}")
    if not _inside(name, trusted):
        ours = ("csbsr" if prefix.startswith("csbsr.") else prefix for prefix in trusted)
        packages = dict.fromkeys((*ours, name.split(".")[0]))
        raise ValueError(
            f"_target_ {name!r} lies outside the trusted packages ({', '.join(trusted)}); "
            f"if you trust where this description comes from, say trusted=[{','.join(packages)}]"
        )
    module, _, attribute = present_name(name).rpartition(".")
    try:
        target = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError, TypeError) as error:  # the last two: no dotted name
        raise ValueError(
            f"_target_ {name!r} cannot be imported: {error}; install its package, or put its folder on PYTHONPATH"
        ) from error
    # Not whatever else can be reached through csbsr: with `build` itself a description could widen its own trust.
    origin = getattr(target, "__module__", "")
    part = _inside(origin, trusted) and (isinstance(target, type) or origin in _FACTORIES)
    if name.startswith("csbsr.") and not part:
        raise ValueError(f"_target_ {name!r} is no part of a system; expected a class that csbsr defines")
    return target


def _inside(name: str, packages: Sequence[str]) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)
