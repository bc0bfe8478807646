"""The last word on what was not paired: rewritten together, interchangeable, or on one side only."""

from __future__ import annotations

from collections import defaultdict

from graphlens.diff.search.evidence import witnesses
from graphlens.diff.search.match import FREE, Match
from graphlens.diff.search.table import SLOT_BITS, SLOT_MASK, Table

_LARGEST = 256
Entry = tuple[list[int], list[int], str]


def pair_twins(match: Match) -> None:
    """Pair later getitems of the same item where both sides have one; they are the same object in each program."""
    later: dict[int, list[int]] = defaultdict(list)
    for j, first in match.b.twin.items():
        later[first].append(j)
    for i, first in match.a.twin.items():
        waiting = later.get(match.mate_a[first])
        if waiting:
            match.pair(i, waiting.pop(0), "symmetric", 1.0, ("the same item of the same container",))


def bundle_cuts(match: Match) -> int:
    """Group free nodes of both sides that lie between the same matched nodes; return how many groups were made.

    A group needs a matched user on both sides that takes the one where the other took the other.
    """
    part_a, part_b = _components(match.a, match.mate_a), _components(match.b, match.mate_b)
    joined: dict[tuple[str, int], tuple[str, int]] = {}
    for i, piece in part_a.items():
        for use in match.a.users[i]:
            v = match.mate_a[use >> SLOT_BITS]
            slot = use & SLOT_MASK
            there = match.b.operands[v] if v >= 0 else []
            for q in there if match.a.commutative[use >> SLOT_BITS] else there[slot : slot + 1]:
                if q in part_b:
                    _join(joined, ("a", piece), ("b", part_b[q]))
    sides: dict[tuple[str, int], tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for side, parts in (("a", part_a), ("b", part_b)):
        for node, piece in parts.items():
            sides[_root(joined, (side, piece))][side == "b"].append(node)
    made = 0
    for ours, theirs in sides.values():
        if len(ours) == len(theirs) == 1 and match.a.nodes[ours[0]].op == match.b.nodes[theirs[0]].op:
            rung = _rung(match, ours[0], theirs[0])
            made += match.pair(ours[0], theirs[0], f"similar up to {rung}", 0.6, ("between the same matched nodes",))
        elif ours and theirs and len(ours) <= _LARGEST and len(theirs) <= _LARGEST:
            size = f"{'1' if len(ours) == 1 else 'n'}:{'1' if len(theirs) == 1 else 'n'}"
            match.bundle(sorted(ours), sorted(theirs), f"group {size}", 0.6, ("between the same matched nodes",))
            made += 1
    return made


def _rung(match: Match, i: int, j: int) -> str:
    a, b = match.a.nodes[i], match.b.nodes[j]
    return "literals" if a.target == b.target else "target"


def _components(table: Table, mate: list[int]) -> dict[int, int]:
    """Number the connected pieces of the free nodes that compute something."""
    piece: dict[int, int] = {}
    for start, partner in enumerate(mate):
        if partner != FREE or start in piece or start in table.twin or _fixed(table, start):
            continue
        piece[start] = start
        stack = [start]
        while stack:
            i = stack.pop()
            for near in [*table.operands[i], *(use >> SLOT_BITS for use in table.users[i])]:
                if mate[near] == FREE and near not in piece and not _fixed(table, near):
                    piece[near] = start
                    stack.append(near)
    return piece


def _fixed(table: Table, i: int) -> bool:
    return table.nodes[i].op in ("placeholder", "output", "get_attr")


def _root(joined: dict[tuple[str, int], tuple[str, int]], piece: tuple[str, int]) -> tuple[str, int]:
    while piece in joined:
        piece = joined[piece]
    return piece


def _join(joined: dict[tuple[str, int], tuple[str, int]], x: tuple[str, int], y: tuple[str, int]) -> None:
    left, right = _root(joined, x), _root(joined, y)
    if left != right:
        joined[right] = left


def interchangeable(
    match: Match, keys: tuple[list[int], list[int]], modules: tuple[list[int], list[int]]
) -> list[Entry]:
    """List free nodes of the same key and surroundings on both sides, which evidence cannot tell apart."""
    free_a, free_b = match.free()
    left, right = _classes(match.a, free_a, keys[0], modules[0]), _classes(match.b, free_b, keys[1], modules[1])
    found: list[Entry] = []
    for place, ours in left.items():
        theirs = right.get(place)
        if theirs and any(not witnesses(match, i, j).hard for i in ours[:4] for j in theirs[:4]):
            found.append((ours, theirs, _reason(match, ours, theirs)))
    return found


def _classes(
    table: Table, free: list[int], key: list[int], modules: list[int]
) -> dict[tuple[int, int, int, int], list[int]]:
    found: dict[tuple[int, int, int, int], list[int]] = defaultdict(list)
    for i in free:
        found[key[i], modules[i], len(table.operands[i]), len(table.users[i])].append(i)
    return found


def _reason(match: Match, ours: list[int], theirs: list[int]) -> str:
    target = (
        match.a.nodes[ours[0]].target if match.a.nodes[ours[0]].op == "call_function" else match.a.nodes[ours[0]].op
    )
    return f"{len(ours)} and {len(theirs)} {target} that nothing tells apart"
