"""Another assignment, followed from one pair as far as it goes and compared with the one found."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from heapq import heappop, heappush
from typing import NamedTuple

from graphlens.diff.search.agreement import Pair
from graphlens.diff.search.ground import Ground
from graphlens.diff.search.match import FREE

_DECISIVE, _VAGUE, _LONG = 2, 0.03, 600
"""By how much one assignment is better for sure: a few edits, and more in a long stretch with many of them."""
_DIP, _SLOPE, _LATER = 40, 0.15, 1000
WHOLE, _TIMES, _PART = 20_000, 4, 3_000
"""Graphs up to the first size are looked at so many times over, larger ones at so many nodes."""

SLIDE, SWAP, FILL = 0, 1, 2
"""How to go on: by neighbours alone; with new partners for nodes that lost theirs; between free nodes only."""


class Stretch(NamedTuple):
    """Another assignment of some nodes: what is best of it, by how much, and how far it is not clearly worse."""

    best: list[Pair]
    gain: int
    open: list[Pair]

    @property
    def decisive(self) -> bool:
        """Whether it is better for sure."""
        return self.gain >= _DECISIVE + _VAGUE * len(self.best)


class Stretches:
    """Follows assignments on a ground, until it has looked often enough."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.seen: set[Pair] = set()
        self.budget = max(_PART, _TIMES * len(ground.a) if len(ground.a) <= WHOLE else 0)

    @cached_property
    def spare(self) -> Counter[int]:
        """How many more free nodes of each kind the second side has."""
        now, a, b = self.ground.now, self.ground.a, self.ground.b
        found = Counter(b.key[j] for j, mate in enumerate(now.mate_b) if mate == FREE)
        found.subtract(Counter(a.key[i] for i, mate in enumerate(now.mate_a) if mate == FREE))
        return found

    def follow(self, seed: Pair, way: int) -> Stretch:
        """Go on from one pair, always to the one that its neighbours speak most for.

        Free nodes that this pairs with each other gain nothing for it: the assignment found could have them as well.
        """
        ground, now = self.ground, self.ground.now
        heap: list[tuple[int, int, int, int]] = [(0, 0, *seed)]
        offered: dict[int, dict[int, None]] = {}
        hope = _Hope(ground, self.spare)
        order: list[Pair] = []
        total = best = best_at = open_at = count = 0
        filling = True
        while heap and self.budget > 0:
            _, _, i, j = heappop(heap)
            if not ground.fits(i, j):
                continue
            self.budget -= 1
            self.seen.add((i, j))
            order.append((i, j))
            lost = now.holder(j), now.partner(i)
            hope.take(i, j, *lost)
            gain = now.assign(i, j)
            filling = filling and ground.both_free(i, j)
            if filling or not ground.both_free(i, j):
                total += gain
            if total > best:
                best, best_at = total, len(order)
            if total + hope.value > self._margin(len(order)):
                open_at = len(order)
            if total + hope.value < best - _DIP - _SLOPE * len(order):
                break
            for u, v, later in self._next(i, j, lost, offered, way):
                if ground.fits(u, v):
                    count += 1
                    offered.setdefault(u, {})[v] = None
                    heappush(heap, (ground.against(u, v) + later, count, u, v))
        now.forget()
        return Stretch(order[:best_at], best, order[:open_at])

    def _margin(self, length: int) -> float:
        """Return what another assignment must gain to be as good; where nothing is left over, any would leave something over."""
        return -_DECISIVE - _VAGUE * min(length, _LONG) if any(self.ground.match.free()) else -1

    def _next(
        self, i: int, j: int, lost: Pair, offered: dict[int, dict[int, None]], way: int
    ) -> list[tuple[int, int, int]]:
        """List pairs to look at, those again that were offered to a node which now lost its partner."""
        ground, now = self.ground, self.ground.now
        if way == FILL:
            return [(u, v, 0) for u, v in ground.near(i, j) if ground.both_free(u, v)]
        found = [(u, v, 0) for u, v in ground.near(i, j)]
        found += [(lost[0], v, 0) for v in offered.get(lost[0], ())]
        if way == SWAP:
            for u, v in ground.hints(*lost):
                free = now.partner(u) < 0 and now.holder(v) < 0
                found.append((u, v, 0 if free else _LATER))
        return found


class _Hope:
    """What nodes that lost their partners could agree with again: nodes of their kind that one side has more of."""

    def __init__(self, ground: Ground, spare: Counter[int]) -> None:
        self.ground = ground
        self.spare = spare.copy()
        self.waiting: dict[int, int] = {}
        self.value = 0

    def take(self, i: int, j: int, holder: int, left: int) -> None:
        """Note that node `i` goes from `left` to `j`, which `holder` loses; ``-1`` is nobody."""
        key_a, operands = self.ground.a.key, self.ground.a.operands
        if left < 0:
            self.value -= self.waiting.pop(i, 0)
            self.spare[key_a[i]] += 1
        if holder < 0:
            self.spare[self.ground.b.key[j]] -= self.ground.now.mate_b[j] == FREE
            return
        if self.spare[key_a[holder]] > 0:
            self.waiting[holder] = 1 + len(operands[holder])
            self.value += self.waiting[holder]
        self.spare[key_a[holder]] -= 1
