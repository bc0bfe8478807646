"""Pairs without a footing: where much was edited, only what hangs together with nodes that stand in their place is believed.

In a stack of equal layers with an edit every few nodes some wrong pairs have neighbours that agree, and some right ones
have none. A pair has a footing if it is one that counting from both ends gave, or lies between two that have, or is
computed from such as nothing else is.
"""

from __future__ import annotations

from collections import deque

from graphlens.diff.search.flat import agreeing
from graphlens.diff.search.leftover import Entry, open_again
from graphlens.diff.search.match import Match
from graphlens.diff.search.table import SLOT_BITS, SLOT_MASK, Table

_MUCH = 0.2
_FIXED = ("signature", "pinned", "provenance")
_REASON = "repeated, and what is around it was edited too much to tell which it is"


def footing_step(match: Match) -> list[Entry]:
    """Set pairs aside that have no footing, if much was edited; return their classes."""
    if not match.placed or _named(match) or not _much_edited(match):
        return []
    held = _held(match)
    bundled = {i for bundle in match.bundles for i in bundle.a}
    loose = [i for i, j in enumerate(match.mate_a) if j >= 0 and i not in held and i not in bundled]
    return open_again(match, loose, _REASON)


def _named(match: Match) -> bool:
    """Whether most inputs are known by what they are: each then says where it is used."""
    inputs = [i for i, operands in enumerate(match.a.operands) if not operands]
    return sum(match.how[i].startswith(_FIXED) for i in inputs) * 2 > len(inputs)


def _much_edited(match: Match) -> bool:
    """Whether many of the nodes that compute something have no partner with the same call of the same operands."""
    computed = [bool(operands) for operands in match.a.operands]
    same = agreeing((match.a, match.b), match.mate_a)[1].tolist()
    return sum(calls and not agree for calls, agree in zip(computed, same, strict=True)) > _MUCH * sum(computed)


def _held(match: Match) -> set[int]:
    held = {i for i, j in enumerate(match.mate_a) if j >= 0 and (i in match.placed or match.how[i].startswith(_FIXED))}
    waiting = deque(sorted(near for i in held for near in _near(match, i)))
    while waiting:
        i = waiting.popleft()
        if i not in held and _stands(match, held, i):
            held.add(i)
            waiting.extend(_near(match, i))
    return held


def _near(match: Match, i: int) -> list[int]:
    users = (use >> SLOT_BITS for use in match.a.users[i])
    return [p for p in (*match.a.operands[i], *users) if match.mate_a[p] >= 0]


def _stands(match: Match, held: set[int], i: int) -> bool:
    """Whether a pair lies between two that are held, or is computed from such as nothing else is; an input, whether it is used so."""
    j = match.mate_a[i]
    used = [use >> SLOT_BITS for use in match.a.users[i] if _agree(match, use, i, j)]
    if not match.a.operands[i]:
        return bool(used) and held.issuperset(used) and len(used) == len(match.a.users[i])
    below = [
        p for slot, p in enumerate(match.a.operands[i]) if _agree(match, (i << SLOT_BITS) + slot, p, match.mate_a[p])
    ]
    if not held.isdisjoint(below) and not held.isdisjoint(used):
        return True
    computed = [p for p in match.a.operands[i] if match.a.operands[p]]
    return (
        len(below) == len(match.a.operands[i])
        and bool(computed)
        and held.issuperset(computed)
        and match.a.key[i] == match.b.key[j]
        and _only(match.a, computed, i)
        and _only(match.b, [match.mate_a[p] for p in computed], j)
    )


def _agree(match: Match, use: int, p: int, q: int) -> bool:
    """Whether the partner of a user uses `q` where the user uses `p`."""
    u, slot = use >> SLOT_BITS, use & SLOT_MASK
    v = match.mate_a[u]
    if v < 0 or q < 0 or match.mate_a[p] != q:
        return False
    there = match.b.operands[v]
    return q in there if match.a.commutative[u] else there[slot : slot + 1] == [q]


def _only(table: Table, operands: list[int], i: int) -> bool:
    """Whether no other node with the key of this one is computed from one of these."""
    users = {use >> SLOT_BITS for p in operands for use in table.users[p]}
    return not any(u != i and table.key[u] == table.key[i] for u in users)
