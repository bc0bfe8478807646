"""Two programs to a `Diff`: which node became which, what differs, how bad that is. Imports no torch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphlens.diff.comparison import compare
    from graphlens.diff.diff import Diff
    from graphlens.diff.many import ManyDiff, compare_many
    from graphlens.diff.proof import Proof
    from graphlens.diff.rows import Mismatch
    from graphlens.diff.settings import StackTraces

__all__ = ["Diff", "ManyDiff", "Mismatch", "Proof", "StackTraces", "compare", "compare_many"]

_LAZY = {
    "Diff": "graphlens.diff.diff",
    "ManyDiff": "graphlens.diff.many",
    "Mismatch": "graphlens.diff.rows",
    "Proof": "graphlens.diff.proof",
    "StackTraces": "graphlens.diff.settings",
    "compare": "graphlens.diff.comparison",
    "compare_many": "graphlens.diff.many",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'graphlens.diff' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)
