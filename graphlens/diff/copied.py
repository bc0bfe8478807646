"""Graphs of which one is a copy of the other: which of their pairs Python's own `==` does not settle."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from operator import attrgetter

from graphlens.diff.alignment import Pair
from graphlens.diff.fields_meta import TEXTS
from graphlens.diff.matching import GraphMatch
from graphlens.program.graph import Node
from graphlens.program.value import TensorValue

_SETTLED = frozenset({TensorValue, type(None)})
_VALUE, _META = attrgetter("value"), attrgetter("meta")


def may_differ(match: GraphMatch) -> Iterator[tuple[Pair, Node, Node]]:
    """Yield the pairs of a copied graph that need a look: where `==` may call literals of two types equal."""
    closer = match.checked.closer if match.checked is not None else frozenset()
    nodes = match.a.nodes
    suspects = {node.name for node in match.a.by_op.get("output", ())} | closer
    if not _SETTLED.issuperset(map(type, map(_VALUE, nodes))):
        suspects |= {node.name for node in nodes if type(node.value) not in _SETTLED}
    if not TEXTS.issuperset(chain.from_iterable(map(_META, nodes))):
        suspects |= {node.name for node in nodes if not node.meta.keys() <= TEXTS}
    for pair in match.alignment.pairs if suspects else ():
        if pair.a in suspects:
            yield pair, match.a[pair.a], match.b[pair.b]
