"""Two graphs with the pairs found so far, and what a node and its neighbours say about another pair."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from graphlens.diff.search.agreement import Assignment, Pair
from graphlens.diff.search.colors import forms
from graphlens.diff.search.flat import agreeing
from graphlens.diff.search.match import FREE, GROUPED, Match
from graphlens.diff.search.merkle import Keys
from graphlens.diff.search.similar import Modules
from graphlens.diff.search.table import SLOT_BITS, SLOT_MASK, Table

if TYPE_CHECKING:
    from graphlens.diff.search.flat import Flags

WIDE, FEW = 64, 8
_FIXED = ("signature", "pinned", "provenance")


class Ground:
    """Both sides, turned if `flip`, with assignments that can be tried."""

    def __init__(self, match: Match, modules: Modules, *, flip: bool) -> None:
        self.a, self.b = (match.b, match.a) if flip else (match.a, match.b)
        mates = (match.mate_b, match.mate_a) if flip else (match.mate_a, match.mate_b)
        self.now = Assignment((self.a, self.b), mates)
        self.modules = modules[::-1] if flip else modules
        self.match, self.flip = match, flip

    def renew(self) -> None:
        """Forget what followed from pairs, which are others now."""
        for name in ("_agreeing", "known"):
            self.__dict__.pop(name, None)

    @cached_property
    def _agreeing(self) -> tuple[Flags, Flags]:
        return agreeing((self.a, self.b), self.now.mate_a)

    @property
    def apart(self) -> list[int]:
        """The nodes whose partner has another key or other operands."""
        paired, same = self._agreeing
        found: list[int] = (paired & ~same).nonzero()[0].tolist()
        return found

    @cached_property
    def known(self) -> tuple[set[int], set[int]]:
        """The nodes that are computed, with the same calls, from inputs that are known to be each other."""
        mate, effect, how = self.now.mate_a, self.a.effect, self.match.how
        fixed = (i for i, j in enumerate(self.match.mate_a) if j >= 0 and how[i].startswith(_FIXED))
        found = {self.match.mate_a[i] for i in fixed} if self.flip else set(fixed)
        turned = {i for i in self.apart if self.a.commutative[i] and self._turned(i)}
        same = self._agreeing[1].tolist()
        for i, ours in enumerate(self.a.operands):
            if ours and found.issuperset(ours) and (same[i] or i in turned) and not effect[i]:
                found.add(i)
        return found, {mate[i] for i in found}

    def _turned(self, i: int) -> bool:
        """Whether a node and its partner are one call of the same operands in another order."""
        j, mate = self.now.mate_a[i], self.now.mate_a
        return self.a.key[i] == self.b.key[j] and sorted(mate[x] for x in self.a.operands[i]) == sorted(
            self.b.operands[j]
        )

    @cached_property
    def forms(self) -> tuple[Keys, Keys, Keys]:
        """For both sides, what each node is computed from, what is computed from it, and that from further away."""
        a, b = forms(self.a), forms(self.b)
        return (a.up, b.up), (a.down, b.down), (a.far, b.far)

    def fits(self, i: int, j: int) -> bool:
        """Whether two nodes may be tried as a pair."""
        now = self.now
        if now.changed_a.get(i, FREE) >= 0 or now.changed_b.get(j, FREE) >= 0 or now.partner(i) == j:
            return False
        if i in self.known[0] or j in self.known[1] or GROUPED in (now.mate_a[i], now.mate_b[j]):
            return False
        x, y = self.a.nodes[i], self.b.nodes[j]
        if x.op != y.op or x.op == "output" or (x.op == "call_function" and x.target != y.target):
            return False
        if x.op == "placeholder" and self.a.key[i] != self.b.key[j]:
            return False
        return self.modules[0][i] == self.modules[1][j]

    def both_free(self, i: int, j: int) -> bool:
        """Whether neither node had a partner before anything was tried."""
        return self.now.mate_a[i] == FREE == self.now.mate_b[j]

    def against(self, i: int, j: int) -> int:
        """How much of what stands around two nodes would rather have it otherwise."""
        (up_a, up_b), (down_a, down_b), _ = self.forms
        value = -2 * (self.a.key[i] == self.b.key[j]) - (up_a[i] == up_b[j]) - (down_a[i] == down_b[j])
        theirs = self.b.operands[j]
        partners = [self.now.partner(x) for x in self.a.operands[i]]
        value += sum(-2 if y in theirs else 2 for y in partners if y >= 0)
        uses_b = {use >> SLOT_BITS for use in self.b.users[j][:WIDE]}
        partners = [self.now.partner(use >> SLOT_BITS) for use in self.a.users[i][:WIDE]]
        return value + sum(-2 if v in uses_b else 2 for v in partners if v >= 0)

    def near(self, i: int, j: int) -> Iterator[Pair]:
        """Yield the pairs that operands and users of two nodes make, if these are a pair."""
        a, b = self.a, self.b
        ours, theirs = a.operands[i], b.operands[j]
        if len(ours) == len(theirs) <= WIDE:
            if a.commutative[i] and len(ours) == 2:
                alike = [a.key[x] == b.key[y] for x in ours for y in theirs]
                if not (alike[0] or alike[3]) and (alike[1] or alike[2]):
                    theirs = theirs[::-1]
            for x, y in zip(ours, theirs, strict=True):
                yield from self._past(x, y)
        if len(a.users[i]) <= WIDE >= len(b.users[j]):
            yield from self._users_near(i, j)

    def _past(self, x: int, y: int) -> list[Pair]:
        """Return the operands in one place as a pair, or one of them and what is behind a node put in or taken out."""
        up_a, up_b = self.forms[0]
        if up_a[x] == up_b[y]:
            return [(x, y)]
        past = [(p, y) for p in self.a.operands[x][:2]] + [(x, q) for q in self.b.operands[y][:2]]
        alike = [(p, q) for p, q in past if up_a[p] == up_b[q]]
        return alike or [(x, y), *((p, q) for p, q in past if self.a.key[p] == self.b.key[q])]

    def _users_near(self, i: int, j: int) -> Iterator[Pair]:
        a, b = self.a, self.b
        places: dict[tuple[int, int], list[int]] = {}
        for use in b.users[j]:
            places.setdefault((use & SLOT_MASK, b.key[use >> SLOT_BITS]), []).append(use >> SLOT_BITS)
        for use in a.users[i]:
            u = use >> SLOT_BITS
            there = alike = places.get((use & SLOT_MASK, a.key[u]), [])
            for form_a, form_b in (self.forms[2], self.forms[1]) if len(there) > 1 else ():
                alike = [v for v in there if form_a[u] == form_b[v]]
                if len(alike) == 1:
                    break
            if len(alike) == 1:
                yield u, alike[0]
            elif not there:
                yield from self._beyond(use, j)

    def _beyond(self, use: int, j: int) -> Iterator[Pair]:
        """Yield users past a node put in or taken out, and of the same function with other arguments."""
        a, b, u = self.a, self.b, use >> SLOT_BITS
        for other in b.users[j][:FEW]:
            v = other >> SLOT_BITS
            if other & SLOT_MASK == use & SLOT_MASK and b.nodes[v].target == a.nodes[u].target:
                yield u, v
            if len(b.operands[v]) == 1:
                yield from ((u, w >> SLOT_BITS) for w in b.users[v][:FEW] if b.key[w >> SLOT_BITS] == a.key[u])
            if len(a.operands[u]) <= 2:
                yield from ((w >> SLOT_BITS, v) for w in a.users[u][:FEW] if a.key[w >> SLOT_BITS] == b.key[v])

    def hints(self, i: int, j: int) -> Iterator[Pair]:
        """Yield what neighbours say about a node of `a` and one of `b` that both lost their partners; ``-1`` is none."""
        if i >= 0 and j >= 0:
            yield i, j
        if i >= 0:
            yield from ((i, v) for v in _pointed(self.a, self.b, i, self.now.partner))
        if j >= 0:
            yield from ((u, j) for u in _pointed(self.b, self.a, j, self.now.holder))


def only_user(table: Table, p: int, slot: int, key: int) -> list[int]:
    """Return the user of a node with this key in this place, if there is just one."""
    uses = table.users[p]
    if len(uses) > WIDE:
        return []
    found = [use >> SLOT_BITS for use in uses if table.key[use >> SLOT_BITS] == key and use & SLOT_MASK == slot]
    return found if len(found) == 1 else []


def place(table: Table, i: int, slot: int) -> int:
    """Return the slot under which an operand of a node is known."""
    return 0 if table.commutative[i] else slot


def _pointed(here: Table, there: Table, i: int, partner: Callable[[int], int]) -> Iterator[int]:
    key = here.key[i]
    for use in here.users[i][:FEW]:
        user, slot = use >> SLOT_BITS, use & SLOT_MASK
        v = partner(user)
        theirs = there.operands[v] if v >= 0 else []
        yield from (y for y in (theirs if here.commutative[user] else theirs[slot : slot + 1]) if there.key[y] == key)
    for slot, x in enumerate(here.operands[i][:FEW]):
        y = partner(x)
        if y >= 0:
            yield from only_user(there, y, place(here, i, slot), key)
