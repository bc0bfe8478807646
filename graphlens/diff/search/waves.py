"""Walks over free nodes from matched ones, on along the edges or back: what each node is as far as one end can tell."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from graphlens.diff.search.match import FREE
from graphlens.diff.search.merkle import Keys
from graphlens.diff.search.sweep import Links
from graphlens.diff.search.table import SLOT_BITS, SLOT_MASK, Table

GAPS_ON, GAPS_BACK = (16, 8, 4, 2, 1), (16, 8, 4)
_FEW, _WIDE, _LOOKS = 16, 64, 8
Pair = tuple[int, int]


class Wave:
    """One walk over free nodes, with pairs of its own.

    Each level asks for less: that all neighbours behind agree, or that all that lies ahead looks the same for so many edges.
    Then a pair may even stand past a node that was put in or taken out.
    """

    strict: int
    """The level at which all neighbours behind are asked."""

    def __init__(self, tables: tuple[Table, Table], mates: Keys, gaps: tuple[Keys, ...]) -> None:
        self.a, self.b = tables
        self.mate_a, self.mate_b = list(mates[0]), list(mates[1])
        self.gaps = gaps
        self.looks: dict[int, int] = {}
        self.keys: Keys = (self.a.key, self.b.key)

    def run(self, free: Iterable[int]) -> None:
        """Pair node by node, the most careful level first, and go on from each pair."""
        mate_a, mate_b = self.mate_a, self.mate_b
        start = [i for i in free if any(mate_a[p] >= 0 for p in self.behind(i))]
        levels = range(len(self.gaps) + 1)
        queues: list[deque[int]] = [deque() for _ in levels]
        waiting: list[set[int]] = [set() for _ in levels]
        queues[0].extend(start)
        waiting[0].update(start)
        while True:
            level = next((at for at in levels if queues[at]), -1)
            if level < 0:
                return
            i = queues[level].popleft()
            waiting[level].discard(i)
            if mate_a[i] != FREE or not self._worth(i):
                continue
            found = self.look(i, level)
            if (found is None or found[0] != i) and level < levels[-1] and i not in waiting[level + 1]:
                waiting[level + 1].add(i)
                queues[level + 1].append(i)
            if found is not None:
                each, j = found
                mate_a[each], mate_b[j] = j, each
                fresh = [near for near in self.ahead(each) if near not in waiting[0]]
                waiting[0].update(fresh)
                queues[0].extend(fresh)

    def _worth(self, i: int) -> bool:
        """Whether to look: what has very many operands is not looked at anew for each of them."""
        if len(self.a.operands[i]) <= _WIDE:
            return True
        self.looks[i] = self.looks.get(i, 0) + 1
        return self.looks[i] <= _LOOKS

    def look(self, i: int, level: int) -> Pair | None:
        """Return a pair for node `i`, or for one just ahead of it."""
        if level == self.strict:
            j = self.surely(i)
            return (i, j) if j >= 0 else None
        gap = self.gaps[level - (level > self.strict)]
        j = self.near(i, gap)
        if j >= 0:
            return i, j
        for each in (i, *self.ahead(i)[:_WIDE]):
            if len(self.a.operands[each]) > _WIDE:
                continue
            found = {j for j in self.beyond(each, gap) if self.mate_b[j] == FREE and self.fits(each, j)}
            if len(found) == 1:
                return each, found.pop()
        return None

    def ahead(self, i: int) -> list[int]:
        """Return free nodes that the walk comes to from `i`."""
        raise NotImplementedError

    def behind(self, i: int) -> Iterable[int]:
        """Return nodes that the walk comes from to `i`."""
        raise NotImplementedError

    def surely(self, i: int) -> int:
        """Return what node `i` is, going by all its neighbours behind; ``-1`` where they do not tell."""
        raise NotImplementedError

    def near(self, i: int, gap: Keys) -> int:
        """Return what node `i` is, going by some of its neighbours behind and all that lies ahead."""
        raise NotImplementedError

    def beyond(self, i: int, gap: Keys) -> Iterator[int]:
        """Yield nodes of `b` past a node that was put in or taken out."""
        raise NotImplementedError

    def fits(self, i: int, j: int) -> bool:
        """Whether no neighbour behind that has a partner contradicts the pair, but for one place at most."""
        raise NotImplementedError


class Onward(Wave):
    """From operands to users."""

    strict = 0

    def __init__(self, tables: tuple[Table, Table], mates: Keys, gaps: tuple[Keys, ...]) -> None:
        super().__init__(tables, mates, gaps)
        self.links = {id(gap): (Links(self.a, gap[0]), Links(self.b, gap[1])) for gap in (self.keys, *gaps)}

    def ahead(self, i: int) -> list[int]:
        """Return free users."""
        users = dict.fromkeys(use >> SLOT_BITS for use in self.a.users[i])
        return [user for user in users if self.mate_a[user] == FREE]

    def behind(self, i: int) -> Iterable[int]:
        """Return the operands."""
        return self.a.operands[i]

    def surely(self, i: int) -> int:
        """Ask all operands but leaves without a partner."""
        told = (self.mate_a[x] >= 0 or not self.a.operands[x] for x in self.a.operands[i])
        return self.near(i, self.keys) if all(told) else -1

    def near(self, i: int, gap: Keys) -> int:
        """Go by the operands."""
        color = gap[0][i]
        ours, theirs = self.links[id(gap)]
        for slot, x in _slots(self.a, i):
            y = self.mate_a[x]
            if y >= 0:
                j = theirs.only(y, slot, color)
                if j >= 0 and self.mate_b[j] == FREE and ours.only(x, slot, color) == i and self._agree(i, j):
                    return j
        return -1

    def _agree(self, i: int, j: int) -> bool:
        ours, theirs = self.a.operands[i], self.b.operands[j]
        if len(ours) != len(theirs):
            return False
        mates = [self.mate_a[x] for x in ours]
        if self.a.commutative[i]:
            return all(y < 0 or y in theirs for y in mates)
        return all(m == y or (m < 0 and self.mate_b[y] < 0) for m, y in zip(mates, theirs, strict=True))

    def fits(self, i: int, j: int) -> bool:
        """Ask the other operands."""
        ours, theirs = self.a.operands[i], self.b.operands[j]
        if len(ours) != len(theirs):
            return False
        if self.a.commutative[i]:
            return sum(self.mate_a[x] not in theirs for x in ours) <= 1
        return sum(self.mate_a[x] != y and not self._leaves(x, y) for x, y in zip(ours, theirs, strict=True)) <= 1

    def _leaves(self, x: int, y: int) -> bool:
        """Whether these are inputs, of which nothing is known."""
        return self.mate_a[x] < 0 and self.mate_b[y] < 0 and not self.a.operands[x] and not self.b.operands[y]

    def beyond(self, i: int, gap: Keys) -> Iterator[int]:
        """Yield users past a node put in or taken out between `i` and its operand."""
        theirs = self.links[id(gap)][1]
        for slot, x in _slots(self.a, i):
            y = self.mate_a[x]
            if y >= 0:
                uses = self.b.users[y]
                behind = [use >> SLOT_BITS for use in uses] if len(uses) <= _FEW else []
                behind = [z for z in behind if self.mate_b[z] == FREE]
            else:
                behind = [self.mate_a[w] for w in self.a.operands[x] if self.mate_a[w] >= 0]
            found = (theirs.only(z, slot, gap[0][i]) for z in behind)
            yield from (j for j in found if j >= 0)


class Backward(Wave):
    """From users to operands."""

    strict = len(GAPS_BACK)

    def ahead(self, i: int) -> list[int]:
        """Return free operands."""
        return [p for p in dict.fromkeys(self.a.operands[i]) if self.mate_a[p] == FREE]

    def behind(self, i: int) -> Iterable[int]:
        """Return the users."""
        return (use >> SLOT_BITS for use in self.a.users[i])

    def surely(self, i: int) -> int:
        """Ask all of several users."""
        uses = self.a.users[i]
        sure = 1 < len(uses) <= _FEW and all(self.mate_a[use >> SLOT_BITS] >= 0 for use in uses)
        return self.near(i, self.keys) if sure else -1

    def near(self, i: int, gap: Keys) -> int:
        """Go by the users."""
        for use in self.a.users[i][:_FEW]:
            v = self.mate_a[use >> SLOT_BITS]
            if v < 0 or len(self.a.operands[use >> SLOT_BITS]) != len(self.b.operands[v]):
                continue
            found = [q for q in _there(self.b, v, use & SLOT_MASK) if gap[1][q] == gap[0][i]]
            if len(found) == 1 and self.mate_b[found[0]] == FREE and self.fits(i, found[0]):
                return found[0]
        return -1

    def fits(self, i: int, j: int) -> bool:
        """Ask the other users."""
        for use in self.a.users[i][:_FEW]:
            v = self.mate_a[use >> SLOT_BITS]
            if v >= 0 and j not in _there(self.b, v, use & SLOT_MASK):
                operands = self.b.operands[v]
                if len(operands) > _WIDE or j not in operands:
                    return False
        return True

    def beyond(self, i: int, gap: Keys) -> Iterator[int]:
        """Yield operands past a node put in or taken out between `i` and its user."""
        for use in self.a.users[i][:_FEW]:
            user = use >> SLOT_BITS
            v = self.mate_a[user]
            if v >= 0:
                for z in _there(self.b, v, use & SLOT_MASK):
                    if self.mate_b[z] == FREE:
                        yield from (q for q in self.b.operands[z] if gap[1][q] == gap[0][i])
                continue
            for far in self.a.users[user][:_FEW]:
                w = self.mate_a[far >> SLOT_BITS]
                if w >= 0:
                    yield from (q for q in _there(self.b, w, far & SLOT_MASK) if gap[1][q] == gap[0][i])


def _slots(table: Table, i: int) -> Iterator[tuple[int, int]]:
    return ((0 if table.commutative[i] else at, x) for at, x in enumerate(table.operands[i]))


def _there(table: Table, v: int, slot: int) -> list[int]:
    operands = table.operands[v]
    return operands if table.commutative[v] else operands[slot : slot + 1]
