"""What the nodes of a nested graph do, summed up for the call that holds it."""

from __future__ import annotations

from collections.abc import Mapping

from graphlens.diff.effects import PURE, Behaviour
from graphlens.program.graph import Node


def body_behaviour(nodes: tuple[Node, ...], each: Mapping[str, Behaviour]) -> Behaviour:
    """Sum up what the nodes of a nested graph do: its kinds of effects, and whether it writes anything it was given.

    A write to a value that the body made itself stays inside it.
    """
    kinds: dict[str, None] = {}
    outside = {node.name for node in nodes if node.op in ("placeholder", "get_attr")}
    written: dict[str, None] = {}
    for node in nodes:
        does = each.get(node.name, PURE)
        if outside.intersection(does.shares):
            outside.add(node.name)
        kinds |= dict.fromkeys(does.effects)
        written |= dict.fromkeys(name for name in does.writes if name in outside)
    return Behaviour(tuple(kinds), tuple(written), ())
