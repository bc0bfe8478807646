"""Which calls are known by the name of what they call."""

from __future__ import annotations

from functools import cache

from graphlens.diff.check.arguments import KNOWN_FUNCTIONS
from graphlens.diff.opinfo import lookup
from graphlens.program.graph import Node

KERNEL = "kernel_idx"
"""The keyword that names a triton kernel by a number in a table of the process."""


def foreign(node: Node) -> bool:
    """Whether a call is of none of torch's operators nor a function of torch or Python, which are known by name."""
    if node.kwargs and type(node.kwargs.get(KERNEL)) is int:
        return True
    return unknown_name(node.target)


@cache
def unknown_name(target: str) -> bool:
    """Whether a function is neither one of torch's operators nor of torch or Python."""
    return lookup(target) is None and not target.startswith(KNOWN_FUNCTIONS)
