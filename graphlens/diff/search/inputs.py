"""Weights that the names leave over: of the same value under another name, or moved into a module put around them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable

from graphlens.diff.search.labels import Token
from graphlens.program.parts import InputSpec, StoredTensor
from graphlens.program.program import Program
from graphlens.program.value import Size

Pairs = list[tuple[str, str]]
Form = tuple[str, tuple[Size, ...] | None, str | None]
Key = Callable[["Weight"], Hashable | None]


class Weight:
    """A lifted input that has no partner: its placeholder, its name in two parts, and its tensor."""

    __slots__ = ("argument", "form", "leaf", "module", "tensor")

    def __init__(self, spec: InputSpec, tensor: StoredTensor) -> None:
        self.argument, self.tensor = spec.argument, tensor
        self.module, _, self.leaf = tensor.fqn.rpartition(".")
        self.form: Form = spec.kind, tensor.shape, tensor.dtype


def other_names(a: Program, b: Program, pairs: Pairs, token: Token) -> Pairs:
    """Pair placeholders of weights that no name pairs.

    First matrices of one value, which nothing else that is left has; then what stood beside them in their modules; then what
    went one or more modules deeper, or came back, and is the only one of its form there.
    """
    taken = {name for pair in pairs for name in pair}
    ours, theirs = _left(a, taken), _left(b, taken)
    if not ours or not theirs:
        return []
    found = _once(ours, theirs, _value(token, {x.form for x in ours} & {y.form for y in theirs}))
    beside = {x.module: y.module for x, y in found}
    found += _once(_without(ours, found, 0), _without(theirs, found, 1), _beside(beside))
    found += _wrapped(_without(ours, found, 0), _without(theirs, found, 1))
    return [(x.argument, y.argument) for x, y in found]


def _left(program: Program, taken: set[str]) -> list[Weight]:
    stored = {tensor.fqn: tensor for tensor in program.stored}
    specs = (spec for spec in program.inputs if spec.kind in ("parameter", "buffer") and spec.argument not in taken)
    return [Weight(spec, stored[spec.target]) for spec in specs if spec.target in stored]


def _without(weights: list[Weight], found: list[tuple[Weight, Weight]], side: int) -> list[Weight]:
    gone = {id(pair[side]) for pair in found}
    return [weight for weight in weights if id(weight) not in gone]


def _once(ours: Iterable[Weight], theirs: Iterable[Weight], key: Key | tuple[Key, Key]) -> list[tuple[Weight, Weight]]:
    """Pair what is alone with its key on both sides."""
    keys = key if isinstance(key, tuple) else (key, key)
    left, right = ([(each, of(each)) for each in side] for side, of in zip((ours, theirs), keys, strict=True))
    counts = Counter(k for _, k in left), Counter(k for _, k in right)
    there = {k: each for each, k in right}
    alone = ((each, k) for each, k in left if k is not None and counts[0][k] == counts[1][k] == 1)
    return [(each, there[k]) for each, k in alone]


def _value(token: Token, forms: set[Form]) -> Key:
    """Tell matrices of some forms by their values: reading these takes time."""

    def key(weight: Weight) -> Hashable | None:
        matrix = weight.tensor.shape is not None and len(weight.tensor.shape) >= 2
        value = token(weight.tensor) if matrix and weight.form in forms else None
        return None if value is None else (weight.form, value)

    return key


def _beside(modules: dict[str, str]) -> tuple[Key, Key]:
    def ours(weight: Weight) -> Hashable | None:
        return (modules[weight.module], weight.leaf, weight.form) if weight.module in modules else None

    there = set(modules.values())

    def theirs(weight: Weight) -> Hashable | None:
        return (weight.module, weight.leaf, weight.form) if weight.module in there else None

    return ours, theirs


def _wrapped(ours: list[Weight], theirs: list[Weight]) -> list[tuple[Weight, Weight]]:
    """Pair weights one of which lies below the module of the other."""
    found: list[tuple[Weight, Weight]] = []
    for deep, flat, turned in ((theirs, ours, False), (ours, theirs, True)):
        outer = {(weight.module, weight.leaf, weight.form) for weight in flat}

        def above(weight: Weight, outer: set[tuple[str, str, Form]] = outer) -> Hashable | None:
            parts = weight.module.split(".")
            places = ((".".join(parts[:n]), weight.leaf, weight.form) for n in range(len(parts) - 1, 0, -1))
            return next((place for place in places if place in outer), None)

        pairs = _once(flat, deep, (lambda weight: (weight.module, weight.leaf, weight.form), above))
        found += [(y, x) for x, y in pairs] if turned else pairs
    return found
