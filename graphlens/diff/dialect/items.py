"""Which storage indexing touches: what it reads may be a view, what it is given is copied."""

from __future__ import annotations

from graphlens.diff.dialect.indexing import ValueOf, indexed
from graphlens.diff.dialect.spelling import PLAIN, SETITEM
from graphlens.program.argument import Ref, refs
from graphlens.program.graph import Node
from graphlens.program.value import TensorValue

Names = tuple[str, ...]


def writes_and_shares(node: Node, value_of: ValueOf) -> tuple[Names, Names] | None:
    """Name what ``x[index]`` or ``x[index] = y`` of a plain tensor writes, and what its result may share storage with.

    `None` where the container is anything else.
    """
    base = node.args[0] if node.args else None
    value = value_of(base.node) if isinstance(base, Ref) else None
    if not isinstance(base, Ref) or not isinstance(value, TensorValue) or value.type not in PLAIN or node.kwargs:
        return None
    if node.target == SETITEM:
        return (base.node,), (base.node,)
    if len(node.args) != 2:
        return None
    found, tensors = indexed(base, node.args[1], value_of), map(value_of, refs(node.args[1]))
    gathers = found is not None and found[0] == "index" and all(isinstance(x, TensorValue) and x.shape for x in tensors)
    return ((), ()) if gathers else ((), (base.node,))
