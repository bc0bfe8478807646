"""Nodes of which evidence does not say which became which, and whether there are as many of them on both sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Final

from graphlens.diff.alignment import Ambiguous, Group
from graphlens.diff.dialect import called, speaks_python, spell
from graphlens.diff.fields_lone import LoneNodes
from graphlens.diff.matching import GraphMatch
from graphlens.diff.placed import Placed, place
from graphlens.diff.rows import Finding, Kind, shorten
from graphlens.diff.wording import times
from graphlens.program.graph import Node

UNEVEN: Final = "uneven"
REFUSED: Final = "refused"
_SHORT: Final = 72
"""Longer lists of what is called say how many of each there are."""


def unclear_nodes(match: GraphMatch, lone: LoneNodes) -> Iterator[Placed]:
    """Yield a row for each class of nodes that are ambiguous.

    Where one side has more calls of a target, some of them have no counterpart, whichever they are, and where the checker
    accepts no assignment, something among them differs: the aspect says so, unless a node gone or new explains it.
    """
    nodes_a, nodes_b = match.nodes
    function = _functions(match)
    left_over = _left_over(match, lone, function) if match.alignment.ambiguous else set()
    for unclear in match.alignment.ambiguous:
        ours, theirs = [nodes_a[n] for n in unclear.a], [nodes_b[n] for n in unclear.b]
        counts = Counter(function[0](node) for node in ours)
        counts.subtract(function[1](node) for node in theirs)
        uneven = any((target, count > 0) in left_over for target, count in counts.items() if count)
        refused = unclear.reason if left_over else _refused(match, lone, unclear)
        first_a, first_b = ours[0] if ours else None, theirs[0] if theirs else None
        yield place(
            match,
            first_a,
            first_b,
            bundle_row(unclear, ours, theirs, "ambiguous", UNEVEN if uneven else refused),
        )


Function = Callable[[Node], str]


def _functions(match: GraphMatch) -> tuple[Function, Function]:
    """Name what a node calls: across dialects the same for both, however each tells it."""
    nodes = match.nodes
    if not any(speaks_python(node.op, node.target) for graph in (match.a, match.b) for node in graph.nodes):
        return (lambda node: node.target), (lambda node: node.target)

    def name(node: Node, side: int) -> str:
        said = spell(node, {}, lambda other: nodes[side][other].value if other in nodes[side] else None)
        return said.function if said is not None else called(node) or node.target

    return (lambda node: name(node, 0)), (lambda node: name(node, 1))


def _refused(match: GraphMatch, lone: LoneNodes, unclear: Ambiguous) -> str:
    if not unclear.differs:
        return unclear.reason
    for side, names in enumerate((unclear.a, unclear.b)):
        graph = match.b if side else match.a
        near = {x for name in names for x in (*graph[name].inputs, *graph.users.get(name, ()))}
        if any(match.is_lone(x, side="ab"[side]) and not lone.aspect(match, x, side=side) for x in near if x in graph):
            return unclear.reason
    return REFUSED


def _left_over(match: GraphMatch, lone: LoneNodes, function: tuple[Function, Function]) -> set[tuple[str, bool]]:
    """Find the functions of which one side has more ambiguous calls that compute something; ``True`` says it is `a`."""
    nodes = match.nodes
    entries = match.alignment.ambiguous
    names = [name for entry in entries for name in entry.a], [name for entry in entries for name in entry.b]
    counts = [Counter(function[side](nodes[side][name]) for name in names[side]) for side in (0, 1)]
    found: set[tuple[str, bool]] = set()
    for side in (0, 1):
        more = {target for target, count in counts[side].items() if count > counts[1 - side][target]}
        computing = Counter(
            function[side](nodes[side][name])
            for name in names[side]
            if function[side](nodes[side][name]) in more and not lone.aspect(match, name, side=side)
        )
        found |= {(target, side == 0) for target, count in computing.items() if count > counts[1 - side][target]}
    return found


def bundle_row(bundle: Group | Ambiguous, ours: list[Node], theirs: list[Node], kind: Kind, aspect: str) -> Finding:
    """Make the row of several nodes of either side."""
    texts = [_targets(nodes) for nodes in (ours, theirs)]
    return Finding(
        field="target",
        kind=kind,
        a=shorten(texts[0]),
        b=shorten(texts[1]),
        aspect=aspect,
        value_a=bundle.a,
        value_b=bundle.b,
    )


def _targets(nodes: list[Node]) -> str:
    """Write what several nodes call, in their order: ``aten.linear ×3``; of many only the most frequent."""
    targets = [node.target.removesuffix(".default") for node in nodes]
    text = ", ".join(times(target, len(list(run))) for target, run in groupby(targets))
    if len(text) <= _SHORT:
        return text
    found = Counter(targets)
    most = ", ".join(times(target, count) for target, count in found.most_common(2))
    return f"{len(targets)} nodes ({most}{', …' if len(found) > 2 else ''})"
