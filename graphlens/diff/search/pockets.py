"""Pockets: free nodes of both sides that hang together, shut in by matched ones.

Evidence about a node of a pocket lies in the pocket and at its border, so that each may be searched on its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from graphlens.diff.search.match import ANYWHERE, FREE, Match
from graphlens.diff.search.similar import Modules
from graphlens.diff.search.table import SLOT_BITS, Table

_FEW = 8


class Pocket(NamedTuple):
    """Node numbers of both sides, ascending."""

    a: list[int]
    b: list[int]


class _Union:
    """Disjoint sets of numbers; those below zero stand for what joins nodes."""

    def __init__(self) -> None:
        self.above: dict[int, int] = {}

    def root(self, x: int) -> int:
        above = self.above
        while (parent := above.setdefault(x, x)) != x:
            above[x] = above[parent]
            x = parent
        return x

    def join(self, x: int, y: int) -> None:
        self.above[self.root(x)] = self.root(y)


def pockets(match: Match, regions: Modules) -> list[Pocket]:
    """Return the pockets that have nodes of both sides.

    Nodes belong together that use each other, that use the same matched node or are used by the same one (if it has few
    uses or operands: what all layers use joins nothing), or that lie in the same region.
    """
    free = match.free()
    union = _Union()
    for side, table in enumerate((match.a, match.b)):
        mate = match.mate_b if side else match.mate_a
        for i in free[side]:
            me = i * 2 + side
            for p in table.operands[i]:
                if mate[p] == FREE:
                    union.join(me, p * 2 + side)
            for tie in _ties(match, side, i):
                union.join(me, tie)
            if regions[side][i] != ANYWHERE:
                union.join(me, -1 - 3 * regions[side][i])
    found: dict[int, Pocket] = defaultdict(lambda: Pocket([], []))
    for side, nodes in enumerate(free):
        for i in nodes:
            found[union.root(i * 2 + side)][side].append(i)
    return [pocket for pocket in found.values() if pocket.a and pocket.b]


def _ties(match: Match, side: int, i: int) -> Iterator[int]:
    """Yield a number for each matched node that `i` shares with few others, as operand or as user."""
    table, mate = (match.b, match.mate_b) if side else (match.a, match.mate_a)
    for p in table.operands[i]:
        if mate[p] >= 0 and _few(match, side, p, uses=True):
            yield -2 - 3 * (mate[p] if side else p)
    for use in table.users[i][: _FEW + 1]:
        user = use >> SLOT_BITS
        if mate[user] >= 0 and _few(match, side, user, uses=False):
            yield -3 - 3 * (mate[user] if side else user)


def _few(match: Match, side: int, i: int, *, uses: bool) -> bool:
    other = match.mate_b[i] if side else match.mate_a[i]
    tables: tuple[Table, Table] = (match.b, match.a) if side else (match.a, match.b)
    near = [(table.users if uses else table.operands)[at] for table, at in zip(tables, (i, other), strict=True)]
    return max(map(len, near)) <= _FEW
