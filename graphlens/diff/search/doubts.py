"""Where another pair than the one found suggests itself: neighbours that disagree, keys that differ, free nodes."""

from __future__ import annotations

from collections.abc import Iterator

from graphlens.diff.search.agreement import Pair
from graphlens.diff.search.ground import FEW, WIDE, Ground, only_user, place
from graphlens.diff.search.match import FREE
from graphlens.diff.search.table import SLOT_BITS, Table


def doubts(ground: Ground) -> Iterator[Pair]:
    """Yield pairs for which a disagreement speaks that no single node put in or taken out explains."""
    mate, key_a, key_b = ground.now.mate_a, ground.a.key, ground.b.key
    for i in ground.apart:
        j, ours = mate[i], ground.a.operands[i]
        if not ours:
            continue
        if key_a[i] != key_b[j]:
            yield from _rivals(ground, i, j)
        theirs = ground.b.operands[j]
        partners = [mate[x] for x in ours]
        if partners == theirs or len(ours) != len(theirs):
            continue
        explained = ground.now.agreement(i) >= len(ours) + (key_a[i] == key_b[j])
        if not explained and sorted(partners) != sorted(theirs):
            yield from _disputed(ground, i, j)


def gaps(ground: Ground) -> Iterator[Pair]:
    """Yield pairs of free nodes that a neighbour speaks for."""
    mate = ground.now.mate_a
    for i, j in enumerate(mate):
        if j >= 0:
            users = (use >> SLOT_BITS for use in ground.a.users[i][:WIDE])
            if any(mate[x] == FREE for x in (*ground.a.operands[i][:WIDE], *users)):
                yield from ((u, v) for u, v in ground.near(i, j) if ground.both_free(u, v))


def _disputed(ground: Ground, i: int, j: int) -> Iterator[Pair]:
    a, b, now = ground.a, ground.b, ground.now
    for slot, (x, y) in enumerate(_beside(ground, i, j)):
        if now.mate_a[x] == y:
            continue
        if a.nodes[x].op == "call_function" and a.nodes[x].target != b.nodes[y].target:
            yield from ((i, v) for v in _around(b, j) if b.key[v] == a.key[i])
            yield from ((u, j) for u in _around(a, i) if a.key[u] == b.key[j])
            continue
        yield x, y
        at = place(a, i, slot)
        if now.mate_a[x] >= 0:
            yield from ((i, v) for v in only_user(b, now.mate_a[x], at, a.key[i]))
        if now.mate_b[y] >= 0:
            yield from ((u, j) for u in only_user(a, now.mate_b[y], at, b.key[j]))


def _beside(ground: Ground, i: int, j: int) -> list[Pair]:
    a, b, now = ground.a, ground.b, ground.now
    ours, theirs = a.operands[i], b.operands[j]
    if not a.commutative[i]:
        return list(zip(ours, theirs, strict=True))
    here = [x for x in ours if now.partner(x) not in theirs]
    there = [y for y in theirs if now.holder(y) not in ours]
    return [(x, y) for x in here for y in there if len(here) == 1 or a.nodes[x].target == b.nodes[y].target]


def _around(table: Table, i: int) -> list[int]:
    return [*table.operands[i][:FEW], *(use >> SLOT_BITS for use in table.users[i][:FEW])]


def _rivals(ground: Ground, i: int, j: int) -> Iterator[Pair]:
    """Yield pairs of one key for the two nodes of a pair whose keys differ."""
    a, b = ground.a, ground.b
    for slot, x in enumerate(a.operands[i][:FEW]):
        y = ground.now.mate_a[x]
        if y >= 0:
            at = place(a, i, slot)
            yield from ((i, v) for v in only_user(b, y, at, a.key[i]))
            yield from ((u, j) for u in only_user(a, x, at, b.key[j]))
