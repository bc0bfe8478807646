"""Calls that were replaced where they stand: of the same operands, and used by the same nodes in the same places."""

from __future__ import annotations

from graphlens.diff.search.match import FREE, Match
from graphlens.diff.search.similar import Modules
from graphlens.diff.search.table import SLOT_BITS, SLOT_MASK, kind_of


def in_place_step(match: Match, modules: Modules) -> int:
    """Pair free calls that stand between the same matched nodes, before anything is shifted to make room; return how many."""
    made = 0
    for i in match.free()[0]:
        j = _in_its_place(match, i)
        if j >= 0 and modules[0][i] == modules[1][j] and kind_of(match.a, i) == kind_of(match.b, j) == "call_function":
            made += match.pair(i, j, rung_between(match, i, j), 0.6, ("between the same matched nodes",))
    return made


def _in_its_place(match: Match, i: int) -> int:
    """Return the one free node that has all operands and all uses of a node, ``-1`` where there is none."""
    a, b, mate = match.a, match.b, match.mate_a
    operands = [mate[p] for p in a.operands[i]]
    uses = [(mate[use >> SLOT_BITS], use & SLOT_MASK) for use in a.users[i]]
    if not operands or not uses or min(operands) < 0 or min(uses)[0] < 0:
        return -1
    user, slot = uses[0]
    there = b.operands[user]
    found = there if a.commutative[a.users[i][0] >> SLOT_BITS] else there[slot : slot + 1]
    for j in found:
        if match.mate_b[j] == FREE and b.operands[j] == operands:
            return j if sorted(b.users[j]) == sorted((v << SLOT_BITS) + at for v, at in uses) else -1
    return -1


def closing_step(match: Match, modules: Modules) -> int:
    """Pair all free nodes, backwards from what uses them, if they are the same but for one call; return how many.

    One call replaced where it stands is one edit. Every other assignment leaves something over on both sides, which is two:
    among equal links too, this is the only account of the least edits.
    """
    free_a, free_b = match.free()
    if len(free_a) != len(free_b):
        return 0
    found: dict[int, int] = {}
    taken: set[int] = set()
    for i in reversed(free_a):
        j = _used_alike(match, i, found)
        if j < 0 or match.mate_b[j] != FREE or j in taken or modules[0][i] != modules[1][j]:
            return 0
        found[i] = j
        taken.add(j)
    other = [i for i, j in found.items() if match.a.key[i] != match.b.key[j]]
    if len(other) > 1 or any(kind_of(match.a, i) != kind_of(match.b, found[i]) for i in other):
        return 0
    for i, j in found.items():
        if [found.get(p, match.mate_a[p]) for p in match.a.operands[i]] != match.b.operands[j]:
            return 0
    made = sum(
        match.pair(i, found[i], rung_between(match, i, found[i]), 0.9, ("everything around it agrees",)) for i in other
    )
    rest = (pair for pair in found.items() if pair[0] not in other)
    return made + match.pair_all(rest, "propagated", 0.95, ("everything agrees so but one call that was replaced",))


def rung_between(match: Match, i: int, j: int) -> str:
    """Name the evidence of a pair whose surroundings agree: only its literals may differ, or what it calls."""
    same = match.a.nodes[i].target == match.b.nodes[j].target
    return f"similar up to {'literals' if same else 'target'}"


def _used_alike(match: Match, i: int, found: dict[int, int]) -> int:
    """Return the node that stands in all places where a node is used, ``-1`` where there is none."""
    place = -1
    for use in match.a.users[i]:
        user, slot = use >> SLOT_BITS, use & SLOT_MASK
        v = found.get(user, match.mate_a[user])
        there = match.b.operands[v] if v >= 0 and not match.a.commutative[user] else []
        if slot >= len(there) or place not in (-1, there[slot]):
            return -1
        place = there[slot]
    return place
