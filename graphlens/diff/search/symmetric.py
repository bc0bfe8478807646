"""Nodes that are exchangeable for one another: equal effects in their order, and true duplicates."""

from __future__ import annotations

from graphlens.diff.search.intern import Interner
from graphlens.diff.search.match import FREE, Match
from graphlens.diff.search.merkle import Keys, both_numbers, classes
from graphlens.diff.search.table import SLOT_BITS, Table


def symmetric_step(match: Match, keys: Keys, intern: Interner) -> int:
    """Pair classes of nodes that compute the same from the same and are used for the same; return how many pairs.

    Nodes with an effect are told apart by the order of effects. Pure ones with the same matched operands are duplicates:
    any of one side may stand for any of the other. Other classes stay as they are.
    """
    (up_a, down_a), (up_b, down_b) = both_numbers(match, keys, intern)
    left, right = classes(up_a, down_a), classes(up_b, down_b)
    made = 0
    for numbers, ours in left.items():
        theirs = right.get(numbers, [])
        if len(ours) == len(theirs) > 1 and match.a.nodes[ours[0]].op not in ("placeholder", "output"):
            made += _class(match, ours, theirs)
    return made


def _class(match: Match, ours: list[int], theirs: list[int]) -> int:
    if match.a.effect[ours[0]]:
        return sum(
            match.pair(i, j, "same", 0.95, ("the same place in the order of effects",))
            for i, j in zip(ours, theirs, strict=True)
        )
    if any(match.mate_a[p] == FREE for p in match.a.operands[ours[0]]):
        return 0
    if not (_private(match.a, ours, match.mate_a) and _private(match.b, theirs, match.mate_b)):
        ours, theirs = ours[:1], theirs[:1]
    return sum(
        match.pair(i, j, "symmetric", 0.9, ("a duplicate: any of them may stand for any other",))
        for i, j in zip(ours, theirs, strict=True)
    )


def _private(table: Table, nodes: list[int], mate: list[int]) -> bool:
    """Whether no free node uses two of them, or one of them together with another free node."""
    for i in nodes:
        users = [use >> SLOT_BITS for use in table.users[i]]
        if len(users) > 1:
            return False
        if users and sum(mate[p] == FREE for p in table.operands[users[0]]) != 1:
            return False
    return True
