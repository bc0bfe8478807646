"""Colours: match keys refined by everything within a few edges, above and below (rounds of Weisfeiler and Leman).

A matched node has the colour of its pair and passes nothing on, so a colour tells a free node by its surroundings up to
the nearest matched ones. Which operand is which plays no part, so that swapped operands change no colour. Colours only
propose, so 64 bits are enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from graphlens.diff.search.flat import flat
from graphlens.diff.search.match import FREE, GROUPED, Match
from graphlens.diff.search.similar import Modules
from graphlens.diff.search.table import Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Words = NDArray[np.uint64]
    Numbers = NDArray[np.int64]

_GOLDEN = 0x9E3779B97F4A7C15
_SALTS = (0x3C79AC492BA7B653, 0x1C69B3F74AC4AE35)
Keys = tuple[list[int], list[int]]


NEAR, FAR = 4, 8
"""How far a form sees, and how far the one does that sees further."""


class Forms(NamedTuple):
    """For each node what it is computed from, what is computed from it, and the same from further away."""

    up: list[int]
    down: list[int]
    far: list[int]


class Edges(NamedTuple):
    """Edges as arrays, ascending by the node that learns from the other."""

    learner: Numbers
    source: Numbers

    def of(self, nodes: NDArray[np.bool_]) -> Edges:
        """Return the edges from which some nodes learn."""
        chosen = nodes[self.learner]
        return Edges(self.learner[chosen], self.source[chosen])


def edges_of(table: Table) -> tuple[Edges, Edges]:
    """Return the edges of a table: to operands, and to users. What is alive does not hear of dead users."""
    import numpy as np

    _, _, _, operand, user = flat(table)
    live = np.frombuffer(bytes(table.live), dtype=np.uint8)
    heard = live[user] >= live[operand]
    if table.twin:
        heard &= ~np.isin(user, np.fromiter(table.twin, dtype=np.int64))
    order = np.flatnonzero(heard)[np.argsort(operand[heard], kind="stable")]
    return Edges(user, operand), Edges(operand[order], user[order])


class Painter:
    """Colours the nodes of both sides, again and again as the match grows."""

    def __init__(self, match: Match) -> None:
        self.match = match
        self.edges = (edges_of(match.a), edges_of(match.b))
        self.labels: tuple[Keys, Modules, tuple[Words, Words]] | None = None

    def __call__(self, keys: Keys, modules: Modules, radius: int) -> tuple[Words, Words]:
        """Return the colours of all nodes of either side."""
        (ours,), (theirs,) = (self._colors(side, keys, modules, (radius,), self.edges[side]) for side in (0, 1))
        return ours, theirs

    def lists(
        self, keys: Keys, modules: Modules, radii: tuple[int, ...], *, up: bool = True, down: bool = True
    ) -> tuple[Keys, ...]:
        """Return, for each radius, colours as numbers, to be used in place of match keys."""
        found = []
        for side in (0, 1):
            ways = tuple(edges if wanted else None for edges, wanted in zip(self.edges[side], (up, down), strict=True))
            found.append([each.tolist() for each in self._colors(side, keys, modules, radii, ways)])
        return tuple(zip(*found, strict=True))

    def _colors(
        self, side: int, keys: Keys, modules: Modules, radii: tuple[int, ...], ways: tuple[Edges | None, ...]
    ) -> list[Words]:
        import numpy as np

        mate = np.array((self.match.mate_a, self.match.mate_b)[side], dtype=np.int64)
        anchor = mate if side else np.arange(len(mate))
        color = self._labels(keys, modules)[side].copy()
        paired, grouped = mate >= 0, mate == GROUPED
        color[paired] = _mix((anchor[paired] * 2 + 3).astype(np.uint64))
        color[grouped] = _mix(np.ones(1, dtype=np.uint64))
        return _rounds(color, mate == FREE, ways, radii)

    def _labels(self, keys: Keys, modules: Modules) -> tuple[Words, Words]:
        """Return the colours of nodes by key and module alone; the last ones are kept, for they are asked for again."""
        import numpy as np

        if self.labels is None or self.labels[0] is not keys or self.labels[1] is not modules:
            found = []
            for key, module in zip(keys, modules, strict=True):
                place = (np.array(module, dtype=np.int64) + 1) << 32
                found.append(_mix(((np.array(key, dtype=np.int64) + place) * 2 + 2).astype(np.uint64)))
            self.labels = (keys, modules, (found[0], found[1]))
        return self.labels[2]


def _rounds(
    base: Words, free: NDArray[np.bool_], edges: tuple[Edges | None, ...], radii: tuple[int, ...]
) -> list[Words]:
    """Refine the colours of the free nodes, and return what they are after so many rounds each."""
    import numpy as np

    nodes = np.flatnonzero(free)
    place = np.cumsum(free) - 1
    relevant: list[tuple[Numbers, Numbers, np.uint64, Numbers]] = []
    for part, salt in zip(edges, _SALTS, strict=True):
        if part is None:
            continue
        learner, source = part.of(free)
        if len(learner):
            starts = np.flatnonzero(np.r_[True, learner[1:] != learner[:-1]])
            relevant.append((place[learner[starts]], source, np.uint64(salt), starts))
    color = base.copy()
    found: dict[int, Words] = {}
    with np.errstate(over="ignore"):
        own = base[nodes] * np.uint64(_GOLDEN)
        for radius in range(1, max(radii) + 1):
            total = own.copy()
            for owners, near, way, starts in relevant:
                told = _mix(color ^ way)[near] if len(near) > len(color) else _mix(color[near] ^ way)
                total[owners] += np.add.reduceat(told, starts)
            color[nodes] = _mix(total)
            if radius in radii:
                found[radius] = color.copy()
    return [found[radius] for radius in radii]


def _mix(words: Words) -> Words:
    """Scramble 64-bit words (the finaliser of SplitMix64, Steele, Lea and Flood 2014)."""
    import numpy as np

    with np.errstate(over="ignore"):
        words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return words ^ (words >> np.uint64(31))


def forms(table: Table) -> Forms:
    """Return what each node is computed from, what is computed from it, and that from further away, as numbers.

    A form knows keys and which operand is which, and nothing of any match, so that it is worked out once.
    """
    if table.forms is None:
        base, up, down = _ways(table)
        (near,) = _forms(base, up, (NEAR,))
        table.forms = Forms(near, *_forms(base, down, (NEAR, FAR)))
    return table.forms


def nearest(table: Table) -> tuple[list[int], list[int]]:
    """Return the forms of each node that see one edge far: what it is computed from, what is computed from it."""
    base, up, down = _ways(table)
    return _forms(base, up, (1,))[0], _forms(base, down, (1,))[0]


def _ways(table: Table) -> tuple[Words, tuple[Numbers, Numbers, Words], tuple[Numbers, Numbers, Words]]:
    """Return the words of keys, and for each node where its operands, and where its users, are and in which places."""
    import numpy as np

    key, _, start, operand, user = flat(table)
    slot = np.arange(len(user)) - start[user]
    slot[np.frombuffer(bytes(table.commutative), dtype=np.uint8)[user] == 1] = 0
    place = _mix(slot.astype(np.uint64) + np.uint64(1)) | np.uint64(1)
    order = np.argsort(operand, kind="stable")
    return _mix(key.astype(np.uint64)), (user, operand, place), (operand[order], user[order], place[order])


def _forms(base: Words, edges: tuple[Numbers, Numbers, Words], radii: tuple[int, ...]) -> list[list[int]]:
    import numpy as np

    learner, source, place = edges
    starts = np.flatnonzero(np.r_[True, learner[1:] != learner[:-1]])[: len(learner)]
    found = []
    color = base
    for radius in range(1, max(radii) + 1):
        with np.errstate(over="ignore"):
            total = base * np.uint64(_GOLDEN)
            if len(starts):
                total[learner[starts]] += np.add.reduceat(color[source] * place, starts)
        color = _mix(total)
        if radius in radii:
            found.append(color.tolist())
    return found


def color_step(match: Match, painter: Painter, keys: Keys, modules: Modules, radius: int) -> int:
    """Pair free nodes whose colour nothing else has, on either side; return how many."""
    import numpy as np

    free = [np.array(side, dtype=np.int64) for side in match.free()]
    colors = painter(keys, modules, radius)
    singles = []
    for side in (0, 1):
        values, at, counts = np.unique(colors[side][free[side]], return_index=True, return_counts=True)
        alone = counts == 1
        singles.append((values[alone], free[side][at[alone]]))
    _, left, right = np.intersect1d(singles[0][0], singles[1][0], assume_unique=True, return_indices=True)
    note = ("the only one with these surroundings",)
    ours, theirs = singles[0][1][left], singles[1][1][right]
    order = np.argsort(ours)  # neighbours in memory: twice as fast
    pairs = zip(ours[order].tolist(), theirs[order].tolist(), strict=True)
    return match.pair_all(pairs, "same", 0.98, note)
