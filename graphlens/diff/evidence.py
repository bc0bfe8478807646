"""An alignment as rows: which node became which, on what evidence, and which fields differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from graphlens.diff.alignment import Alignment, GraphAlignment, bodies_of_ambiguous
from graphlens.diff.rows import Mismatch, NodeRow
from graphlens.program.graph import Graph
from graphlens.program.program import Program

Fields = dict[tuple[str, str], dict[str, None]]


def node_rows(a: Program, b: Program, alignment: Alignment, rows: Iterable[Mismatch]) -> tuple[NodeRow, ...]:
    """List every matched pair, group, ambiguous class and unmatched node, graph by graph in the order of `a`."""
    fields_a: Fields = defaultdict(dict)
    fields_b: Fields = defaultdict(dict)
    for row in rows:
        if row.node_a is not None:
            fields_a[row.graph, row.node_a][row.field] = None
        if row.node_b is not None:
            fields_b[row.graph_b or row.graph, row.node_b][row.field] = None
    found: list[NodeRow] = []
    for aligned in alignment.graphs:
        one, two = a.graphs[aligned.path_a], b.graphs[aligned.path_b]
        found.extend(_of_graph(aligned, one, two, fields_a, fields_b))
    unclear_a, unclear_b = bodies_of_ambiguous(alignment)
    for path in alignment.only_a:
        evidence = ("ambiguous", 0.0) if path in unclear_a else ("only_a", 1.0)
        graph = a.graphs[path]
        found.extend(_row(path, (node.name,), (), graph, None, *evidence, ("target",)) for node in graph.nodes)
    for path in alignment.only_b:
        evidence = ("ambiguous", 0.0) if path in unclear_b else ("only_b", 1.0)
        graph = b.graphs[path]
        found.extend(_row(path, (), (node.name,), None, graph, *evidence, ("target",)) for node in graph.nodes)
    return tuple(found)


def _of_graph(aligned: GraphAlignment, a: Graph, b: Graph, fields_a: Fields, fields_b: Fields) -> Iterator[NodeRow]:
    entries: list[tuple[int, NodeRow]] = []

    def add(ours: tuple[str, ...], theirs: tuple[str, ...], match: str, confidence: float) -> None:
        fields: dict[str, None] = {}
        for name in ours:
            fields |= fields_a.get((aligned.path_a, name), {})
        for name in theirs if len(theirs) > 1 or not ours else ():
            fields |= fields_b.get((aligned.path_b, name), {})
        at = min((a.index[name] for name in ours), default=len(a) + min((b.index[name] for name in theirs), default=0))
        entries.append((at, _row(aligned.path_a, ours, theirs, a, b, match, confidence, tuple(fields))))

    path = aligned.path_a
    for pair in aligned.pairs:
        at = a.index[pair.a]
        row = NodeRow(
            graph=path,
            node_a=pair.a,
            node_b=pair.b,
            target_a=a.nodes[at].target,
            target_b=b[pair.b].target,
            match=pair.match,
            confidence=pair.confidence,
            fields=tuple(fields_a.get((path, pair.a), ())),
        )
        entries.append((at, row))
    for group in aligned.groups:
        add(group.a, group.b, group_text(len(group.a), len(group.b), group.match), group.confidence)
    for unclear in aligned.ambiguous:
        add(unclear.a, unclear.b, "ambiguous", 0.0)
    for name in aligned.only_a:
        add((name,), (), "only_a", 1.0)
    for name in aligned.only_b:
        add((), (name,), "only_b", 1.0)
    return (row for _, row in sorted(entries, key=lambda entry: entry[0]))


def group_text(count_a: int, count_b: int, match: str) -> str:
    """Name the evidence for a group: ``group 1:n provenance``."""
    shape = f"{'1' if count_a == 1 else 'n'}:{'1' if count_b == 1 else 'm' if count_a > 1 else 'n'}"
    return match if match.startswith("group") else f"group {shape} {match}".rstrip()


def _row(
    path: str,
    ours: tuple[str, ...],
    theirs: tuple[str, ...],
    a: Graph | None,
    b: Graph | None,
    match: str,
    confidence: float,
    fields: tuple[str, ...],
) -> NodeRow:
    return NodeRow(
        graph=path,
        node_a=", ".join(ours),
        node_b=", ".join(theirs),
        target_a=_targets(a, ours),
        target_b=_targets(b, theirs),
        match=match,
        confidence=confidence,
        fields=fields,
    )


def _targets(graph: Graph | None, names: tuple[str, ...]) -> str:
    return ", ".join(graph[name].target for name in names) if graph is not None else ""
