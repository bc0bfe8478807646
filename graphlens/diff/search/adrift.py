"""Pairs that hang on nothing firm: islands between nodes of which it is open what they are.

In a stack of equal layers every pair in an island has neighbours that agree, whether or not the island lies a layer off.
It is where it should be if edges that agree lead there from a pair of which there can be no other, or if it is as far from
the inputs and from the outputs in both graphs, and the next of its kind is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from graphlens.diff.search.leftover import Entry, open_again
from graphlens.diff.search.match import GROUPED, Match
from graphlens.diff.search.table import SLOT_BITS, SLOT_MASK, Table

_MUCH, _NEAR = 4, 4
_FIXED = ("signature", "pinned", "provenance")
_REASON = "repeated, and nothing that is certain leads here"


def adrift_step(match: Match) -> list[Entry]:
    """Set pairs aside to which no agreeing edges lead from firm ones, if much of a graph is open; return their classes."""
    bundled = {i for bundle in match.bundles for i in bundle.a}, {j for bundle in match.bundles for j in bundle.b}
    sides = zip((match.mate_a, match.mate_b), bundled, strict=True)
    if all((mate.count(GROUPED) - sum(mate[i] == GROUPED for i in rest)) * _MUCH < len(mate) for mate, rest in sides):
        return []
    held = _held(match, _firm(match))
    places = _places(match.a), _places(match.b)
    loose: list[int] = []
    for i, j in enumerate(match.mate_a):
        if j >= 0 and i not in held:
            island = sorted(_held(match, [i]))
            held.update(island)
            if not _in_place(match, island, places):
                loose += [x for x in island if x not in bundled[0]]
    return open_again(match, loose, _REASON)


def _firm(match: Match) -> list[int]:
    """Return nodes whose partner is known, or the only one of its kind, or of those computed from inputs alone."""
    how, mate = match.how, match.mate_a
    kinds = [Counter(table.key) for table in (match.a, match.b)]
    firsts = [Counter(table.key[i] for i in range(len(table)) if _first(table, i)) for table in (match.a, match.b)]
    found = []
    for i, j in enumerate(mate):
        if j < 0:
            continue
        key = match.a.key[i]
        alone = key == match.b.key[j] and kinds[0][key] == kinds[1][key] == 1
        first = _first(match.a, i) and _first(match.b, j) and firsts[0][key] == firsts[1][key] == 1
        if how[i].startswith(_FIXED) or alone or (first and key == match.b.key[j]):
            found.append(i)
    return found


def _places(table: Table) -> tuple[list[int], list[int]]:
    """Return how far each node is from the inputs, and from the outputs, on the longest way."""
    on, back = [0] * len(table), [0] * len(table)
    for i, operands in enumerate(table.operands):
        on[i] = max((on[p] + 1 for p in operands), default=0)
    for i in reversed(range(len(table))):
        for p in table.operands[i]:
            back[p] = max(back[p], back[i] + 1)
    return on, back


def _in_place(match: Match, island: list[int], places: tuple[tuple[list[int], list[int]], ...]) -> bool:
    """Whether an island is as far from both ends in both graphs, much nearer than the next of its kind."""
    (on, back), (on_there, back_there) = places
    off = sorted(
        max(abs(on[i] - on_there[j]), abs(back[i] - back_there[j])) for i, j in ((i, match.mate_a[i]) for i in island)
    )
    theirs = [match.mate_a[i] for i in island]
    alone = min(_apart(match.a, island, on), _apart(match.b, theirs, on_there))
    return _NEAR * off[len(off) // 2] < alone


def _apart(table: Table, island: list[int], on: list[int]) -> int:
    """How far from each other the nodes of a kind are of which an island has one, of the kind that is rarest so."""
    keys = {table.key[i] for i in island if table.operands[i]}
    depths: dict[int, set[int]] = {key: set() for key in keys}
    for i, key in enumerate(table.key):
        if key in keys:
            depths[key].add(on[i])
    gaps = (min((y - x for x, y in pairwise(sorted(found))), default=len(on)) for found in depths.values())
    return max(gaps, default=0)


def _first(table: Table, i: int) -> bool:
    """Whether a node is computed from inputs alone."""
    operands = table.operands[i]
    return bool(operands) and not any(table.operands[p] for p in operands)


def _held(match: Match, firm: list[int]) -> set[int]:
    """Return what agreeing edges lead to from firm nodes."""
    held, stack = set(firm), list(firm)
    while stack:
        i = stack.pop()
        for near in _agreeing(match, i):
            if near not in held:
                held.add(near)
                stack.append(near)
    return held


def _agreeing(match: Match, i: int) -> Iterator[int]:
    """Yield the operands and users of a node whose partners are those of its partner."""
    a, b, mate = match.a, match.b, match.mate_a
    ours, theirs = a.operands[i], b.operands[mate[i]]
    for slot, p in enumerate(ours):
        if mate[p] >= 0 and (mate[p] in theirs if a.commutative[i] else theirs[slot : slot + 1] == [mate[p]]):
            yield p
    for use in a.users[i]:
        user, slot = use >> SLOT_BITS, use & SLOT_MASK
        v = mate[user]
        if v >= 0:
            there = b.operands[v]
            if mate[i] in there if a.commutative[user] else there[slot : slot + 1] == [mate[i]]:
                yield user
