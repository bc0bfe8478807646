"""Repeated structure without anchors: matched twice, from what comes before and from what comes after, and believed where both agree.

In a stack of equal layers every step along an edge looks right, whether or not the walk has slipped by a layer. A walk
from the inputs and one from the outputs slip in opposite ways, so a layer that one side lacks makes them disagree.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import NamedTuple

from graphlens.diff.search.colors import Painter
from graphlens.diff.search.leftover import Entry
from graphlens.diff.search.match import FREE, GROUPED, Match
from graphlens.diff.search.merkle import Keys
from graphlens.diff.search.similar import Modules
from graphlens.diff.search.table import SLOT_BITS, Table
from graphlens.diff.search.waves import GAPS_BACK, GAPS_ON, Backward, Onward, Pair, Wave

_SELDOM, _FEW = 5, 32
_LONG = 10_000
"""Stretches up to this length are told apart later, by following them as wholes."""


class Found(NamedTuple):
    """What two walks found: pairs of both, pairs of the walk onward alone, and pairs that the other walk contradicts.

    The walk onward is the one to be believed alone: where all operands agree, the same is computed.
    """

    both: list[Pair]
    one: list[Pair]
    apart: list[Pair]


def repeated_step(match: Match, painter: Painter, keys: Keys, modules: Modules) -> list[Entry]:
    """Pair free nodes on which both walks agree; return classes of nodes of which they say that nothing is known."""
    flip = flipped(match)
    free = match.free()[flip]

    def side(pair: Keys) -> Keys:
        return (pair[1], pair[0]) if flip else pair

    tables = (match.b, match.a) if flip else (match.a, match.b)
    mates = side((match.mate_a, match.mate_b))
    onward = Onward(tables, mates, tuple(map(side, painter.lists(keys, modules, GAPS_ON, up=False))))
    onward.run(free)
    backward = Backward(tables, mates, tuple(map(side, painter.lists(keys, modules, GAPS_BACK, down=False))))
    backward.run(free[::-1])
    found = _compare(free, onward, backward)
    if flip:
        found = Found(*([(i, j) for j, i in pairs] for pairs in found))
    for i, j in found.both:
        match.pair(i, j, "propagated", 0.97, ("found from its operands and from its users",))
    if len(found.apart) > max(len(found.both) // _SELDOM, _FEW):
        return _undecided(match, found.one + found.apart) if len(found.apart) > _LONG else []
    if len(found.apart) * _SELDOM <= len(found.both):
        for i, j in found.one:
            match.pair(i, j, "propagated", 0.9, ("found from its operands, and nothing says otherwise from its users",))
        mate = backward.mate_b if flip else backward.mate_a
        for i in match.free()[0]:
            if mate[i] >= 0 and not match.a.operands[i] and _users_agree(match, i, mate[i]):
                match.pair(i, mate[i], "propagated", 0.9, ("used for the same",))
    return []


def flipped(match: Match) -> bool:
    """Whether to turn the two programs round, so that it does not matter which is called `a`."""
    ours, theirs = _size(match.a), _size(match.b)
    return theirs < ours if theirs != ours else _calls(match.b) < _calls(match.a)


def _size(table: Table) -> tuple[int, int]:
    return len(table), sum(map(len, table.operands))


def _calls(table: Table) -> list[tuple[str, int]]:
    return sorted(Counter(node.target for node in table.nodes if node.op == "call_function").items())


def _compare(free: list[int], onward: Wave, backward: Wave) -> Found:
    found = Found([], [], [])
    for i in free:
        ours, theirs = onward.mate_a[i], backward.mate_a[i]
        if ours == theirs:
            if ours >= 0:
                found.both.append((i, ours))
            continue
        if ours >= 0:
            apart = theirs >= 0 or backward.mate_b[ours] >= 0
            (found.apart if apart else found.one).append((i, ours))
        if theirs >= 0 and (ours >= 0 or onward.mate_b[theirs] >= 0):
            found.apart.append((i, theirs))
    return found


def _users_agree(match: Match, i: int, j: int) -> bool:
    mates = [match.mate_a[use >> SLOT_BITS] for use in match.a.users[i]]
    return bool(mates) and all(v >= 0 and j in match.b.operands[v] for v in mates)


def _undecided(match: Match, pairs: list[Pair]) -> list[Entry]:
    """Set nodes aside that the two walks take for different ones."""
    classes: dict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    sides = ((match.mate_a, match.a.key, {i for i, _ in pairs}), (match.mate_b, match.b.key, {j for _, j in pairs}))
    for side, (mate, key, nodes) in enumerate(sides):
        for node in sorted(nodes):
            if mate[node] == FREE:
                classes[key[node]][side].append(node)
                mate[node] = GROUPED
    reason = "repeated, and which is which depends on the end one counts from"
    return [(ours, theirs, reason) for ours, theirs in classes.values()]
