"""The search: which node became which. It proposes pairs with their evidence and never says that two things are the same."""

from __future__ import annotations

from collections.abc import Sequence

from graphlens.diff.alignment import Alignment, GraphAlignment, Pair
from graphlens.diff.search.anchors import anchor_by_position, anchor_root
from graphlens.diff.search.intern import Interner
from graphlens.diff.search.match import Match
from graphlens.diff.search.prepare import Prepared, prepare
from graphlens.diff.search.solve import solve
from graphlens.program.program import ROOT, Program, child_path

Pins = Sequence[tuple[str, str]]


def align(a: Program, b: Program, *, pins: Pins = ()) -> Alignment:
    """Propose which node of `a` became which node of `b`, in every graph."""
    intern = Interner()
    left, right = prepare(a, intern, _hide), prepare(b, intern, _hide)
    graphs: list[GraphAlignment] = []
    stack = [(ROOT, ROOT)]
    seen: tuple[set[str], set[str]] = (set(), set())
    while stack:
        path_a, path_b = stack.pop()
        if path_a not in left.tables or path_b not in right.tables:
            continue
        match = Match(left.tables[path_a], right.tables[path_b])
        if (path_a, path_b) == (ROOT, ROOT):
            anchor_root(a, b, match)
        else:
            anchor_by_position(match)
        solve(match, intern)
        graphs.append(_result(path_a, path_b, match))
        seen[0].add(path_a)
        seen[1].add(path_b)
        stack.extend(reversed(_children(path_a, path_b, match)))
    return Alignment(
        graphs=tuple(graphs),
        only_a=tuple(path for path in a.graphs if path not in seen[0]),
        only_b=tuple(path for path in b.graphs if path not in seen[1]),
    )


def _hide(_symbol: str) -> str:
    return "?"


def _children(path_a: str, path_b: str, match: Match) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for i, node in enumerate(match.a.nodes):
        if node.subgraphs and match.mate_a[i] >= 0:
            partner = match.b.nodes[match.mate_a[i]]
            roles = {subgraph.role for subgraph in partner.subgraphs}
            found += [
                (child_path(path_a, node.name, s.role), child_path(path_b, partner.name, s.role))
                for s in node.subgraphs
                if s.role in roles
            ]
    return found


def _result(path_a: str, path_b: str, match: Match) -> GraphAlignment:
    pairs = tuple(
        Pair(a=match.a.nodes[i].name, b=match.b.nodes[j].name, match=match.how[i], confidence=match.confidence[i])
        for i, j in enumerate(match.mate_a)
        if j >= 0
    )
    return GraphAlignment(
        path_a=path_a,
        path_b=path_b,
        pairs=pairs,
        only_a=tuple(match.a.nodes[i].name for i, j in enumerate(match.mate_a) if j < 0),
        only_b=tuple(match.b.nodes[j].name for j, i in enumerate(match.mate_b) if i < 0),
    )


__all__ = ["Prepared", "align"]
