"""From matched nodes to free ones: forward from operands to users, backward from users to operands."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator

from graphlens.diff.search.evidence import Witnesses, describe, witnesses
from graphlens.diff.search.flat import alone
from graphlens.diff.search.match import FREE, Match, Notes
from graphlens.diff.search.table import SLOT_BITS, SLOT_MASK, Table

Keys = tuple[list[int], list[int]]
_FEW = 8
COMPUTED = tuple((f"all {n} operands agree",) if n > 1 else ("its operand agrees",) for n in range(64))

TWO, TWO_BUT, MODULE, ONE = 0, 1, 2, 3
"""How much must agree. `TWO`: all operands, or two neighbours and none says otherwise. `TWO_BUT`: two neighbours, more than
have no counterpart, and none says otherwise. `MODULE`: one neighbour, none says otherwise, and nothing else of this key
is free in the module. `ONE`: one neighbour that can mean nothing else, and none says otherwise."""


class Links:
    """For a node and a place, the one user that stands there with a given key, on either side."""

    __slots__ = ("hubs", "key", "table")

    def __init__(self, table: Table, key: list[int]) -> None:
        self.table, self.key = table, key
        self.hubs: dict[int, dict[tuple[int, int], int]] = {}

    def only(self, p: int, slot: int, key: int) -> int:
        """Return the only user of `p` in this slot with this key, ``-1`` if there is none or more than one."""
        uses = self.table.users[p]
        if len(uses) > _FEW:
            return self._hub(p).get((slot, key), -1)
        found = -1
        keys = self.key
        for use in uses:
            if keys[use >> SLOT_BITS] == key and use & SLOT_MASK == slot:
                if found >= 0:
                    return -1
                found = use >> SLOT_BITS
        return found

    def _hub(self, p: int) -> dict[tuple[int, int], int]:
        hub = self.hubs.get(p)
        if hub is None:
            hub = self.hubs[p] = {}
            for use in self.table.users[p]:
                place = (use & SLOT_MASK, self.key[use >> SLOT_BITS])
                hub[place] = -1 if place in hub else use >> SLOT_BITS
        return hub


def forward_all(match: Match, links: tuple[Links, Links], how: str) -> None:
    """Pair, in topological order, every node whose operands are all matched to those of exactly one other node.

    The first and longest sweep: on programs that differ little it decides nearly everything.
    """
    mate_a, mate_b = match.mate_a, match.mate_b
    hows, confidence, notes = match.how, match.confidence, match.notes
    operands_a, operands_b, commutative = match.a.operands, match.b.operands, match.a.commutative
    key, users = match.a.key, match.a.users
    only_a, only_b = links[0].only, links[1].only
    missing = alone(match.a, mate_a)
    for i in match.free()[0]:
        ours = operands_a[i]
        if missing[i] or not ours:
            continue
        partners = [mate_a[x] for x in ours]
        slot = refused = -1
        step = not commutative[i]
        for x, y in zip(ours, partners, strict=True):
            slot += step or slot < 0
            j = only_b(y, slot, key[i])
            if j in (-1, refused) or mate_b[j] != FREE or only_a(x, slot, key[i]) != i:
                continue
            theirs = operands_b[j]
            refused = j  # unless it is taken now; asking once is enough for a node of many operands
            if match.strangers(i, j):
                continue
            if partners == theirs or (not step and sorted(partners) == sorted(theirs)):
                mate_a[i], mate_b[j] = j, i
                hows[i], confidence[i], notes[i] = how, 1.0, COMPUTED[min(len(ours), 63)]
                for use in users[i]:
                    missing[use >> SLOT_BITS] -= 1
                break


def spread(
    match: Match,
    keys: Keys,
    links: tuple[Links, Links],
    start: list[int],
    needs: tuple[int, ...],
    how: str,
    singular: Singular | None,
) -> int:
    """Pair free nodes with what their matched neighbours point to, and go on from there; return how many pairs were made.

    A node is looked at once for each need, and again when a neighbour was paired; what asks for less waits until nothing
    that asks for more is left to look at. So the time is linear in the edges around the free nodes.
    """
    mate_a = match.mate_a
    operands, users = match.a.operands, match.a.users
    queues = {need: deque(start) for need in needs}
    waiting = {need: set(start) for need in needs}
    made = 0
    while True:
        need = next((need for need in needs if queues[need]), -1)
        if need < 0:
            return made
        if need == ONE:
            fresh_pairs = _at_once(match, keys, links, queues[need], how)
            queues[need].clear()
            waiting[need].clear()
        else:
            i = queues[need].popleft()
            waiting[need].discard(i)
            fresh_pairs = [i] if mate_a[i] == FREE and _try(match, keys, links, i, need, how, singular) else []
        for i in fresh_pairs:
            made += 1
            near = [p for p in operands[i] if mate_a[p] == FREE]
            near += [use >> SLOT_BITS for use in users[i] if mate_a[use >> SLOT_BITS] == FREE]
            for each in needs:
                fresh = [p for p in near if p not in waiting[each]]
                waiting[each].update(fresh)
                queues[each].extend(dict.fromkeys(fresh))


def _at_once(match: Match, keys: Keys, links: tuple[Links, Links], nodes: Iterable[int], how: str) -> list[int]:
    """Pair what one witness speaks for, all of it together, and take back what then contradicts something.

    One after the other, the first would decide about the next, and another order of the nodes would give other pairs.
    """
    found: dict[tuple[int, int], tuple[float, Notes]] = {}
    for i in nodes:
        for j in _pointed_at(match, keys, links, i) if match.mate_a[i] == FREE else ():
            seen = witnesses(match, i, j)
            confidence = _enough(seen, ONE, alone=False)
            if confidence > 0:
                found[i, j] = confidence, describe(seen)
    ours, theirs = Counter(i for i, _ in found), Counter(j for _, j in found)
    made = [
        (i, j)
        for (i, j), (confidence, notes) in found.items()
        if ours[i] == theirs[j] == 1 and match.pair(i, j, how, confidence, notes)
    ]
    wrong = {(i, j) for i, j in made if witnesses(match, i, j).hard}
    for i, j in wrong:
        match.part(i, j)
    return [i for i, j in made if (i, j) not in wrong]


def _try(
    match: Match, keys: Keys, links: tuple[Links, Links], i: int, need: int, how: str, singular: Singular | None
) -> bool:
    return any(accept(match, i, j, need, how, singular) for j in _pointed_at(match, keys, links, i))


def _pointed_at(match: Match, keys: Keys, links: tuple[Links, Links], i: int) -> Iterator[int]:
    """Yield the free nodes that the partners of the neighbours of `i` have in its place."""
    mate_a, mate_b = match.mate_a, match.mate_b
    key = keys[0][i]
    step = not match.a.commutative[i]
    slot = last = -1
    for x in match.a.operands[i]:
        slot += step or slot < 0
        y = mate_a[x]
        if y >= 0:
            j = links[1].only(y, slot, key)
            if j not in (-1, last) and mate_b[j] == FREE and links[0].only(x, slot, key) == i:
                last = j  # a node of many operands is pointed at by all of them
                yield j
    for use in match.a.users[i][:_FEW]:
        v = mate_a[use >> SLOT_BITS]
        if v >= 0:
            j = _operand_there(match, keys, use, v, key)
            if j >= 0 and mate_b[j] == FREE and keys[1][j] == key:
                yield j


def _operand_there(match: Match, keys: Keys, use: int, v: int, key: int) -> int:
    """Return what node `v` of `b` uses where its partner uses a node of this key; ``-1`` if that is not one thing."""
    user, slot = use >> SLOT_BITS, use & SLOT_MASK
    ours, theirs = match.a.operands[user], match.b.operands[v]
    if match.a.commutative[user]:
        same = [q for q in theirs if match.mate_b[q] == FREE and keys[1][q] == key]
        mine = [p for p in ours if match.mate_a[p] == FREE and keys[0][p] == key]
        return same[0] if len(same) == len(mine) == 1 else -1
    return theirs[slot] if slot < len(theirs) and len(theirs) == len(ours) else -1


class Singular:
    """Whether a free node is the only one of its key in its module, on both sides."""

    __slots__ = ("counts", "keys", "modules")

    def __init__(self, match: Match, keys: Keys, modules: Keys) -> None:
        self.keys, self.modules = keys, modules
        self.counts: tuple[dict[tuple[int, int], int], dict[tuple[int, int], int]] = ({}, {})
        for side, free in enumerate(match.free()):
            counts = self.counts[side]
            for i in free:
                place = (modules[side][i], keys[side][i])
                counts[place] = counts.get(place, 0) + 1

    def __call__(self, i: int, j: int) -> bool:
        """Whether `i` and `j` are such a pair, in modules that correspond."""
        module = self.modules[0][i]
        if module < 0 or module != self.modules[1][j]:
            return False
        return self.counts[0].get((module, self.keys[0][i])) == self.counts[1].get((module, self.keys[1][j])) == 1


def accept(match: Match, i: int, j: int, need: int, how: str, singular: Singular | None) -> bool:
    """Pair two nodes if enough of their neighbours say so."""
    found = witnesses(match, i, j)
    confidence = _enough(found, need, alone=singular is not None and singular(i, j))
    return confidence > 0 and match.pair(i, j, how, confidence, describe(found))


def _enough(found: Witnesses, need: int, *, alone: bool) -> float:
    if found.hard or not found.agree:
        return 0.0
    if not found.soft and (found.computed_the_same or found.agree >= 2):
        return 0.98 if found.agree >= 2 else 0.95
    if need >= TWO_BUT and found.agree >= 2 and found.agree > found.soft:
        return 0.9
    if need >= MODULE and alone:
        return 0.85
    return 0.7 if need >= ONE and not found.soft else 0.0
