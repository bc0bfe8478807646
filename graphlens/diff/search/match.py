"""The pairs found so far for one pair of graphs, and on what evidence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from graphlens.diff.search.table import SLOT_BITS, Table

Notes = tuple[str, ...]


class Bundle(NamedTuple):
    """A group being built: node numbers of both sides, and the evidence."""

    a: tuple[int, ...]
    b: tuple[int, ...]
    how: str
    confidence: float
    notes: Notes


FREE, GROUPED = -1, -2
ANYWHERE = -1
Homes = tuple[list[int], list[int]]
"""For each node of both sides, the number of the innermost module around it that has a counterpart, or `ANYWHERE`."""

_VISITS_PER_NODE, _VISITS = 24, 200_000


class Match:
    """A growing one-to-one map between the nodes of two tables.

    `mate_a[i]` is the partner of node `i` of `a`, `FREE`, or `GROUPED`; `mate_b` the other way. `how[i]` names the
    evidence, `confidence[i]` its weight, `notes[i]` says more for people; `placed` are nodes of `a` paired by counting. The last nodes of the two sides of a bundle are
    partners too, so that what uses them is seen to use the same.
    """

    __slots__ = (
        "_fence",
        "_free",
        "a",
        "b",
        "budget",
        "bundles",
        "confidence",
        "homes",
        "how",
        "mate_a",
        "mate_b",
        "notes",
        "placed",
        "shared",
    )

    def __init__(self, a: Table, b: Table) -> None:
        self.a, self.b = a, b
        self.mate_a = [FREE] * len(a)
        self.mate_b = [FREE] * len(b)
        self.how: list[str] = [""] * len(a)
        self.confidence: list[float] = [0.0] * len(a)
        self.notes: list[Notes] = [()] * len(a)
        self.bundles: list[Bundle] = []
        self.homes: Homes | None = None
        self.budget = _VISITS_PER_NODE * (len(a) + len(b)) + _VISITS
        self._fence: tuple[set[int], set[int]] | None = None
        self.shared: frozenset[int] | None = None
        self.placed: frozenset[int] = frozenset()
        self._free = ([i for i in range(len(a)) if i not in a.twin], [j for j in range(len(b)) if j not in b.twin])

    def pair(self, i: int, j: int, how: str, confidence: float, notes: Notes = ()) -> bool:
        """Pair two nodes unless one of them is taken."""
        if self.mate_a[i] != FREE or self.mate_b[j] != FREE or self.strangers(i, j):
            return False
        self.mate_a[i] = j
        self.mate_b[j] = i
        self.how[i] = how
        self.confidence[i] = confidence
        self.notes[i] = notes
        return True

    def pair_all(self, pairs: Iterable[tuple[int, int]], how: str, confidence: float, notes: Notes = ()) -> int:
        """Pair nodes of which each stands in one pair only, as `pair` does; return how many were."""
        mate_a, mate_b = self.mate_a, self.mate_b
        hows, confidences, texts = self.how, self.confidence, self.notes
        left, right = self.homes or ((), ())
        made = 0
        for i, j in pairs:
            if mate_a[i] != FREE or mate_b[j] != FREE:
                continue
            if (self._fence is not None or (left and left[i] != right[j])) and self.strangers(i, j):
                continue
            mate_a[i], mate_b[j] = j, i
            hows[i], confidences[i], texts[i] = how, confidence, notes
            made += 1
        return made

    def strangers(self, i: int, j: int) -> bool:
        """Whether two nodes may not be paired yet: one is out of sight, or they live in modules that are not each other."""
        if self._fence is not None and not (i in self._fence[0] and j in self._fence[1]):
            return True
        if self.homes is None:
            return False
        x, y = self.homes[0][i], self.homes[1][j]
        return x != y and ANYWHERE not in (x, y)

    def part(self, i: int, j: int) -> None:
        """Take a pair back."""
        self.mate_a[i] = self.mate_b[j] = FREE
        self.how[i], self.confidence[i], self.notes[i] = "", 0.0, ()

    def bundle(self, a: list[int], b: list[int], how: str, confidence: float, notes: Notes = ()) -> None:
        """Group free nodes of both sides."""
        last_a, last_b = _exit(self.a, a), _exit(self.b, b)
        for i in a:
            self.mate_a[i] = GROUPED
        for j in b:
            self.mate_b[j] = GROUPED
        if last_a >= 0 and last_b >= 0:
            self.mate_a[last_a], self.mate_b[last_b] = last_b, last_a
        self.bundles.append(Bundle(tuple(a), tuple(b), how, confidence, notes))

    def free(self) -> tuple[list[int], list[int]]:
        """Return the nodes of each side that have no partner, in order, later getitems of the same item left out."""
        mate_a, mate_b = self.mate_a, self.mate_b
        ours, theirs = self._free
        self._free = ([i for i in ours if mate_a[i] == FREE], [j for j in theirs if mate_b[j] == FREE])
        return self._free

    @contextmanager
    def only(self, a: list[int], b: list[int], shared: frozenset[int] | None = None) -> Iterator[None]:
        """Search among some of the free nodes, as if there were no others.

        Where these are one of several equal pockets, `shared` are the matched nodes of `a` around it that others have too.
        """
        kept, self._free, self._fence = self._free, (a, b), (set(a), set(b))
        self.shared = shared
        try:
            yield
        finally:
            self._free, self._fence, self.shared = kept, None, None

    def in_sight(self, j: int) -> bool:
        """Whether a free node of `b` is among those searched."""
        return self._fence is None or j in self._fence[1]

    def refree(self) -> None:
        """Look at all nodes again."""
        self._free = (
            [i for i in range(len(self.a)) if i not in self.a.twin],
            [j for j in range(len(self.b)) if j not in self.b.twin],
        )

    def open(self) -> bool:
        """Whether both sides have free nodes left, and the search may go on looking at them."""
        sides = zip((self.mate_a, self.mate_b), self._free, strict=True)
        return self.budget > 0 and all(FREE in map(mate.__getitem__, free) for mate, free in sides)

    def spend(self, visits: int) -> bool:
        """Pay for looking at that many nodes; `False` when the search has looked often enough."""
        self.budget -= visits
        return self.budget > 0


def _exit(table: Table, nodes: list[int]) -> int:
    """Return the one node that others use from outside, ``-1`` if there are several or none."""
    inside = set(nodes)
    exits = [i for i in nodes if any((use >> SLOT_BITS) not in inside for use in table.users[i])]
    return exits[0] if len(exits) == 1 else -1
