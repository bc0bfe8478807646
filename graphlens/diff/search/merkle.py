"""Two-way Merkle numbers: what a node is computed from, and what is computed from it. Matched nodes are the leaves."""

from __future__ import annotations

from collections.abc import Hashable

from graphlens.diff.search.intern import Interner
from graphlens.diff.search.table import SLOTS, Table


def up_numbers(table: Table, anchor: list[int], intern: Interner) -> list[int]:
    """Number each node by its key and the numbers of its operands; an anchored node by its anchor."""
    numbers = intern.numbers
    number_of = numbers.setdefault
    up = [-1] * len(table)
    key, commutative = table.key, table.commutative
    i = -1
    for operands in table.operands:
        i += 1
        if anchor[i] >= 0:
            up[i] = number_of(("anchor", anchor[i]), len(numbers))
            continue
        below = [up[p] for p in operands]
        if commutative[i]:
            below.sort()
        up[i] = number_of((key[i], *below), len(numbers))
    return up


def down_numbers(table: Table, anchor: list[int], intern: Interner) -> list[int]:
    """Number each node by its key and the numbers of its uses; an anchored node by its anchor.

    Dead users do not count for a live node.
    """
    numbers = intern.numbers
    number_of = numbers.setdefault
    down = [-1] * len(table)
    key, users, live = table.key, table.users, table.live
    for i in range(len(table) - 1, -1, -1):
        if anchor[i] >= 0:
            down[i] = number_of(("anchor", anchor[i]), len(numbers))
            continue
        above: list[int]
        if live[i]:
            above = [down[use // SLOTS] * SLOTS + use % SLOTS for use in users[i] if live[use // SLOTS]]
        else:
            above = [down[use // SLOTS] * SLOTS + use % SLOTS for use in users[i]]
        above.sort()
        down[i] = number_of((key[i], *above), len(numbers))
    return down


def unique_pairs(a: list[Hashable | None], b: list[Hashable | None]) -> list[tuple[int, int]]:
    """Return `(i, j)` for every value that stands exactly once in `a` and once in `b`; `None` never counts."""
    first_a, first_b = _once(a), _once(b)
    return [(i, first_b[value]) for value, i in first_a.items() if i >= 0 and first_b.get(value, -1) >= 0]


def _once(values: list[Hashable | None]) -> dict[Hashable, int]:
    found: dict[Hashable, int] = {}
    for i, value in enumerate(values):
        if value is not None:
            found[value] = -1 if value in found else i
    return found
