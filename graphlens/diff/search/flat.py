"""The edges of a table as arrays, and where the pairs of a match agree: everything that is asked of all nodes at once."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from graphlens.diff.search.table import Table

    Numbers = NDArray[np.int64]
    Flags = NDArray[np.bool_]


class Flat(NamedTuple):
    """All operands one after the other: node `i` has those from `start[i]` to `start[i] + size[i]`; `user` is `i` for each."""

    key: Numbers
    size: Numbers
    start: Numbers
    operand: Numbers
    user: Numbers


def flat(table: Table) -> Flat:
    """Return the edges of a table as arrays, worked out once."""
    import numpy as np

    if table.flat is None:
        count = len(table)
        size = np.fromiter(map(len, table.operands), dtype=np.int64, count=count)
        operand = np.fromiter(chain.from_iterable(table.operands), dtype=np.int64, count=int(size.sum()))
        key = np.array(table.key, dtype=np.int64)
        table.flat = Flat(key, size, np.cumsum(size) - size, operand, np.repeat(np.arange(count), size))
    return table.flat


def agreeing(tables: tuple[Table, Table], mate: list[int]) -> tuple[Flags, Flags]:
    """Return which nodes of the first table have a partner, and of those which have its key and its operands, slot by slot."""
    import numpy as np

    a, b = map(flat, tables)
    partner = np.array(mate, dtype=np.int64)
    paired = partner >= 0
    there = np.where(paired, partner, 0)
    if not len(b.size):
        return paired, paired.copy()
    same = paired & (a.key == b.key[there]) & (a.size == b.size[there])
    asked = np.flatnonzero(same[a.user])
    user = a.user[asked]
    apart = partner[a.operand[asked]] != b.operand[b.start[there[user]] + asked - a.start[user]]
    same[user[apart]] = False
    return paired, same


def alone(table: Table, mate: list[int]) -> list[int]:
    """Count for each node the operands that have no partner."""
    import numpy as np

    edges = flat(table)
    without = np.array(mate, dtype=np.int64)[edges.operand] < 0
    return np.bincount(edges.user[without], minlength=len(table)).tolist()  # type: ignore[no-any-return]


def no_strangers(
    tables: tuple[Table, Table], mates: tuple[list[int], list[int]], pairs: list[tuple[int, int]]
) -> list[bool]:
    """Return for each pair of nodes whether all their operands are partners or both without one."""
    import numpy as np

    if not pairs:
        return []
    a, b = map(flat, tables)
    mate_a, mate_b = (np.array(mate, dtype=np.int64) for mate in mates)
    i, j = np.array(pairs, dtype=np.int64).T
    fine = a.size[i] == b.size[j]
    size = np.where(fine, a.size[i], 0)
    pair = np.repeat(np.arange(len(pairs)), size)
    slot = np.arange(len(pair)) - (np.cumsum(size) - size)[pair]
    x, y = a.operand[a.start[i][pair] + slot], b.operand[b.start[j][pair] + slot]
    fine[pair[(mate_a[x] != y) & ((mate_a[x] >= 0) | (mate_b[y] >= 0))]] = False
    return fine.tolist()  # type: ignore[no-any-return]
