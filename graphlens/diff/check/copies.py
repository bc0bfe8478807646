"""A graph and its copy: which of their pairs a sweep over all of them settles."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, compress, repeat
from math import copysign
from operator import attrgetter, eq, is_
from typing import TypeAlias, TypeVar

from graphlens.diff.check.bench import Bench
from graphlens.diff.check.foreign import KERNEL, unknown_name
from graphlens.program.argument import Argument, Const, Ref, Seq
from graphlens.program.graph import Node

Nodes: TypeAlias = tuple[Node, ...]
_T = TypeVar("_T")

_EXACT = frozenset({Ref, int, str, bool, type(None), float, Seq, Const})
"""Types of which two arguments of one type are the same if they are equal, but for the sign of zeros."""

NAMED = frozenset({"dtype", "device", "layout", "memory_format", "qscheme"})
"""Kinds of constants that are their texts."""

_ARGS, _VALUE = attrgetter("args"), attrgetter("value")


def unsettled(bench: Bench) -> Iterable[tuple[str, str]]:
    """Return the pairs that take a look of their own; the edges of the others are counted.

    Where every node is paired with one of its name that is equal as Python compares, the operands are pairs too. What
    Python's `==` does not tell apart (`1` and `True`, the signs of zeros, the order of keywords) is told by the types of all
    arguments of either side, their signs and their keywords; what is recorded of the nodes, by the values that occur.
    """
    mate = bench.mate
    ours, theirs = bench.a.graph.nodes, bench.b.graph.nodes
    if bench.b.copy_of is not bench.a or len(mate) != len(ours) or not all(map(eq, mate, mate.values())):
        return mate.items()
    closer = _called_closer(ours)
    ours, theirs = _without(closer, ours), _without(closer, theirs)
    arguments = _arguments(ours)
    if not _plain(arguments):
        more = {node.name for node in ours if not _plain(_arguments((node,)))}
        ours, theirs = _without(more, ours), _without(more, theirs)
        arguments = _arguments(ours)
        closer |= more
    edges = [ref.node for ref in _of_type(Ref, arguments)]
    if not (_same(ours, theirs, arguments) and mate.keys() >= set(edges) and _values_agree(bench, ours, theirs)):
        return mate.items()
    bench.findings.edges += len(edges)
    return [(name, name) for name in mate if name in closer] if closer else ()


def _called_closer(nodes: Nodes) -> set[str]:
    """Name the nodes that call what is not known by its name, or hold graphs."""
    foreign = {target for target in {n.target for n in nodes if n.op == "call_function"} if unknown_name(target)}
    return {
        node.name
        for node in nodes
        if node.code or node.subgraphs or node.target in foreign or node.op == "call_module" or KERNEL in node.kwargs
    }


def _without(names: set[str], nodes: Nodes) -> Nodes:
    return tuple([node for node in nodes if node.name not in names]) if names else nodes


def _arguments(nodes: Iterable[Node]) -> list[Argument]:
    """List all arguments, then what is in the sequences among them, and so on."""
    level = list(chain.from_iterable(map(_ARGS, nodes)))
    level += chain.from_iterable([node.kwargs.values() for node in nodes if node.kwargs])
    found: list[Argument] = []
    while level:
        found += level
        level = list(chain.from_iterable([seq.items for seq in _of_type(Seq, level)]))
    return found


def _of_type(kind: type[_T], arguments: list[Argument]) -> list[_T]:
    return list(compress(arguments, map(is_, map(type, arguments), repeat(kind))))  # type: ignore[arg-type]


def _plain(arguments: list[Argument]) -> bool:
    if not _EXACT.issuperset(map(type, arguments)):
        return False
    return NAMED.issuperset([const.kind for const in _of_type(Const, arguments)])


def _same(a: Nodes, b: Nodes, arguments: list[Argument]) -> bool:
    """Whether the arguments of equal nodes, those of `a` given, are of equal types, signs and keywords."""
    others = _arguments(b)
    if list(map(type, arguments)) != list(map(type, others)):
        return False
    signs = [[copysign(1, each) for each in _of_type(float, side)] for side in (arguments, others)]
    words = [[word for node in nodes if node.kwargs for word in node.kwargs] for nodes in (a, b)]
    return signs[0] == signs[1] and words[0] == words[1]


def _values_agree(bench: Bench, a: Nodes, b: Nodes) -> bool:
    """Whether what is recorded agrees, in every combination of two values that occurs."""
    ours, theirs = list(map(_VALUE, a)), list(map(_VALUE, b))
    occurring = dict(zip(zip(map(id, ours), map(id, theirs), strict=True), zip(ours, theirs, strict=True), strict=True))
    values = bench.values
    return all(values.mismatch(x, y) is None and values.settled(x, y) for x, y in occurring.values())
