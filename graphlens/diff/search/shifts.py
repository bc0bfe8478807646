"""Stretches of pairs that would agree as well, or better, one place on: where equal parts follow each other.

Every pair in such a stretch has neighbours that agree, so that looking at pairs one by one does not show a shift. It
shows where the stretch ends: there neighbours disagree. From there the other assignment is followed, as far as it goes,
and the two are compared as wholes. What is clearly better is taken; where neither is, all of it is ambiguous.
"""

from __future__ import annotations

from collections.abc import Callable

from graphlens.diff.search.adrift import adrift_step
from graphlens.diff.search.agreement import Pair
from graphlens.diff.search.doubts import doubts, gaps
from graphlens.diff.search.ground import Ground
from graphlens.diff.search.leftover import Entry
from graphlens.diff.search.match import GROUPED, Match
from graphlens.diff.search.repeated import flipped
from graphlens.diff.search.similar import Modules
from graphlens.diff.search.stretch import FILL, SLIDE, SWAP, WHOLE, Stretch, Stretches

SMALLEST = 64
"""Graphs of fewer nodes have no room for stretches; in them every pair is looked at by itself."""
_LEAST, _MUCH = 6, 4
_ROUNDS, _REPAIRS = 6, 3
Side = tuple[int, int]


def shifts_step(match: Match, modules: Modules, again: Callable[[], None]) -> list[Entry]:
    """Move stretches to where they agree better, and search `again` from there; return classes of those that agree as well elsewhere."""
    if min(len(match.a), len(match.b)) < SMALLEST:
        return []
    undecided: list[Entry] = []
    ground = Ground(match, modules, flip=flipped(match))
    for _ in range(_REPAIRS):
        moved, more = _repair(match, ground)
        undecided += more
        if not moved:
            break
        again()
        ground.renew()
    return undecided + adrift_step(match)


def _repair(match: Match, ground: Ground) -> tuple[int, list[Entry]]:
    moved = 0
    if max(ground.modules[0], default=-1) < 0 and len(match.a) <= WHOLE:
        moved += _fill(match, ground)
    found: list[Stretch] = []
    for _ in range(_ROUNDS):
        made, found = _round(match, ground)
        moved += made
        if not made:
            break
        ground.renew()
    if found:
        found.append(Stretch([], 0, _rest_of_stack(ground, found)))
    return moved, _set_aside(match, found, flip=ground.flip)


def _fill(match: Match, ground: Ground) -> int:
    """Pair free nodes along edges from matched ones: whoever has more free nodes must not win for that."""
    stretches = Stretches(ground)
    made = 0
    for seed in list(gaps(ground)):
        if ground.fits(*seed):
            stretch = stretches.follow(seed, FILL)
            if stretch.decisive:
                made += _move(match, stretch.best, flip=ground.flip)
    if made:
        ground.renew()
    return made


def _round(match: Match, ground: Ground) -> tuple[int, list[Stretch]]:
    stretches = Stretches(ground)
    found: list[Stretch] = []
    made = 0
    for seed in list(doubts(ground)):
        if seed in stretches.seen or not ground.fits(*seed):
            continue
        for way in (SLIDE, SWAP):
            stretch = stretches.follow(seed, way)
            if stretch.decisive:
                made += _move(match, stretch.best, flip=ground.flip)
                break
            if len(stretch.open) >= _LEAST:
                found.append(stretch)
    return made, found


def _rest_of_stack(ground: Ground, found: list[Stretch]) -> list[Pair]:
    """Return, where much is open, all pairs of the same forms: parts of the same stack, which is then open as a whole."""
    (up, _), (down, _), _ = ground.forms
    nodes = {i: j for stretch in found for i, j in stretch.open}
    if len(nodes) * _MUCH < len(ground.a):
        return []
    there = {(up[i], down[i]): j for i, j in nodes.items()}
    free = ((i, there.get((up[i], down[i]), -1)) for i, j in enumerate(ground.now.mate_a) if j >= 0)
    return [(i, j) for i, j in free if j >= 0 and i not in ground.known[0]]


def _move(match: Match, pairs: list[Pair], *, flip: bool) -> int:
    straight = [(j, i) for i, j in pairs] if flip else pairs
    for i, j in straight:
        _release(match, i, j)
    match.refree()
    note = ("more neighbours agree so, all in all, than one place on",)
    return sum(match.pair(i, j, "propagated", 0.9, note) for i, j in straight)


def _release(match: Match, i: int, j: int) -> None:
    """Take back the pairs in which two nodes stand."""
    if match.mate_a[i] >= 0:
        match.part(i, match.mate_a[i])
    if match.mate_b[j] >= 0:
        match.part(match.mate_b[j], j)


def _set_aside(match: Match, found: list[Stretch], *, flip: bool) -> list[Entry]:
    """Sort nodes that have two possible partners into classes of each other's candidates."""
    root: dict[Side, Side] = {}

    def find(x: Side) -> Side:
        while root.setdefault(x, x) != x:
            root[x] = root[root[x]]
            x = root[x]
        return x

    for i, j in (pair[::-1] if flip else pair for stretch in found for pair in stretch.open):
        root[find((1, j))] = find((0, i))
        if match.mate_a[i] >= 0:
            root[find((1, match.mate_a[i]))] = find((0, i))
        if match.mate_b[j] >= 0:
            root[find((0, match.mate_b[j]))] = find((1, j))
    classes: dict[Side, tuple[list[int], list[int]]] = {}
    for side, node in sorted(root):
        classes.setdefault(find((side, node)), ([], []))[side].append(node)
    entries = [
        (ours, theirs, _REASON) for ours, theirs in classes.values() if ours and theirs and len(ours) + len(theirs) > 2
    ]
    for ours, theirs, _ in entries:
        for i in ours:
            if match.mate_a[i] >= 0:
                match.part(i, match.mate_a[i])
            match.mate_a[i] = GROUPED
        for j in theirs:
            if match.mate_b[j] >= 0:
                match.part(match.mate_b[j], j)
            match.mate_b[j] = GROUPED
    return entries


_REASON = "repeated: one place on, the neighbours would agree as well"
