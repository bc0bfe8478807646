"""graphlens: the lens for PyTorch graphs. See what was captured, what became of it, and whether it is still the same."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from graphlens.errors import ArchiveError, GraphLensError

if TYPE_CHECKING:
    from graphlens.diff import Diff, diff
    from graphlens.program.program import Program
    from graphlens.read import read
    from graphlens.stages import RoundTrip, roundtrip
    from graphlens.view import GraphView, report, view

__version__ = "0.1.0"

_LAZY = {
    "Program": "graphlens.program.program",
    "read": "graphlens.read",
    "Diff": "graphlens.diff",
    "diff": "graphlens.diff",
    "RoundTrip": "graphlens.stages",
    "roundtrip": "graphlens.stages",
    "GraphView": "graphlens.view",
    "view": "graphlens.view",
    "report": "graphlens.view",
}

__all__ = [
    "ArchiveError",
    "Diff",
    "GraphLensError",
    "GraphView",
    "Program",
    "RoundTrip",
    "__version__",
    "diff",
    "read",
    "report",
    "roundtrip",
    "view",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'graphlens' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)


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
