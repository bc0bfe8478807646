"""Two programs of the same names, calls and signature: nothing to search for."""

from __future__ import annotations

from collections import Counter

from graphlens.diff.alignment import Alignment, GraphAlignment, Pair
from graphlens.diff.search import symbols
from graphlens.diff.search.labels import generated, token_for
from graphlens.diff.search.prepare import reachable
from graphlens.program.graph import Graph, Node
from graphlens.program.program import Program

_SIGNED = ("placeholder", "output")


def unchanged(a: Program, b: Program) -> Alignment | None:
    """Pair every node with the one of its name, if all of them are called alike in one order; else return `None`."""
    paths = list(a.graphs)
    if paths != list(b.graphs) or a.inputs != b.inputs or a.outputs != b.outputs:
        return None
    if len(reachable(a)) != len(paths) or not _constants_agree(a, b):
        return None
    if not all(_alike(a.graphs[path], b.graphs[path]) for path in paths):
        return None
    found: Counter[symbols.Vote] = Counter()
    if a.symbol_table and b.symbol_table:
        for path in paths:
            pairs = zip(a.graphs[path].nodes, b.graphs[path].nodes, strict=True)
            found.update(symbols.votes((x.value, y.value) for x, y in pairs))
    graphs = tuple(GraphAlignment(path_a=path, path_b=path, pairs=_pairs(a.graphs[path])) for path in paths)
    return Alignment(graphs=graphs, symbols=tuple(symbols.elect(found).items()))


def _alike(a: Graph, b: Graph) -> bool:
    try:
        return a.copies(b) or (len(a) == len(b) and all(map(_same_call, a.nodes, b.nodes)))
    except RecursionError:  # arguments nested too deep for Python's `==`
        return False


def _same_call(x: Node, y: Node) -> bool:
    return x is y or (
        x.name == y.name
        and x.target == y.target
        and x.op == y.op
        and x.args == y.args
        and x.kwargs == y.kwargs
        and x.subgraphs == y.subgraphs
        and x.code == y.code
    )


def _constants_agree(a: Program, b: Program) -> bool:
    """Whether constants whose names a tracer made up have the same values; such names may have changed hands."""
    token = token_for(a, b)
    ours = {each.fqn: each for each in a.stored if generated(each.fqn)}
    theirs = {each.fqn: each for each in b.stored if generated(each.fqn)}
    return ours.keys() == theirs.keys() and all(token(ours[fqn]) == token(theirs[fqn]) for fqn in ours)


def _pairs(graph: Graph) -> tuple[Pair, ...]:
    said = {
        op: ("signature", ("the same place in the signature",)) if op in _SIGNED else ("same", ("the same call",))
        for op in {node.op for node in graph.nodes}
    }
    return tuple(
        Pair(a=node.name, b=node.name, match=said[node.op][0], confidence=1.0, witnesses=said[node.op][1])
        for node in graph.nodes
    )
