"""Modules compared as sequences before their insides: which layer became which, so that a removed one is one removed one."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping, Sequence

from graphlens.diff.search.modules import ModuleTree
from graphlens.program.parts import StoredTensor
from graphlens.program.program import Program

_MOST_PAIRS = 250_000
_CALL = re.compile(r"@\d+$")

Weight = Callable[[str], object | None]


def module_map(
    a: ModuleTree, b: ModuleTree, weights: tuple[Weight, Weight], shapes: tuple[Weight, Weight]
) -> dict[str, str]:
    """Map module calls of `a` to those of `b`, from the root down.

    The children of two corresponding modules are aligned as sequences. Equal contents, an equal name, an equal type
    and an equal weight speak for a pair; what that leaves over is paired by name.
    """
    found: dict[str, str] = {"": ""}
    stack = [("", "")]
    alike = _Alike(a, b, weights, shapes)
    while stack:
        x, y = stack.pop()
        pairs = _children(alike, x, y)
        found.update(pairs)
        stack.extend(pairs)
    return found


class _Alike:
    """How much two modules have in common."""

    def __init__(
        self, a: ModuleTree, b: ModuleTree, weights: tuple[Weight, Weight], shapes: tuple[Weight, Weight]
    ) -> None:
        self.a, self.b, self.weights, self.shapes = a, b, weights, shapes
        self.memo: dict[tuple[frozenset[tuple[int, int]], frozenset[tuple[int, int]]], float] = {}

    def overlap(self, x: str, y: str) -> float:
        """Share of nodes with a counterpart of the same key, 0 to 1."""
        left, right = self.a.keys.get(x), self.b.keys.get(y)
        if not left or not right:
            return float(left == right)
        key = (frozenset(left.items()), frozenset(right.items()))
        known = self.memo.get(key)
        if known is None:
            known = self.memo[key] = 2 * (left & right).total() / (left.total() + right.total())
        return known

    def _of_another_form(self, x: str, y: str) -> bool:
        """Whether two modules without modules in them have matrices of different shapes."""
        if self.a.children.get(x) or self.b.children.get(y):
            return False
        ours, theirs = self.shapes[0](x), self.shapes[1](y)
        return ours is not None and theirs is not None and ours != theirs

    def score(self, x: str, y: str, relative: tuple[str, str], *, weighed: bool) -> float:
        """Score of a pair; 0 where nothing but the place speaks for it, or another weight against it."""
        overlap = self.overlap(x, y)
        same_name = relative[0] == relative[1]
        if overlap < 0.5 and not same_name:
            return 0.0
        ours, theirs = self.weights[0](x), self.weights[1](y)
        weight = 6.0 if ours is not None and ours == theirs else 0.0
        contradicted = weighed and ours is not None and theirs is not None and ours != theirs
        if not same_name and (contradicted or self._of_another_form(x, y)):
            return 0.0
        name = (0.5 if contradicted else 3.0) if same_name else 0.0
        return overlap + 2.0 * (overlap == 1.0) + name + weight + (self.a.type.get(x) == self.b.type.get(y))


def _children(alike: _Alike, x: str, y: str) -> list[tuple[str, str]]:
    ours, theirs = alike.a.children.get(x, []), alike.b.children.get(y, [])
    names_a = [_relative(x, child) for child in ours]
    names_b = [_relative(y, child) for child in theirs]
    if names_a == names_b or len(ours) * len(theirs) > _MOST_PAIRS:
        return _by_name(ours, theirs, names_a, names_b)
    if sorted(names_a) == sorted(names_b):
        by_name = _by_name(ours, theirs, names_a, names_b)
        return _exchanged(alike, by_name) or by_name
    # weights that were all trained anew, or drawn anew, say nothing about which module is which
    known = [
        {token for child in side if (token := weight(child)) is not None}
        for side, weight in zip((ours, theirs), alike.weights, strict=True)
    ]
    weighed = bool(known[0] & known[1])
    scores = [
        [alike.score(p, q, (m, n), weighed=weighed) for q, n in zip(theirs, names_b, strict=True)]
        for p, m in zip(ours, names_a, strict=True)
    ]
    chosen = best_sequence(scores)
    pairs = [(ours[i], theirs[j]) for i, j in chosen]
    left = [i for i in range(len(ours)) if i not in {i for i, _ in chosen}]
    right = [j for j in range(len(theirs)) if j not in {j for _, j in chosen}]
    return pairs + _by_name(
        [ours[i] for i in left], [theirs[j] for j in right], [names_a[i] for i in left], [names_b[j] for j in right]
    )


def _exchanged(alike: _Alike, by_name: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Pair modules that exchanged names and weights, and are called where the weights were called before.

    Empty unless their turns and their weights, no two of which are equal, tell all that by name would change turns.
    """
    turns = _turns(alike.a, [x for x, _ in by_name]), _turns(alike.b, [y for _, y in by_name])
    moved = [(x, y) for x, y in by_name if turns[0][x] != turns[1][y]]
    weights = {alike.weights[0](x) for x, _ in moved} - {None}
    places_a = {(turns[0][x], alike.weights[0](x)): x for x, _ in moved}
    places_b = {(turns[1][y], alike.weights[1](y)): y for _, y in moved}
    if not moved or len(weights) != len(moved) or places_a.keys() != places_b.keys():
        return []
    stayed = set(by_name).difference(moved)
    return [(x, places_b[place]) for place, x in places_a.items()] + [pair for pair in by_name if pair in stayed]


def _turns(tree: ModuleTree, modules: list[str]) -> dict[str, int]:
    """Number modules in the order in which data reaches them."""
    ranks = {depth: rank for rank, depth in enumerate(sorted({tree.depth.get(module, 0) for module in modules}))}
    return {module: ranks[tree.depth.get(module, 0)] for module in modules}


def _by_name(
    ours: Sequence[str], theirs: Sequence[str], names_a: Sequence[str], names_b: Sequence[str]
) -> list[tuple[str, str]]:
    by_name = dict(zip(names_b, theirs, strict=True))
    return [(x, by_name[name]) for x, name in zip(ours, names_a, strict=True) if name in by_name]


def _relative(parent: str, child: str) -> str:
    base = _CALL.sub("", parent)
    return child.removeprefix(base + ".") if base else child


def best_sequence(scores: list[list[float]]) -> list[tuple[int, int]]:
    """Return the pairs `(i, j)`, both increasing, with the highest sum of scores (Needleman and Wunsch, gaps cost nothing)."""
    rows, columns = len(scores), len(scores[0]) if scores else 0
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    for i in range(rows - 1, -1, -1):
        row, below, values = best[i], best[i + 1], scores[i]
        for j in range(columns - 1, -1, -1):
            here = values[j] + below[j + 1] if values[j] > 0 else 0.0
            row[j] = max(here, below[j], row[j + 1])
    found: list[tuple[int, int]] = []
    i = j = 0
    while i < rows and j < columns:
        if scores[i][j] > 0 and best[i][j] == scores[i][j] + best[i + 1][j + 1]:
            found.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return found


def weight_of(program: Program, *, by_crc: bool) -> Weight:
    """Return a function that gives a token for the values of one matrix of a module, `None` where none can be had."""
    by_module = _matrices(program)
    known: dict[str, object | None] = {}

    def token(module: str) -> object | None:
        stored = by_module.get(_CALL.sub("", module))
        if stored is None:
            return None
        if stored.fqn not in known:
            known[stored.fqn] = _token(stored, by_crc=by_crc)
        return known[stored.fqn]

    return token


def shape_of(program: Program) -> Weight:
    """Return a function that gives the shape of that matrix."""
    by_module = _matrices(program)

    def shape(module: str) -> object | None:
        stored = by_module.get(_CALL.sub("", module))
        return None if stored is None else stored.shape

    return shape


def _matrices(program: Program) -> dict[str, StoredTensor]:
    by_module: dict[str, StoredTensor] = {}
    for stored in sorted(program.stored, key=lambda each: each.fqn):
        if stored.shape is not None and len(stored.shape) >= 2:
            parts = stored.fqn.split(".")
            for depth in range(1, len(parts)):
                by_module.setdefault(".".join(parts[:depth]), stored)
    return by_module


def _token(stored: StoredTensor, *, by_crc: bool) -> object | None:
    if by_crc:
        return (stored.nbytes, stored.crc32, stored.storage_offset, stored.shape)
    return stored.content.digest() if stored.content is not None else None


def crc_known(program: Program) -> bool:
    """Whether every stored tensor comes with a CRC-32 of its bytes."""
    return bool(program.stored) and all(stored.crc32 is not None for stored in program.stored)


def renamed_fqn(fqn: str, modules: Mapping[str, str], apart: Container[str], taken: Container[str]) -> str | None:
    """Translate the name of a weight of `a` to what it is called in `b`, following its module.

    `None` where a module of `b` has the name of its module and is another (`apart`), or where another module of `a` took the
    name over. State of a module that one side does not call keeps its name.
    """
    parts = fqn.split(".")
    for depth in range(len(parts) - 1, 0, -1):
        prefix = ".".join(parts[:depth])
        if prefix in modules:
            return ".".join([modules[prefix], *parts[depth:]])
        if prefix in apart or prefix in taken:
            return None
    return fqn
