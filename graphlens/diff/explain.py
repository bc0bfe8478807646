"""Why a node was matched as it was, in words."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import structs

from graphlens.diff.alignment import Alignment, GraphAlignment, bodies_of_ambiguous
from graphlens.diff.rows import Mismatch, rank
from graphlens.diff.severity import rule_for
from graphlens.diff.wording import phrase
from graphlens.errors import DiffError
from graphlens.program.graph import Graph
from graphlens.program.line import display, node_line
from graphlens.program.program import Program

_RUNGS: Final = {
    "up to sizes": "compared with the sizes in its arguments left out",
    "up to literals": "compared with the literals in its arguments left out",
    "up to dialect": "compared without the dialect: Python's functions and methods and the operators that they are have one name",
    "up to target": "compared by its surroundings, for it calls another function",
}
"""What each rung of the ladder leaves out."""

_MOST_PARTNERS: Final = 8
_BY_PLACE: Final = ("placeholder", "get_attr", "output")
"""Their target is a name of their own: it says nothing about what they could be on the other side."""


def explain(a: Program, b: Program, alignment: Alignment, rows: Iterable[Mismatch], node: str | tuple[str, str]) -> str:
    """Say why a node was matched, how sure that is, what the candidates were and what differs."""
    path, name = node if isinstance(node, tuple) else _split(node, a, b)
    for aligned in alignment.graphs:
        for side, program, own in (("a", a, aligned.path_a), ("b", b, aligned.path_b)):
            if own == path and name in program.graphs[own]:
                return "\n".join(map(display, _lines(a, b, aligned, rows, name, side)))
    unclear = bodies_of_ambiguous(alignment)
    for side, program, lone, bodies in (("a", a, alignment.only_a, unclear[0]), ("b", b, alignment.only_b, unclear[1])):
        if path in lone and name in program.graphs[path]:
            belongs = f"which belongs to {display(bodies[path])}: that call is ambiguous" if path in bodies else ""
            return f"{name} lies in graph {display(path)}, {belongs or f'which only {side} has'}"
    raise DiffError(
        f"no node {name!r} in graph {path!r} of either program{_hint(a, b, path, name)}; "
        "write 'graph path:name' for nested graphs"
    )


def _hint(a: Program, b: Program, path: str, name: str) -> str:
    """Name nodes that may have been meant."""
    graphs = [program.graphs[path] for program in (a, b) if path in program.graphs]
    names = dict.fromkeys(node.name for graph in graphs for node in graph.nodes)
    close = difflib.get_close_matches(name, names, n=3)
    return f"; did you mean {', '.join(close)}?" if close else ""


def _split(node: str, a: Program, b: Program) -> tuple[str, str]:
    for separator in (":", "/"):
        path, found_one, name = node.rpartition(separator)
        graphs = [program.graphs[path] for program in (a, b) if path in program.graphs]
        if found_one and graphs and (separator == ":" or any(name in graph for graph in graphs)):
            return path, name
    paths = [path for program in (a, b) for path, graph in program.graphs.items() if node in graph]
    found = list(dict.fromkeys(paths))
    if len(found) > 1 and "" not in found:
        raise DiffError(
            f"{node!r} is in several graphs; write one of {', '.join(repr(f'{path}:{node}') for path in found[:5])}"
        )
    return ("", node) if "" in found or not found else (found[0], node)


def _lines(
    a: Program, b: Program, aligned: GraphAlignment, rows: Iterable[Mismatch], name: str, side: str
) -> Iterator[str]:
    one, two = a.graphs[aligned.path_a], b.graphs[aligned.path_b]
    yield f"a  {node_line(one[name])}" if side == "a" else f"b  {node_line(two[name])}"
    ours: tuple[str, ...] = (name,) if side == "a" else ()
    theirs: tuple[str, ...] = () if side == "a" else (name,)
    for pair in aligned.pairs:
        if getattr(pair, side) == name:
            ours, theirs = (pair.a,), (pair.b,)
            other = two[pair.b] if side == "a" else one[pair.a]
            yield f"{'b' if side == 'a' else 'a'}  {node_line(other)}"
            yield f"matched: {pair.match}, confidence {pair.confidence:.2f}"
            yield from (f"  {text}" for rung, text in _RUNGS.items() if pair.match.endswith(rung))
            yield from (f"  because {witness}" for witness in pair.witnesses)
    for group in aligned.groups:
        if name in getattr(group, side):
            ours, theirs = group.a, group.b
            yield f"one of a group: [{', '.join(group.a)}] became [{', '.join(group.b)}], {group.match}, confidence {group.confidence:.2f}"
            yield from (f"  because {witness}" for witness in group.witnesses)
            yield from _partners(two if side == "a" else one, group.b if side == "a" else group.a, side)
    for unclear in aligned.ambiguous:
        if name in getattr(unclear, side):
            ours, theirs = unclear.a, unclear.b
            yield f"ambiguous: {unclear.reason}"
            yield f"  candidates in a: {', '.join(unclear.a[:20])}{' …' if len(unclear.a) > 20 else ''}"
            yield f"  candidates in b: {', '.join(unclear.b[:20])}{' …' if len(unclear.b) > 20 else ''}"
    if name in getattr(aligned, f"only_{side}"):
        yield f"no partner: nothing in {'b' if side == 'a' else 'a'} was found to be this node"
        yield _candidates(aligned, (one, two), name, side)
    yield from _differences(aligned, rows, ours, theirs)


def _partners(graph: Graph, names: tuple[str, ...], side: str) -> Iterator[str]:
    """Write the nodes of the other side of a group."""
    other = "b" if side == "a" else "a"
    yield from (f"{other}  {node_line(graph[name])}" for name in names[:_MOST_PARTNERS])
    if len(names) > _MOST_PARTNERS:
        yield f"{other}  and {len(names) - _MOST_PARTNERS:,} more"


def _candidates(aligned: GraphAlignment, graphs: tuple[Graph, Graph], name: str, side: str) -> str:
    """Name the nodes of the other side that call the same and have no partner either."""
    own, other = graphs if side == "a" else graphs[::-1]
    lone = aligned.only_b if side == "a" else aligned.only_a
    kind, called = own[name].op, own[name].target
    alike = [each for each in lone if other[each].op == kind and (kind in _BY_PLACE or other[each].target == called)]
    if not alike:
        what = kind if kind in _BY_PLACE else display(called)
        there = any(each.op == kind and (kind in _BY_PLACE or each.target == called) for each in other.nodes)
        return (
            f"  candidates: none, {f'every {what} there has a partner of its own' if there else f'there is no {what}'}"
        )
    return f"  candidates: {', '.join(alike[:20])}{' …' if len(alike) > 20 else ''}; their neighbours say otherwise or nothing"


def _differences(
    aligned: GraphAlignment, rows: Iterable[Mismatch], ours: tuple[str, ...], theirs: tuple[str, ...]
) -> Iterator[str]:
    found = [
        row
        for row in rows
        if (row.graph == aligned.path_a or row.graph_b == aligned.path_b)
        and (row.node_a in ours or (row.node_b is not None and row.node_b in theirs))
    ]
    for row in sorted(found, key=lambda row: (row.cause == "inherited", rank(row.severity))):
        rule = rule_for(row.field, row.kind, row.aspect)
        yield f"{row.severity}: {phrase(structs.replace(row, graph='', module='', source=''))}"
        yield f"  {rule.why}" + (f" ({rule.issue})" if rule.issue else "")
        if row.inherited_from:
            yield f"  follows from {row.inherited_from}"
    if not found:
        yield "no difference"
