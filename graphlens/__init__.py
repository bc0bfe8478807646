"""graphlens: the lens for PyTorch graphs. See what was captured, what became of it, and whether it is still the same."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from graphlens.errors import ArchiveError, GraphLensError
from graphlens.version import __version__

if TYPE_CHECKING:
    from graphlens.api import capture, diff, diff_many, numerics, read, report, roundtrip, view
    from graphlens.diff import Diff
    from graphlens.program.program import Program
    from graphlens.stages import RoundTrip
    from graphlens.stages.capture import Capture
    from graphlens.stages.conformance import Conformance, conformance
    from graphlens.stages.numerics import Numerics
    from graphlens.stages.preflight import preflight
    from graphlens.stages.watch import watch
    from graphlens.view import GraphView


_LAZY = {
    "Capture": "graphlens.stages.capture",
    "Conformance": "graphlens.stages.conformance",
    "Diff": "graphlens.diff",
    "GraphView": "graphlens.view",
    "Numerics": "graphlens.stages.numerics",
    "Program": "graphlens.program.program",
    "RoundTrip": "graphlens.stages",
    "capture": "graphlens.api",
    "conformance": "graphlens.stages.conformance",
    "diff": "graphlens.api",
    "diff_many": "graphlens.api",
    "numerics": "graphlens.api",
    "preflight": "graphlens.stages.preflight",
    "read": "graphlens.api",
    "report": "graphlens.api",
    "roundtrip": "graphlens.api",
    "view": "graphlens.api",
    "watch": "graphlens.stages.watch",
}

__all__ = [
    "ArchiveError",
    "Capture",
    "Conformance",
    "Diff",
    "GraphLensError",
    "GraphView",
    "Numerics",
    "Program",
    "RoundTrip",
    "__version__",
    "capture",
    "conformance",
    "diff",
    "diff_many",
    "numerics",
    "preflight",
    "read",
    "report",
    "roundtrip",
    "view",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'graphlens' has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(_LAZY[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(ipython: Any) -> None:
    """Register the `%graphlens` magics (`%load_ext graphlens`)."""
    from graphlens.magic import register

    register(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """Remove the `%graphlens` magics."""
    from graphlens.magic import unregister

    unregister(ipython)


class _PublicModule(ModuleType):
    """`graphlens.read` is the function also after the package of that name was imported, which would rebind it."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _LAZY and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _PublicModule
