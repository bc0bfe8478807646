"""What is compared: pairs of values, and the nodes between them and the nearest values that both sides have. Imports no torch."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

from msgspec import Struct

from graphlens.diff.alignment import GraphAlignment
from graphlens.program.graph import Graph, Node
from graphlens.program.value import TensorValue, Value

ABSORB_LIMIT = 64
"""Nodes without a counterpart that a local rerun runs along at most."""


class Unit(Struct, frozen=True, kw_only=True):
    """A pair of nodes whose values are held against each other, with what a local rerun needs.

    `nodes_a`, `nodes_b` are in topological order and end with the pair itself; the nodes before it have no counterpart.
    `inputs_a` are what `nodes_a` use from outside; `inputs_b` maps what `nodes_b` use to the node of `a` that stands
    in for it, `None` where it has none. Without `local`, too much lies in between for a rerun to mean anything.
    """

    a: str
    b: str
    match: str
    nodes_a: tuple[str, ...]
    nodes_b: tuple[str, ...]
    inputs_a: tuple[str, ...] = ()
    inputs_b: Mapping[str, str | None]
    local: bool = True


def units(a: Graph, b: Graph, alignment: GraphAlignment) -> tuple[Unit, ...]:
    """Make the units of two aligned graphs, in the order of `a`."""
    found = _gaps(a, b, {**_pairs(a, b, alignment), **_group_pairs(a, b, alignment)})
    mate_b = {right: left for left, (right, _) in found.items()}
    made = []
    for node in a.nodes:
        if node.name not in found:
            continue
        partner, match = found[node.name]
        nodes_a, inputs_a = _absorb(a, node.name, found)
        nodes_b, inputs_b = _absorb(b, partner, mate_b)
        made.append(
            Unit(
                a=node.name,
                b=partner,
                match=match,
                nodes_a=nodes_a,
                nodes_b=nodes_b,
                inputs_a=inputs_a,
                inputs_b={name: mate_b.get(name) for name in inputs_b},
                local=len(nodes_a) <= ABSORB_LIMIT and len(nodes_b) <= ABSORB_LIMIT,
            )
        )
    return tuple(made)


def _pairs(a: Graph, b: Graph, alignment: GraphAlignment) -> dict[str, tuple[str, str]]:
    held = _subgraph_holders(a) | _subgraph_holders(b)
    return {
        pair.a: (pair.b, pair.match)
        for pair in alignment.pairs
        if a[pair.a].op != "output" and b[pair.b].op != "output" and pair.a not in held
    }


def _subgraph_holders(graph: Graph) -> set[str]:
    """Names of the get_attr nodes that hold a nested graph, not a value."""
    attributes = {sub.attribute for node in graph.nodes for sub in node.subgraphs if sub.attribute}
    return {node.name for node in graph.nodes if node.op == "get_attr" and node.target in attributes}


def _group_pairs(a: Graph, b: Graph, alignment: GraphAlignment) -> dict[str, tuple[str, str]]:
    """Pair the values that leave a group, where there is one on each side, or as many and of the same shapes and dtypes."""
    found: dict[str, tuple[str, str]] = {}
    for group in alignment.groups:
        left, right = _leaving(a, group.a), _leaving(b, group.b)
        if len(left) != len(right):
            continue
        if len(left) == 1 or all(_alike(a[x].value, b[y].value) for x, y in zip(left, right, strict=True)):
            match = group.match if group.match.startswith("group") else f"group {len(group.a)}:{len(group.b)}"
            found |= {x: (y, match) for x, y in zip(left, right, strict=True)}
    return found


def _leaving(graph: Graph, names: Iterable[str]) -> list[str]:
    """The members of a group that are used outside it, in topological order."""
    inside = set(names)
    leaving = [n for n in inside if any(user not in inside for user in graph.users.get(n, ()))]
    return sorted(leaving, key=graph.index.__getitem__)


def _gaps(a: Graph, b: Graph, found: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """Add the pairs that stand alone between matched values: one node on each side, in the same slot, of one shape.

    An op that was replaced by another is such a pair, and it is the one that a user wants named.
    """
    mate_b = {right: left for left, (right, _) in found.items()}
    added: dict[str, tuple[str, str]] = {}
    for node in a.nodes:
        if node.name in found:
            for x, y in zip(node.inputs, b[found[node.name][0]].inputs, strict=False):
                new = x not in found and y not in mate_b
                if new and _lone(a, x, found) and _lone(b, y, mate_b) and _alike(a[x].value, b[y].value):
                    added.setdefault(x, (y, "replaced"))
    taken: set[str] = set()
    for x, (y, match) in added.items():
        if y not in taken:
            taken.add(y)
            found[x] = (y, match)
    return found


def _lone(graph: Graph, name: str, known: Container[str]) -> bool:
    node = graph[name]
    return node.op.startswith("call_") and all(source in known for source in _value_inputs(graph, node))


def _value_inputs(graph: Graph, node: Node) -> list[str]:
    held = {sub.attribute for sub in node.subgraphs}
    return [n for n in node.inputs if not (graph[n].op == "get_attr" and graph[n].target in held)]


def _alike(a: Value | None, b: Value | None) -> bool:
    """Whether two values may be held against each other element by element; unknown ones may not."""
    if isinstance(a, TensorValue) and isinstance(b, TensorValue):
        return len(a.shape) == len(b.shape) and a.dtype == b.dtype and _same_sizes(a.shape, b.shape)
    return False


def _same_sizes(a: Sequence[int | str], b: Sequence[int | str]) -> bool:
    """Symbols of two programs are numbered apart, so any two symbolic sizes may agree."""
    return all(x == y or (isinstance(x, str) and isinstance(y, str)) for x, y in zip(a, b, strict=True))


def _absorb(graph: Graph, name: str, known: Container[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Collect a node and its ancestors without a counterpart; return them in order, and what they use from outside."""
    inside = {name}
    inputs: dict[str, None] = {}
    stack = [name]
    while stack and len(inside) <= ABSORB_LIMIT:
        node = graph[stack.pop()]
        for source in node.inputs:
            if source in inside:
                continue
            if source in known or graph[source].op in ("placeholder", "get_attr"):
                inputs[source] = None
            else:
                inside.add(source)
                stack.append(source)
    return tuple(sorted(inside, key=graph.index.__getitem__)), tuple(inputs)
