"""Which calls take a tuple for a list: operators convert both, indexing and a user's function tell them apart."""

from __future__ import annotations

from collections.abc import Mapping

from graphlens.diff.opinfo import find, lookup, packets
from graphlens.program.graph import Node


def takes_either(node: Node, schemas: Mapping[str, str]) -> bool:
    """Whether a node computes the same when a tuple among its arguments is a list; `False` where that is not known."""
    if node.op == "output":
        return True
    if node.op == "call_method":
        return f"aten.{node.target}" in packets()
    if node.op != "call_function":
        return False
    if node.target.endswith("item__"):
        return False
    return node.target.startswith(("higher_order.", "torch.")) or find(node.target, schemas) is not None


def takes_any_order(node: Node) -> bool:
    """Whether a node computes the same when its keywords stand in another order: one that collects them may not."""
    if node.op == "call_method":
        return f"aten.{node.target}" in packets()
    return node.op == "call_function" and (
        node.target.startswith(("higher_order.", "torch.")) or lookup(node.target) is not None
    )
