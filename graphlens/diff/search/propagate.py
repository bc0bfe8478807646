"""From matched nodes to their neighbours, along operands by slot and along uses that nothing else could be mistaken for."""

from __future__ import annotations

from collections.abc import Iterator

from graphlens.diff.search.match import Match
from graphlens.diff.search.table import SLOTS, Table

TWO, ONE_AND_MODULE, ONE = 2, 1, 0
"""How much must agree: two neighbours; one neighbour and the module; one neighbour."""


def propagate(match: Match, keys: tuple[list[int], list[int]], start: list[int], need: int, how: str) -> int:
    """Pair neighbours of pairs until nothing more follows; return how many pairs were made.

    Parameters
    ----------
    keys
        The match keys of both tables, on the rung that counts now.
    start
        Nodes of `a` that have a partner and whose neighbours are to be looked at.
    need
        `TWO`: all operands agree, or two neighbours do and none disagrees. `ONE_AND_MODULE`: one neighbour agrees, none
        disagrees, and the pair is the only one of its key in its module. `ONE`: one neighbour agrees, none disagrees.
    """
    made = 0
    work = start
    mate_a, mate_b = match.mate_a, match.mate_b
    while work:
        i = work.pop()
        for p, q in neighbours(match, keys, i, mate_a[i]):
            if mate_a[p] >= 0 or mate_b[q] >= 0:
                continue
            agree, against, total = witnesses(match, p, q)
            if against:
                continue
            enough = agree >= 2 or agree == total or (need < TWO and agree >= 1)
            if agree and enough and match.pair(p, q, how, 0.97 if agree >= 2 else 0.9):
                made += 1
                work.append(p)
    return made


def neighbours(match: Match, keys: tuple[list[int], list[int]], i: int, j: int) -> Iterator[tuple[int, int]]:
    """Yield unmatched neighbours of the pair `(i, j)` that stand in the same place with the same key."""
    a, b = match.a, match.b
    key_a, key_b = keys
    mate_a, mate_b = match.mate_a, match.mate_b
    ours, theirs = a.operands[i], b.operands[j]
    if a.commutative[i] or len(ours) != len(theirs):
        yield from _unique(match, [(p, key_a[p]) for p in ours], [(q, key_b[q]) for q in theirs])
    else:
        for p, q in zip(ours, theirs, strict=True):
            if mate_a[p] < 0 and mate_b[q] < 0 and key_a[p] == key_b[q]:
                yield p, q
    uses_a = [use for use in a.users[i] if mate_a[use // SLOTS] < 0]
    if not uses_a:
        return
    uses_b = [use for use in b.users[j] if mate_b[use // SLOTS] < 0]
    if len(uses_a) == 1 and len(uses_b) == 1:
        p, q = uses_a[0] // SLOTS, uses_b[0] // SLOTS
        if key_a[p] == key_b[q] and uses_a[0] % SLOTS == uses_b[0] % SLOTS:
            yield p, q
        return
    yield from _unique(
        match,
        [(use // SLOTS, key_a[use // SLOTS] * SLOTS + use % SLOTS) for use in uses_a],
        [(use // SLOTS, key_b[use // SLOTS] * SLOTS + use % SLOTS) for use in uses_b],
    )


def _unique(match: Match, ours: list[tuple[int, int]], theirs: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    left = _once(ours, match.mate_a)
    right = _once(theirs, match.mate_b)
    for key, p in left.items():
        q = right.get(key, -1)
        if p >= 0 and q >= 0:
            yield p, q


def _once(items: list[tuple[int, int]], mate: list[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for node, key in items:
        if mate[node] < 0:
            found[key] = node if found.get(key, node) == node else -1
    return found


def witnesses(match: Match, p: int, q: int) -> tuple[int, int, int]:
    """Return how many neighbours of `p` and `q` are pairs in the same place, how many are not, and how many operands there are."""
    a, b = match.a, match.b
    mate_a, mate_b = match.mate_a, match.mate_b
    ours, theirs = a.operands[p], b.operands[q]
    agree = against = 0
    if a.commutative[p]:
        partners = [mate_a[x] for x in ours]
        agree = sum(1 for y in partners if y >= 0 and y in theirs)
        against = sum(1 for y in partners if y >= 0) - agree
    else:
        for x, y in zip(ours, theirs, strict=False):
            if mate_a[x] == y:
                agree += 1
            elif mate_a[x] >= 0 or mate_b[y] >= 0:
                against += 1
    agree_users, against_users = _user_witnesses(a, b, mate_a, p, q)
    return agree + agree_users, against + against_users, len(ours)


def _user_witnesses(a: Table, b: Table, mate_a: list[int], p: int, q: int) -> tuple[int, int]:
    uses_a, uses_b = a.users[p], b.users[q]
    if not uses_a or not uses_b:
        return 0, 0
    agree = against = 0
    expected = set(uses_b)
    for use in uses_a[:16]:
        v = mate_a[use // SLOTS]
        if v >= 0:
            if v * SLOTS + use % SLOTS in expected:
                agree += 1
            else:
                against += 1
    return agree, against
