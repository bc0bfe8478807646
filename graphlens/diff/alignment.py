"""What a search for corresponding nodes hands on: proposals with their evidence, plain data.

Nothing here is a verdict. `graphlens.diff.verify` decides what is the same; `graphlens.diff.fields` says what differs.
"""

from __future__ import annotations

from msgspec import Struct


class Pair(Struct, frozen=True, gc=False):
    """One node of `a` proposed to be one node of `b`.

    `match` names the evidence: ``pinned signature same symmetric name provenance propagated replayed similar`` (with
    ``up to sizes``, ``up to literals`` or ``up to dialect`` appended where a weaker key was used); `confidence` is in (0, 1];
    `witnesses` are short texts for people.
    """

    a: str
    b: str
    match: str
    confidence: float
    witnesses: tuple[str, ...] = ()


class Group(Struct, frozen=True, kw_only=True, gc=False):
    """Several nodes on one side proposed to be what became of one or several on the other."""

    a: tuple[str, ...]
    b: tuple[str, ...]
    match: str
    confidence: float
    witnesses: tuple[str, ...] = ()


class Ambiguous(Struct, frozen=True, kw_only=True, gc=False):
    """Nodes that evidence cannot tell apart: some of `a` are some of `b`, and which is not known.

    `differs` says that the checker accepts none of the assignments that were tried.
    """

    a: tuple[str, ...]
    b: tuple[str, ...]
    reason: str
    differs: bool = False


class GraphAlignment(Struct, frozen=True, kw_only=True):
    """The proposals for one pair of graphs. Each live node stands in exactly one of the six parts."""

    path_a: str
    path_b: str
    pairs: tuple[Pair, ...] = ()
    groups: tuple[Group, ...] = ()
    ambiguous: tuple[Ambiguous, ...] = ()
    only_a: tuple[str, ...] = ()
    only_b: tuple[str, ...] = ()


class Alignment(Struct, frozen=True, kw_only=True):
    """The proposals for two programs: matched graphs in the order of `a`, then the graphs only one side has."""

    graphs: tuple[GraphAlignment, ...]
    only_a: tuple[str, ...] = ()
    only_b: tuple[str, ...] = ()
    symbols: tuple[tuple[str, str], ...] = ()


def bodies_of_ambiguous(alignment: Alignment) -> tuple[dict[str, str], dict[str, str]]:
    """Map the nested graphs of `a`, and those of `b`, that belong to an ambiguous call to that call: nobody knows whose they became."""
    calls = [
        {
            (path, name)
            for graph in alignment.graphs
            for unclear in graph.ambiguous
            for path, name in _places(graph, unclear, side)
        }
        for side in "ab"
    ]
    ours, theirs = (
        {path: call for path in paths if (call := _held_by(path, found))}
        for paths, found in zip((alignment.only_a, alignment.only_b), calls, strict=True)
    )
    return ours, theirs


def _places(graph: GraphAlignment, unclear: Ambiguous, side: str) -> list[tuple[str, str]]:
    path, names = (graph.path_a, unclear.a) if side == "a" else (graph.path_b, unclear.b)
    return [(path, name) for name in names]


def _held_by(path: str, calls: set[tuple[str, str]]) -> str:
    """Return the outermost of these calls that a graph path leads through."""
    steps = path.split("/") if calls else []
    for i, step in enumerate(steps):
        name = step.rpartition(".")[0]
        if ("/".join(steps[:i]), name) in calls:
            return name
    return ""
