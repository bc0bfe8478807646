"""How well an alignment hangs together: counts that need no known truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from graphlens.diff.alignment import Alignment, GraphAlignment, bodies_of_ambiguous
from graphlens.program.argument import Argument, Map, Ref, Seq, Slice, leaves
from graphlens.program.graph import Graph, Node, modules_of
from graphlens.program.program import Program


class Quality(Struct, frozen=True, kw_only=True):
    """Counts over all aligned graphs. A shift of equal layers is consistent in itself, so they prove nothing.

    Attributes
    ----------
    nodes_a, nodes_b, matched, grouped, ambiguous, only_a, only_b
        Nodes of each side; pairs; nodes in groups, ambiguous nodes and unmatched nodes (both sides together for the
        first two).
    edges, edges_agree, edges_rewired
        Operand edges between matched nodes of `a`, those whose partner uses the partner in the same place, those whose
        partner uses another matched node there.
    regions_split, nodes_split
        Modules whose nodes went to more than one module, and the nodes outside the module that got most of them.
    children_out_of_place
        Matched nodes with a matched operand edge that lies between other modules on the other side.
    cost, lower_bound
        Unmatched nodes plus two for every pair with another target, and what no alignment can go below: the
        difference of the two multisets of targets.
    """

    nodes_a: int = 0
    nodes_b: int = 0
    matched: int = 0
    grouped: int = 0
    ambiguous: int = 0
    only_a: int = 0
    only_b: int = 0
    edges: int = 0
    edges_agree: int = 0
    edges_rewired: int = 0
    regions_split: int = 0
    nodes_split: int = 0
    children_out_of_place: int = 0
    cost: int = 0
    lower_bound: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return msgspec.structs.asdict(self)


def quality(a: Program, b: Program, alignment: Alignment) -> Quality:
    """Count how well a proposed alignment hangs together, graph by graph, in time linear in nodes and edges."""
    total: Counter[str] = Counter()
    for graph in alignment.graphs:
        total.update(_graph(a.graphs[graph.path_a], b.graphs[graph.path_b], graph))
    unclear = bodies_of_ambiguous(alignment)
    sides = (a, alignment.only_a, "a"), (b, alignment.only_b, "b")
    for (program, paths, side), bodies in zip(sides, unclear, strict=True):
        for path in paths:
            count = len(program.graphs[path])
            total[f"nodes_{side}"] += count
            total.update(
                {"ambiguous": count} if path in bodies else {f"only_{side}": count, "cost": count, "lower_bound": count}
            )
    return Quality(**total)


def _graph(a: Graph, b: Graph, alignment: GraphAlignment) -> Counter[str]:
    mate = {pair.a: pair.b for pair in alignment.pairs}
    grouped = sum(len(group.a) + len(group.b) for group in alignment.groups)
    only = len(alignment.only_a) + len(alignment.only_b)
    retargeted = sum(1 for x, y in mate.items() if _label(a[x]) != _label(b[y]))
    counts = Counter(
        nodes_a=len(a),
        nodes_b=len(b),
        matched=len(mate),
        grouped=grouped,
        ambiguous=sum(len(entry.a) + len(entry.b) for entry in alignment.ambiguous),
        only_a=len(alignment.only_a),
        only_b=len(alignment.only_b),
        cost=only + grouped + 2 * retargeted,
        lower_bound=_lower_bound(a, b),
    )
    counts.update(_edges(a, b, mate))
    counts.update(_regions(a, b, mate))
    return counts


def _label(node: Node) -> str:
    return node.target if node.op == "call_function" else node.op


def _lower_bound(a: Graph, b: Graph) -> int:
    ours, theirs = (Counter(_label(node) for node in graph.nodes) for graph in (a, b))
    return (ours - theirs).total() + (theirs - ours).total()


def _edges(a: Graph, b: Graph, mate: Mapping[str, str]) -> Counter[str]:
    edges = agree = rewired = 0
    for x, y in mate.items():
        theirs = None
        for place, used in _operands(a[x]).items():
            partner = mate.get(used)
            if partner is None:
                continue
            theirs = _operands(b[y]) if theirs is None else theirs
            other = theirs.get(place)
            edges += 1
            agree += partner == other
            rewired += other is not None and partner != other
    return Counter(edges=edges, edges_agree=agree, edges_rewired=rewired)


def _operands(node: Node) -> dict[tuple[int | str, int], str]:
    found: dict[tuple[int | str, int], str] = {}
    places: list[tuple[int | str, Argument]] = [*enumerate(node.args), *node.kwargs.items()]
    for key, argument in places:
        if isinstance(argument, Ref):
            found[key, 0] = argument.node
        elif isinstance(argument, Seq | Map | Slice):
            found |= {(key, i): leaf.node for i, leaf in enumerate(leaves(argument)) if isinstance(leaf, Ref)}
    return found


def _regions(a: Graph, b: Graph, mate: Mapping[str, str]) -> Counter[str]:
    inside_a, inside_b = map(_modules, (a, b))
    went: dict[str, Counter[str]] = {}
    for x, y in mate.items():
        module = inside_a[x]
        if module:
            went.setdefault(module, Counter())[inside_b[y]] += 1
    split = [targets.total() - max(targets.values()) for targets in went.values()]
    out_of_place = 0
    for x, y in mate.items():
        if not inside_a[x]:
            continue
        for used in a[x].inputs:
            if used in mate and inside_a[used]:
                out_of_place += (inside_a[used] == inside_a[x]) != (inside_b[mate[used]] == inside_b[y])
    return Counter(
        regions_split=sum(1 for count in split if count),
        nodes_split=sum(split),
        children_out_of_place=out_of_place,
    )


def _modules(graph: Graph) -> dict[str, str]:
    return {node.name: module for node, module in zip(graph.nodes, modules_of(graph.nodes), strict=True)}
