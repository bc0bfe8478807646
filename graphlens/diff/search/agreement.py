"""How much two programs agree under a given assignment of nodes to nodes, and how much a change of it would gain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from graphlens.diff.search.match import FREE
from graphlens.diff.search.merkle import Keys
from graphlens.diff.search.table import SLOT_BITS, Table

_NEAR = 24
Pair = tuple[int, int]


class Assignment:
    """The pairs of a match with changes on top of them that can be dropped again."""

    def __init__(self, tables: tuple[Table, Table], mates: Keys) -> None:
        self.a, self.b = tables
        self.mate_a, self.mate_b = mates
        self.changed_a: dict[int, int] = {}
        self.changed_b: dict[int, int] = {}

    def partner(self, i: int) -> int:
        """Return the node of `b` that node `i` of `a` is assigned to, a negative number if none is."""
        return self.changed_a[i] if i in self.changed_a else self.mate_a[i]

    def holder(self, j: int) -> int:
        """Return the node of `a` that is assigned to node `j` of `b`."""
        return self.changed_b[j] if j in self.changed_b else self.mate_b[j]

    def forget(self) -> None:
        """Drop all changes."""
        self.changed_a.clear()
        self.changed_b.clear()

    def assign(self, i: int, j: int) -> int:
        """Give node `i` of `a` to node `j` of `b`, taking it from whoever has it; return by how much agreement grows."""
        holder, left = self.holder(j), self.partner(i)
        heads = self._heads(i, holder, j, left)
        before = sum(map(self.agreement, heads))
        if holder >= 0:
            self.changed_a[holder] = FREE
        if left >= 0:
            self.changed_b[left] = FREE
        self.changed_a[i], self.changed_b[j] = j, i
        return sum(map(self.agreement, heads)) - before

    def _heads(self, i: int, holder: int, j: int, left: int) -> Iterable[int]:
        """Return the nodes of `a` whose agreement depends on what becomes of some nodes."""
        found = dict.fromkeys((i,) if holder < 0 else (i, holder))
        for x in tuple(found):
            for use in self.a.users[x][:_NEAR]:
                user = use >> SLOT_BITS
                found[user] = None
                if self.partner(user) < 0:
                    found.update((far >> SLOT_BITS, None) for far in self.a.users[user][:_NEAR])
        for y in (j, left):
            if y >= 0 and (y == left or holder < 0):
                carriers = (self.holder(use >> SLOT_BITS) for use in self.b.users[y][:_NEAR])
                found.update((x, None) for x in carriers if x >= 0)
        return found

    def agreement(self, i: int) -> int:
        """Count what agrees between node `i` and its partner: the key, and each operand."""
        j = self.partner(i)
        if j < 0:
            return 0
        ours, theirs = self.a.operands[i], self.b.operands[j]
        same = int(self.a.key[i] == self.b.key[j])
        partners = [self.partner(x) for x in ours]
        if partners == theirs:
            return same + len(ours)
        if self.a.commutative[i] or len(ours) != len(theirs):
            return same + self._in_any_order(ours, partners, theirs)
        count = sum(map(self._operand, ours, partners, theirs))
        return same + (count if count == len(ours) or sorted(partners) != sorted(theirs) else len(ours) - 1)

    def _in_any_order(self, ours: list[int], partners: list[int], theirs: list[int]) -> int:
        there = Counter(theirs)
        rest = []
        count = 0
        for x, y in zip(ours, partners, strict=True):
            if there[y] > 0:
                there[y] -= 1
                count += 1
            else:
                rest.append((x, y))
        for x, mate in rest:
            told = next((y for y in +there if self._operand(x, mate, y)), -1)
            if told >= 0:
                there[told] -= 1
                count += 1
        return count

    def _operand(self, x: int, mate: int, y: int) -> bool:
        """Whether one operand is the other, or would be but for one node put in or taken out."""
        if mate == y:
            return True
        if mate < 0:
            beside = [self.partner(p) for p in self.a.operands[x]]
            return y in beside and min(beside) >= 0
        if self.holder(y) >= 0:
            return False
        beside = self.b.operands[y]
        return mate in beside and all(self.holder(q) >= 0 for q in beside)
