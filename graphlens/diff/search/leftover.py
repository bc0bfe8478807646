"""The last word on what was not paired: rewritten together, interchangeable, or on one side only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping

from graphlens.diff.search.evidence import witnesses
from graphlens.diff.search.match import FREE, GROUPED, Match
from graphlens.diff.search.table import GETITEM, SLOT_BITS, SLOT_MASK, Table

Entry = tuple[list[int], list[int], str]


def pair_twins(match: Match) -> None:
    """Pair getitems of one item, which are the same object in each program: those of the same name, then the others in order.

    One that picks a different item of the same container is the one of the same name, if that is left over.
    """
    later = _later(match.a.twin), _later(match.b.twin)
    firsts = {i for i in later[0] if match.mate_a[i] >= 0} | {match.mate_b[j] for j in later[1] if match.mate_b[j] >= 0}
    for first in sorted(firsts):
        other, grouped = match.mate_a[first], not match.how[first]
        ours, theirs = [first, *later[0].get(first, ())], [other, *later[1].get(other, ())]
        _pair_named(match, ours[grouped:], theirs[grouped:])
    if firsts:
        _pair_other_items(match)


def _later(twin: Mapping[int, int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for i, first in twin.items():
        found[first].append(i)
    return found


def _pair_named(match: Match, ours: list[int], theirs: list[int]) -> None:
    named = {match.b.nodes[j].name: j for j in theirs}
    found = {i: j for i in ours if (j := named.get(match.a.nodes[i].name, -1)) >= 0}
    taken = set(found.values())
    rest = (j for j in theirs if j not in taken)
    found |= dict(zip((i for i in ours if i not in found), rest, strict=False))
    for i in ours[:1]:
        if match.mate_a[i] >= 0 and match.mate_a[i] != found.get(i):
            match.part(i, match.mate_a[i])
    for i, j in found.items():
        match.pair(i, j, "symmetric", 1.0, ("the same item of the same container",))


def _pair_other_items(match: Match) -> None:
    free = {match.b.nodes[j].name: j for j, mate in enumerate(match.mate_b) if mate == FREE}
    for i, mate in enumerate(match.mate_a):
        node = match.a.nodes[i]
        j = free.get(node.name, -1)
        if mate == FREE and j >= 0 and node.target == match.b.nodes[j].target == GETITEM:
            container = match.mate_a[match.a.operands[i][0]]
            if container >= 0 and [container] == match.b.operands[j]:
                match.pair(i, j, "similar up to literals", 0.7, ("another item of the same container, by name",))


def pair_named(match: Match, keys: tuple[list[int], list[int]], modules: tuple[list[int], list[int]]) -> int:
    """Pair free nodes that are alone with their key and surroundings on either side and have one name; return how many.

    That only one of a kind is left says nothing, for it may as well have been taken out here and put in there; that it has
    the name too does, where no neighbour says otherwise.
    """
    free_a, free_b = match.free()
    left, right = _classes(match.a, free_a, keys[0], modules[0]), _classes(match.b, free_b, keys[1], modules[1])
    made = 0
    for place, ours in left.items():
        theirs = right.get(place, ())
        if len(ours) == len(theirs) == 1 and match.a.nodes[ours[0]].name == match.b.nodes[theirs[0]].name:
            i, j = ours[0], theirs[0]
            if match.a.nodes[i].op == "call_function" and not witnesses(match, i, j).hard:
                made += match.pair(i, j, "similar", 0.6, ("the same name, and no other of its kind is left",))
    return made


def interchangeable(
    match: Match, keys: tuple[list[int], list[int]], modules: tuple[list[int], list[int]]
) -> list[Entry]:
    """List free nodes of the same key and surroundings on both sides, which evidence cannot tell apart."""
    _pair_dead(match, keys)
    free_a, free_b = ([i for i in free if t.live[i]] for t, free in zip((match.a, match.b), match.free(), strict=True))
    left, right = _classes(match.a, free_a, keys[0], modules[0]), _classes(match.b, free_b, keys[1], modules[1])
    found: list[Entry] = []
    for place, ours in left.items():
        theirs = right.get(place)
        if theirs and any(not witnesses(match, i, j).hard for i in ours[:4] for j in theirs[:4]):
            found.append((ours, theirs, _reason(match, ours, theirs)))
    return found


def still_free(match: Match, entry: Entry) -> Entry | None:
    """Return what is left of a class where some of it was taken since, `None` where that is nothing of one side."""
    ours = [i for i in entry[0] if match.mate_a[i] == FREE]
    theirs = [j for j in entry[1] if match.mate_b[j] == FREE]
    return (ours, theirs, _reason(match, ours, theirs)) if ours and theirs else None


def _pair_dead(match: Match, keys: tuple[list[int], list[int]]) -> None:
    """Of what nothing depends on, pair what has the same name and the same key; which is which changes no result."""
    free_a, free_b = match.free()
    named = {match.b.nodes[j].name: j for j in free_b if not match.b.live[j]}
    for i in free_a:
        j = named.get(match.a.nodes[i].name, -1)
        if j >= 0 and not match.a.live[i] and keys[0][i] == keys[1][j]:
            match.pair(i, j, "similar", 0.6, ("nothing depends on either, the same name",))


def _classes(table: Table, free: list[int], key: list[int], modules: list[int]) -> dict[Hashable, list[int]]:
    found: dict[Hashable, list[int]] = defaultdict(list)
    for i in free:
        found[key[i], modules[i], len(table.operands[i]), len(table.users[i]), _read_by(table, i)].append(i)
    return found


def _read_by(table: Table, i: int) -> Hashable:
    """Say what reads an input and in which place: the bias of a convolution is not the weight of a norm."""
    if table.nodes[i].op != "placeholder":
        return ()
    return tuple(sorted((table.nodes[use >> SLOT_BITS].target, use & SLOT_MASK) for use in table.users[i]))


def _reason(match: Match, ours: list[int], theirs: list[int]) -> str:
    target = (
        match.a.nodes[ours[0]].target if match.a.nodes[ours[0]].op == "call_function" else match.a.nodes[ours[0]].op
    )
    return f"{len(ours)} and {len(theirs)} {target} that nothing tells apart"


def set_aside(match: Match, entries: Iterable[Entry]) -> None:
    """Take the nodes of ambiguous classes out of the search."""
    for ours, theirs, _ in entries:
        for i in ours:
            match.mate_a[i] = GROUPED
        for j in theirs:
            match.mate_b[j] = GROUPED


def open_again(match: Match, loose: list[int], reason: str) -> list[Entry]:
    """Take pairs back that hang on nothing, and set aside what they paired: each key is one ambiguous class."""
    classes: dict[int, tuple[list[int], list[int]]] = {}
    for i in loose:
        j = match.mate_a[i]
        classes.setdefault(match.a.key[i], ([], []))[0].append(i)
        classes.setdefault(match.b.key[j], ([], []))[1].append(j)
    found = [(ours, sorted(theirs), reason) for ours, theirs in classes.values() if ours and theirs]
    for i in loose:
        match.part(i, match.mate_a[i])
    set_aside(match, found)
    return found
