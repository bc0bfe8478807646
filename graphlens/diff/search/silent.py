"""Numbers that are silent about the pocket: in each of several equal pockets there is a node with the same one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from graphlens.diff.search.match import Match
from graphlens.diff.search.table import SLOT_BITS


class Silent(NamedTuple):
    """Free nodes of `a` of which a number says nothing: what they are computed from, what uses them, and what with."""

    up: frozenset[int] = frozenset()
    down: frozenset[int] = frozenset()
    used: frozenset[int] = frozenset()


def silent_numbers(match: Match, free: Iterable[int]) -> Silent:
    """Return the nodes that no matched node of their pocket alone stands behind; none, where no pocket is searched.

    Such a node may be the only one of its number in its pocket, and is one of many all the same.
    """
    shared = match.shared
    if shared is None:
        return Silent()
    mate, operands, users = match.mate_a, match.a.operands, match.a.users
    nodes = list(free)
    up: set[int] = set()
    for i in nodes:
        if any(p in up or (mate[p] >= 0 and p not in shared) for p in operands[i]):
            up.add(i)
    down: set[int] = set()
    used: set[int] = set()
    for i in reversed(nodes):
        near = [use >> SLOT_BITS for use in users[i]]
        if any(u in down or (mate[u] >= 0 and u not in shared) for u in near):
            down.add(i)
        beside = (p for u in near for p in operands[u] if p != i)
        telling = any(u in used or (mate[u] >= 0 and u not in shared) for u in near)
        if telling or any(p in up or (mate[p] >= 0 and p not in shared) for p in beside):
            used.add(i)
    return Silent(frozenset(nodes) - up, frozenset(nodes) - down, frozenset(nodes) - used)
