"""Nodes that are exchangeable for one another: equal effects in their order, and true duplicates."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Hashable

from graphlens.diff.search.intern import Interner
from graphlens.diff.search.match import FREE, Match
from graphlens.diff.search.merkle import Keys, both_numbers, classes
from graphlens.diff.search.table import SLOT_BITS, SLOT_MASK, Table

Uses = tuple[int, ...]


def symmetric_step(match: Match, keys: Keys, intern: Interner) -> int:
    """Pair classes of nodes that compute the same from the same and are used for the same; return how many pairs.

    Nodes with an effect are told apart by the order of effects, and come first: what they work on follows from that. Pure
    ones with the same matched operands are duplicates: any of one side may stand for any of the other. A choice made for
    one class binds its neighbours, so these wait for new numbers. Other classes stay as they are.
    """
    (up_a, down_a), (up_b, down_b) = both_numbers(match, keys, intern)
    left, right = classes(up_a, down_a), classes(up_b, down_b)
    found = [
        (ours, right[numbers])
        for numbers, ours in left.items()
        if len(ours) == len(right.get(numbers, ())) > 1 and match.a.nodes[ours[0]].op not in ("placeholder", "output")
    ]
    made = sum(_in_order(match, ours, theirs) for ours, theirs in found if match.a.effect[ours[0]])
    if made:
        return made
    bound: tuple[set[int], set[int]] = (set(), set())
    for ours, theirs in found:
        if not _touches(match.a, ours, bound[0]) and not _touches(match.b, theirs, bound[1]):
            pairs = _duplicates(match, keys, ours, theirs)
            made += len(pairs)
            for i, j in pairs:
                bound[0].update((i, *(use >> SLOT_BITS for use in match.a.users[i])))
                bound[1].update((j, *(use >> SLOT_BITS for use in match.b.users[j])))
    return made


def _touches(table: Table, nodes: list[int], bound: set[int]) -> bool:
    """Whether one of some nodes uses, or is used together with, a node that was just paired."""
    if not bound:
        return False
    return any(i in bound or any(use >> SLOT_BITS in bound for use in table.users[i]) for i in nodes)


def _in_order(match: Match, ours: list[int], theirs: list[int]) -> int:
    return sum(
        match.pair(i, j, "same", 0.95, ("the same place in the order of effects",))
        for i, j in zip(ours, theirs, strict=True)
    )


def _duplicates(match: Match, keys: Keys, ours: list[int], theirs: list[int]) -> list[tuple[int, int]]:
    if any(match.mate_a[p] == FREE for p in match.a.operands[ours[0]]):
        return []
    pairs = _chosen(match, keys, ours, theirs)
    if not (_private(match.a, ours, match.mate_a) and _private(match.b, theirs, match.mate_b)):
        pairs = pairs[:1]
    for i, j in pairs:
        match.pair(i, j, "symmetric", 0.9, ("a duplicate: any of them may stand for any other",))
    return pairs


def _chosen(match: Match, keys: Keys, ours: list[int], theirs: list[int]) -> list[tuple[int, int]]:
    """Choose who stands for whom: those of the same uses, dead ones too, and among them first those of the same source and name."""
    told_a = {i: _told(match.a, keys[0], i) for i in ours}
    told_b = {j: _told(match.b, keys[1], j) for j in theirs}
    found: dict[int, int] = {}
    for known in (slice(3), slice(2), slice(0, 3, 2), slice(1), slice(0)):  # uses and source and name, ..., nothing
        waiting: dict[Hashable, deque[int]] = defaultdict(deque)
        taken = set(found.values())
        for j in theirs:
            if j not in taken:
                waiting[told_b[j][known]].append(j)
        for i in ours:
            if i not in found and waiting.get(told_a[i][known]):
                found[i] = waiting[told_a[i][known]].popleft()
    return list(found.items())


def _told(table: Table, key: list[int], i: int) -> tuple[Uses, Hashable, str]:
    """What uses a node, by key and slot; where in the source it was written; its name."""
    node = table.nodes[i]
    uses = tuple(sorted((key[use >> SLOT_BITS] << SLOT_BITS) + (use & SLOT_MASK) for use in table.users[i]))
    return uses, (node.stack_trace, node.module), node.name


def _private(table: Table, nodes: list[int], mate: list[int]) -> bool:
    """Whether no free node uses two of them, or one of them together with another free node."""
    for i in nodes:
        users = [use >> SLOT_BITS for use in table.users[i]]
        if len(users) > 1:
            return False
        if users and sum(mate[p] == FREE for p in table.operands[users[0]]) != 1:
            return False
    return True
