"""Graphs of which one is a copy of the other: which of their pairs Python's own `==` does not settle."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from graphlens.diff.alignment import Pair
from graphlens.diff.fields_meta import TEXTS
from graphlens.diff.matching import GraphMatch
from graphlens.program.graph import Node
from graphlens.program.value import TensorValue

_SETTLED = (TensorValue, type(None))


def may_differ(match: GraphMatch) -> Iterator[tuple[Pair, Node, Node]]:
    """Yield the pairs of a copied graph that need a look: where `==` may call literals of two types equal."""
    closer = match.checked.closer if match.checked is not None else frozenset()
    nodes = match.a.nodes
    texts = TEXTS.issuperset(chain.from_iterable([node.meta for node in nodes]))
    suspects = {
        node.name
        for node in nodes
        if node.name in closer
        or node.op == "output"
        or type(node.value) not in _SETTLED
        or not (texts or node.meta.keys() <= TEXTS)
    }
    for pair in match.alignment.pairs if suspects else ():
        if pair.a in suspects:
            yield pair, match.a[pair.a], match.b[pair.b]
