"""What a node computes, written down exactly, and whether computing it once more gives the same once more."""

from __future__ import annotations

from collections.abc import Mapping

from graphlens.diff.check.live import Facts
from graphlens.diff.check.storage import Storages
from graphlens.diff.effects import PURE, hands_on_first
from graphlens.program.argument import Argument, Const, Map, Opaque, Ref, Seq, Slice, children, literal_text
from graphlens.program.graph import Node
from graphlens.program.value import SymValue, TensorValue, Value


def repeatable(node: Node, facts: Facts) -> bool:
    """Whether doing it twice gives the same twice. Memory that is not initialised holds anything."""
    if node.op == "get_attr":
        return node.name not in facts.bodies
    if node.op != "call_function" or node.subgraphs or "empty" in node.target:
        return False
    does = facts.does.get(node.name, PURE)
    return does is PURE or (does.pure and (isinstance(node.value, SymValue) or hands_on_first(node.target)))


def one_object(node: Node) -> bool:
    """Whether it is the same object, or an immutable one, however often it is asked for."""
    return node.op == "get_attr" or isinstance(node.value, SymValue)


def unseen(node: Node, storages: Storages) -> bool:
    """Whether nothing is written that would tell one of it from two."""
    return (
        not storages.written
        or one_object(node)
        or storages.written.isdisjoint(storages.roots((node.name, *node.inputs)))
    )


def written_down(node: Node, leader: Mapping[str, str]) -> tuple[object, ...] | None:
    """Write down what a node computes, exactly; `None` where an argument cannot be. Operands are called by their `leader`."""
    parts: list[object] = [node.op, node.target, *node.kwargs, facets(node.value)]
    stack: list[Argument] = [*node.args, *node.kwargs.values()]
    while stack:
        top = stack.pop()
        if isinstance(top, Opaque):
            return None
        if isinstance(top, Ref):
            parts.append(("ref", leader.get(top.node, top.node)))
        elif isinstance(top, Const):
            parts.append((top.kind, top.text))
        elif isinstance(top, Seq | Map | Slice):
            inner = children(top)
            parts.append((type(top).__name__, top.kind if isinstance(top, Seq) else "", len(inner)))
            stack.extend(inner)
        else:
            parts.append((type(top), literal_text(top)))
    return tuple(parts)


def facets(value: Value | None) -> object:
    if isinstance(value, TensorValue):
        return (
            value.shape,
            value.dtype,
            value.stride,
            value.storage_offset,
            value.device,
            value.layout,
            value.conj,
            value.neg,
        )
    return value
