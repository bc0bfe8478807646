"""Arguments that only name the nested graph that a call holds: tracers number them, and kernels do not see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from graphlens.program.graph import Node

IDENTIFIERS: Final[Mapping[str, int]] = {"higher_order.invoke_subgraph": 1}
"""The place of the name, by target."""


def identifiers(a: Node, b: Node) -> tuple[str, str] | None:
    """Return the names that two calls give their nested graphs, where both give one."""
    place = IDENTIFIERS.get(a.target)
    if place is None or a.target != b.target or max(len(a.args), len(b.args)) <= place:
        return None
    x, y = a.args[place], b.args[place]
    return (x, y) if isinstance(x, str) and isinstance(y, str) else None
