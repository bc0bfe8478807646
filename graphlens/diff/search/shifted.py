"""Pairs that were shifted by one: where a layer was taken out, what follows it is computed from the same and is not it.

A pair whose keys or names differ is held against a node without a partner that has the other's key and module. With its
neighbours it takes over if more keys and operands agree then. Names never decide: a tracer counts them anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from graphlens.diff.search.agreement import Assignment
from graphlens.diff.search.flat import flat
from graphlens.diff.search.match import FREE, GROUPED, Match
from graphlens.diff.search.merkle import Keys
from graphlens.diff.search.similar import Modules
from graphlens.diff.search.table import SLOT_BITS, SLOT_MASK, Table

_CANDIDATES, _MANY_USES = 4, 24
_FIXED = ("pinned", "signature", "")
Plan = dict[int, int]


@dataclass(frozen=True)
class Side:
    """A match seen from the program that has the node without a partner: `own` is that one, `other` the other one."""

    match: Match
    own: Table
    other: Table
    key: list[int]
    key_there: list[int]
    module: list[int]
    module_there: list[int]
    mate: list[int]
    back: list[int]

    def alike(self, x: int, y: int) -> bool:
        """Whether two nodes have one key and one module."""
        return self.key[x] == self.key_there[y] and self.module[x] == self.module_there[y]

    def how(self, y: int) -> str:
        """On what evidence node `y` of the other program has its partner."""
        x = self.back[y]
        return self.match.how[x if self.own is self.match.a else y] if x >= 0 else "free"


def unshift_step(match: Match, keys: Keys, modules: Modules, largest: int) -> int:
    """Exchange partners, of so many nodes at once, where less differs then; return how many nodes got another one."""
    sides = [
        Side(match, match.a, match.b, *keys, *modules, match.mate_a, match.mate_b),
        Side(match, match.b, match.a, *keys[::-1], *modules[::-1], match.mate_b, match.mate_a),
    ]
    if _lone_names(sides[0]) > _lone_names(sides[1]):
        sides.reverse()
    return sum(_unshift(side, largest) for side in sides)


def _lone(side: Side) -> list[int]:
    free = side.match.free()[side.own is side.match.b]
    return [i for i in free if side.own.nodes[i].op == "call_function"]


def _lone_names(side: Side) -> tuple[int, list[str]]:
    names = sorted(side.own.nodes[i].name for i in _lone(side))
    return len(names), names


def _unshift(side: Side, largest: int) -> int:
    waiting: dict[tuple[int, int], list[int]] = defaultdict(list)
    for i in _lone(side):
        waiting[side.key[i], side.module[i]].append(i)
    made = 0
    for y, found in _of_one_kind(side, waiting):
        x = side.back[y]
        if x < 0 or side.how(y) in _FIXED or not _doubtful(side, x, y):
            continue
        for f in found[:_CANDIDATES]:
            if side.mate[f] != FREE or side.back[y] != x:
                continue
            if largest == 1 and not _neighbours(side.own, f, x):
                continue
            plan = _grow(side, f, y, largest)
            if plan and side.match.spend(8 * len(plan)):
                made += _take_over(side, plan)
    return made


def _neighbours(table: Table, f: int, x: int) -> bool:
    return f in table.operands[x] or x in table.operands[f]


def _of_one_kind(side: Side, waiting: Mapping[tuple[int, int], list[int]]) -> Iterator[tuple[int, list[int]]]:
    """Yield the nodes of the other program with the key and the module of lone nodes, and these."""
    import numpy as np

    keys = np.array([key for key, _ in waiting], dtype=np.int64)
    for y in np.flatnonzero(np.isin(flat(side.other).key, keys)).tolist() if waiting else ():
        found = waiting.get((side.key_there[y], side.module_there[y]))
        if found:
            yield y, found


def _doubtful(side: Side, x: int, y: int) -> bool:
    return side.key[x] != side.key_there[y] or side.own.nodes[x].name != side.other.nodes[y].name


def _grow(side: Side, f: int, y: int, largest: int) -> Plan:
    """Follow lone nodes from one to their lone neighbours, each with what stands in its place; empty where that is too much."""
    plan, taken = {f: y}, {y}
    stack = [(f, y)]
    while stack:
        pair = stack.pop()
        for p, q in _beside(side, *pair):
            if side.mate[p] != FREE or p in plan or q in taken or not side.alike(p, q):
                continue
            if side.how(q) in _FIXED or p in side.own.twin or q in side.other.twin:
                continue
            plan[p] = q
            taken.add(q)
            stack.append((p, q))
        if len(plan) > largest:
            return {}
    return plan


def _beside(side: Side, x: int, y: int) -> Iterator[tuple[int, int]]:
    """Yield operands of two nodes by slot, and users that stand alone with their key and slot."""
    ours, theirs = side.own.operands[x], side.other.operands[y]
    if len(ours) == len(theirs):
        yield from zip(ours, theirs, strict=True)
    left, right = _users(side.own, x, side.key), _users(side.other, y, side.key_there)
    for place, u in left.items():
        v = right.get(place, -1)
        if u >= 0 and v >= 0:
            yield u, v


def _users(table: Table, i: int, key: list[int]) -> dict[tuple[int, int], int]:
    found: dict[tuple[int, int], int] = {}
    for use in table.users[i][:_MANY_USES]:
        place = key[use >> SLOT_BITS], use & SLOT_MASK
        found[place] = -1 if place in found else use >> SLOT_BITS
    return found


def _take_over(side: Side, plan: Plan) -> int:
    """Carry a plan out if more agrees with it."""
    if any(GROUPED in (side.mate[p], side.back[q]) for x, y in plan.items() for p, q in _beside(side, x, y)):
        return 0  # how many agree is not known next to what is undecided
    trial = Assignment((side.own, side.other), (side.mate, side.back))
    if sum(trial.assign(x, y) for x, y in plan.items()) <= 0:
        return 0
    own_is_a = side.own is side.match.a
    for y in plan.values():
        x = side.back[y]
        if x >= 0:
            side.match.part(*((x, y) if own_is_a else (y, x)))
    note = ("with the one beside it less would agree",)
    return sum(side.match.pair(*((x, y) if own_is_a else (y, x)), "similar", 0.8, note) for x, y in plan.items())
