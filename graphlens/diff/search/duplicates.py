"""Nodes that compute the same from the same, of which one side has more: their users say which of them stayed."""

from __future__ import annotations

from collections import defaultdict

from graphlens.diff.search.intern import Interner
from graphlens.diff.search.match import FREE, Match
from graphlens.diff.search.merkle import Keys, both_numbers
from graphlens.diff.search.table import SLOT_BITS, SLOT_MASK, Table

_MOST_USES = 24
Pairs = dict[tuple[int, int], int]


def duplicates_step(match: Match, keys: Keys, intern: Interner) -> int:
    """Pair duplicates by the matched users that they share; return how many pairs.

    One that took over the users of another is paired with the one whose users it has most of; where that leaves a choice,
    the same name decides and then the order. A parameter is no duplicate of another, whatever it is used for.
    """
    (up_a, _), (up_b, _) = both_numbers(match, keys, intern)
    left, right = _by_number(match.a, up_a), _by_number(match.b, up_b)
    made = 0
    for number, ours in left.items():
        theirs = right.get(number, [])
        if theirs and len(ours) + len(theirs) > 2:
            made += _pair(match, ours, theirs)
    return made


def prefer_names(match: Match) -> None:
    """Of duplicates of which one has no partner, leave the partner to the one of its name.

    Unless it shares fewer users, or lives in another module than the partner: names of calls are counted, modules are not.
    """
    for f in [i for i, mate in enumerate(match.mate_a) if mate == FREE]:
        for p in _paired_duplicates(match.a, f, match.mate_a):
            j = match.mate_a[p]
            if match.b.nodes[j].name == match.a.nodes[f].name and match.how[p]:
                _exchange(match, (p, j), (f, j))
    for f in [j for j, mate in enumerate(match.mate_b) if mate == FREE]:
        for q in _paired_duplicates(match.b, f, match.mate_b):
            i = match.mate_b[q]
            if match.a.nodes[i].name == match.b.nodes[f].name and match.how[i]:
                _exchange(match, (i, q), (i, f))


def _paired_duplicates(table: Table, f: int, mate: list[int]) -> list[int]:
    """List paired nodes that compute the same from the same as a free one."""
    operands = table.operands[f]
    if not operands or table.effect[f] or f in table.twin or len(table.users[operands[0]]) > _MOST_USES:
        return []
    beside = dict.fromkeys(use >> SLOT_BITS for use in table.users[operands[0]])
    return [p for p in beside if mate[p] >= 0 and table.key[p] == table.key[f] and table.operands[p] == operands]


def _exchange(match: Match, old: tuple[int, int], new: tuple[int, int]) -> None:
    if match.strangers(*new):
        return
    shared = [_shared_users(match, [i], {j: 0}).get((i, j), 0) for i, j in (old, new)]
    if shared[0] <= shared[1] and match.mate_a[old[0]] == old[1]:
        match.part(*old)
        match.pair(*new, "symmetric", 0.8, ("computed from the same as another", "the same name"))


def _by_number(table: Table, up: dict[int, int]) -> dict[int, list[int]]:
    """Sort free nodes by their numbers, leaving out what depends on an input that nothing names."""
    found: dict[int, list[int]] = defaultdict(list)
    unnamed: set[int] = set()
    for i, number in up.items():
        inside = table.nodes[i].op in ("placeholder", "output") and not _is_value(table, i)
        if inside or any(p in unnamed for p in table.operands[i]):
            unnamed.add(i)
        else:
            found[number].append(i)
    return found


def _is_value(table: Table, i: int) -> bool:
    label = table.labels.get(table.nodes[i].name)
    return isinstance(label, tuple) and label[0] == "value"


def _pair(match: Match, ours: list[int], theirs: list[int]) -> int:
    place_a = {i: at for at, i in enumerate(ours)}
    place_b = {j: at for at, j in enumerate(theirs)}
    shared = _shared_users(match, ours, place_b)

    def rank(pair: tuple[int, int]) -> tuple[int, bool, int, int]:
        i, j = pair
        places = place_a[i], place_b[j]
        return -shared[pair], match.a.nodes[i].name != match.b.nodes[j].name, min(places), max(places)

    made = 0
    for i, j in sorted(shared, key=rank):
        count = shared[i, j]
        pure = not match.a.effect[i]
        notes = (f"{count} use{'s' * (count != 1)} agree{'s' * (count == 1)}", "computed from the same as others are")
        made += match.pair(i, j, "symmetric" if pure else "propagated", 0.8, notes)
    return made + _rest(match, ours, theirs)


def _rest(match: Match, ours: list[int], theirs: list[int]) -> int:
    """Pair the duplicates that are left, where both sides have as many and use them in the same places.

    They are one value, so that any may stand for any; their users are to be paired, and need somebody to agree on.
    """
    left, right = [i for i in ours if match.mate_a[i] == FREE], [j for j in theirs if match.mate_b[j] == FREE]
    places = [[_places(match.a, i) for i in left], [_places(match.b, j) for j in right]]
    if places[0] != places[1] or not all(places[0]) or any(match.a.effect[i] for i in left):
        return 0
    note = ("a duplicate: any of them may stand for any other",)
    return sum(match.pair(i, j, "symmetric", 0.6, note) for i, j in zip(left, right, strict=True))


def _places(table: Table, i: int) -> list[int]:
    """How many operands each use of a node has."""
    return sorted(len(table.operands[use >> SLOT_BITS]) for use in table.users[i])


def _shared_users(match: Match, ours: list[int], there: dict[int, int]) -> Pairs:
    """Count, for each possible pair, the matched users that use the one where their partners use the other."""
    found: Pairs = defaultdict(int)
    for i in ours:
        for use in match.a.users[i][:_MOST_USES]:
            user, slot = use >> SLOT_BITS, use & SLOT_MASK
            v = match.mate_a[user]
            operands = match.b.operands[v] if v >= 0 else []
            for j in dict.fromkeys(operands) if match.a.commutative[user] else operands[slot : slot + 1]:
                if j in there:
                    found[i, j] += 1
    return found
