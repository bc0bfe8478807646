"""Parts of one make that one call used: where that call is gone, nothing may be left that says which is which."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from graphlens.diff.search.agreement import Assignment, Pair
from graphlens.diff.search.leftover import Entry
from graphlens.diff.search.match import FREE, GROUPED, Match
from graphlens.diff.search.merkle import Keys
from graphlens.diff.search.table import SLOT_BITS, SLOT_MASK, Table

_LARGEST, _FEW, _MOST = 64, 4, 24
_FIXED = ("signature", "pinned", "provenance")
_REASON = "of one make, and the call that told them apart is gone"
_NOTE = ("more neighbours agree so than exchanged",)


def exchange_step(match: Match, modules: Keys) -> list[Entry]:
    """Exchange parts where more agrees then; return classes of those where as much does."""
    found: list[Entry] = []
    for flip in (False, True):
        here, module = (match.b, modules[1]) if flip else (match.a, modules[0])
        mate = match.mate_b if flip else match.mate_a
        trial = Assignment((match.a, match.b), (match.mate_a, match.mate_b))
        for f in match.free()[flip]:
            for p, q in _rivals(here, f):
                parts = _alike(here, mate, p, q)
                if any(module[x] != module[y] for x, y in parts) or not _movable(match, mate, parts, flip=flip):
                    continue
                swapped = [(x, mate[y]) for pair in parts for x, y in (pair, pair[::-1]) if mate[y] >= 0]
                pairs = [(j, i) for i, j in swapped] if flip else swapped
                gain = sum(trial.assign(i, j) for i, j in pairs) if match.spend(8 * len(pairs)) else -1
                trial.forget()
                if gain > 0:
                    _carry_out(match, pairs)
                elif gain == 0:
                    found += _set_aside(match, mate, parts, flip=flip)
    return found


def doubled_step(match: Match) -> list[Entry]:
    """Return classes of a node and two of which it may be either: one was put in or taken out beside another of its kind."""
    found: list[Entry] = []
    for flip in (False, True):
        here = match.b if flip else match.a
        mate = match.mate_b if flip else match.mate_a
        trial = Assignment((match.a, match.b), (match.mate_a, match.mate_b))
        for f in match.free()[flip]:
            for y in (*here.operands[f], *(use >> SLOT_BITS for use in here.users[f][:_FEW])):
                x = mate[y]
                if x < 0 or mate[f] != FREE or here.key[f] != here.key[y] or not here.operands[y]:
                    continue
                i, j, pair = (x, f, (x, y)) if flip else (f, x, (y, x))
                if match.how[pair[0]].startswith(_FIXED) or match.a.nodes[pair[0]].name == match.b.nodes[pair[1]].name:
                    continue
                gain = trial.assign(i, j)
                trial.forget()
                if gain == 0:
                    found += _set_aside(match, mate, [(y, f)], flip=flip)
    return found


def _rivals(table: Table, f: int) -> Iterator[Pair]:
    """Yield nodes of one key that a node used, and those that use it or, in the same place, what it was computed from."""
    operands = list(dict.fromkeys(table.operands[f][:_FEW]))
    yield from ((p, q) for p, q in combinations(operands, 2) if table.key[p] == table.key[q])
    users = _by_place(table, f)
    for p in operands:
        others = _by_place(table, p)
        yield from ((u, others[at]) for at, u in users.items() if at in others)


def _by_place(table: Table, i: int) -> dict[Pair, int]:
    """Map key and slot to the user of a node that is the only one there."""
    found: dict[Pair, int] = {}
    for use in table.users[i][:_MOST]:
        place = table.key[use >> SLOT_BITS], use & SLOT_MASK
        found[place] = -1 if place in found else use >> SLOT_BITS
    return {place: u for place, u in found.items() if u >= 0}


def _alike(table: Table, mate: list[int], p: int, q: int) -> list[Pair]:
    """Return the nodes around two nodes side by side, as far as they have one key; none where they run into each other."""
    found: dict[int, int] = {}
    taken: set[int] = set()
    stack = [(p, q)]
    while stack:
        x, y = stack.pop()
        if x == y or found.get(x) == y or table.key[x] != table.key[y] or _one_behind(table, mate, x, y):
            continue
        ours, theirs = table.operands[x], table.operands[y]
        if x in taken or y in taken or len(ours) != len(theirs) or len(found) > _LARGEST:
            return []
        found[x] = y
        taken.update((x, y))
        stack += zip(ours, theirs, strict=True)
        others = _by_place(table, y)
        stack += [(u, others[at]) for at, u in _by_place(table, x).items() if at in others]
    return list(found.items())


def _one_behind(table: Table, mate: list[int], x: int, y: int) -> bool:
    """Whether one node was computed from the other and has no partner."""
    return (mate[x] < 0 and y in table.operands[x]) or (mate[y] < 0 and x in table.operands[y])


def _movable(match: Match, mate: list[int], parts: list[Pair], *, flip: bool) -> bool:
    """Whether any of them has a partner, and none one that is certain or one that is not known."""
    mates = [(x, mate[x]) for pair in parts for x in pair]
    if any(y == GROUPED for _, y in mates):
        return False
    paired = [y if flip else x for x, y in mates if y >= 0]
    return bool(paired) and not any(match.how[i].startswith(_FIXED) or not match.how[i] for i in paired)


def _carry_out(match: Match, pairs: list[Pair]) -> None:
    for i, j in pairs:
        if match.mate_a[i] >= 0:
            match.part(i, match.mate_a[i])
        if match.mate_b[j] >= 0:
            match.part(match.mate_b[j], j)
    match.refree()
    for i, j in pairs:
        match.pair(i, j, "propagated", 0.8, _NOTE)


def _set_aside(match: Match, mate: list[int], parts: list[Pair], *, flip: bool) -> Iterator[Entry]:
    for pair in parts:
        ours, theirs = sorted(pair), sorted(mate[x] for x in pair if mate[x] >= 0)
        for x in ours:
            if mate[x] >= 0:
                match.part(*((mate[x], x) if flip else (x, mate[x])))
        if flip:
            ours, theirs = theirs, ours
        if ours and theirs:
            for i in ours:
                match.mate_a[i] = GROUPED
            for j in theirs:
                match.mate_b[j] = GROUPED
            yield ours, theirs, _REASON
