"""Which nested graph of a call became which: by role, unless equal bodies say that they changed places."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphlens.diff.search.match import Match
from graphlens.diff.search.pins import Pinned
from graphlens.diff.search.prepare import Prepared
from graphlens.diff.search.table import Table
from graphlens.program.graph import Node
from graphlens.program.program import child_path

Paths = tuple[str, str]
Bodies = Mapping[str, str]
"""Graph path by role."""


def paired_bodies(
    a: Prepared, b: Prepared, left: tuple[str, Node], right: tuple[str, Node], pinned: Pinned
) -> list[Paths]:
    """Pair the nested graphs of two matched calls.

    Two that changed places are followed, so that what is in them is compared with what it was, and only the call is told
    to hold other graphs. Pins come first.
    """
    ours, theirs = _bodies(a, *left), _bodies(b, *right)
    roles = [role for role in ours if role in theirs]
    there = {role: role for role in roles}
    for at, role in enumerate(roles):
        for other in roles[at + 1 :]:
            if (there[role], there[other]) == (role, other) and _crossed(a, b, ours, theirs, (role, other), pinned):
                there[role], there[other] = other, role
    return [(ours[role], theirs[there[role]]) for role in roles]


def pair_holders(match: Match, i: int, paths: Paths, bodies: Iterable[Paths]) -> None:
    """Pair the attributes that hold paired bodies of a matched call, as far as they are free."""
    holders = _holders(match.a, i, paths[0]), _holders(match.b, match.mate_a[i], paths[1])
    for path_a, path_b in bodies:
        x, y = holders[0].get(path_a, -1), holders[1].get(path_b, -1)
        if x >= 0 and y >= 0:
            match.pair(x, y, "propagated", 0.9, ("they hold graphs that are each other",))


def _holders(table: Table, i: int, path: str) -> dict[str, int]:
    """Map the path of each nested graph of a call to the attribute read that holds it."""
    attributes = {table.nodes[p].target: p for p in table.operands[i] if table.nodes[p].op == "get_attr"}
    node = table.nodes[i]
    return {
        child_path(path, node.name, subgraph.role): attributes[subgraph.attribute]
        for subgraph in node.subgraphs
        if subgraph.attribute in attributes
    }


def _bodies(prepared: Prepared, path: str, node: Node) -> Bodies:
    found = {subgraph.role: child_path(path, node.name, subgraph.role) for subgraph in node.subgraphs}
    return {role: inner for role, inner in found.items() if inner in prepared.tables}


def _crossed(a: Prepared, b: Prepared, ours: Bodies, theirs: Bodies, roles: tuple[str, str], pinned: Pinned) -> bool:
    first, second = roles
    straight = [(ours[first], theirs[first]), (ours[second], theirs[second])]
    crossing = [(ours[first], theirs[second]), (ours[second], theirs[first])]
    if _pinned(straight, pinned) or _pinned(crossing, pinned):
        return not _pinned(straight, pinned)
    return not _equal(a, b, straight) and _equal(a, b, crossing)


def _pinned(pairs: Iterable[Paths], pinned: Pinned) -> bool:
    given = {(path, other) for (path, _), (other, _) in pinned.items()} if pinned else set()
    return any(pair in given for pair in pairs)


def _equal(a: Prepared, b: Prepared, pairs: Iterable[Paths]) -> bool:
    """Whether the bodies of some pair compute the same from the same inputs."""
    return any(a.structure.get(x, -1) == b.structure.get(y, -2) for x, y in pairs)
