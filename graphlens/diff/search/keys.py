"""The match key of a node: what it does with whatever it is given, normalised. Never used for comparing.

Schema defaults are left out, keywords are put in their schema's place, tuples are lists, symbols have canonical names,
and the values recorded on nodes play no part.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

from graphlens.diff.commute import COMMUTATIVE
from graphlens.diff.effects import always_pure
from graphlens.diff.identifiers import IDENTIFIERS
from graphlens.diff.opinfo import MISSING, find, lookup
from graphlens.program.argument import Argument, Const, Map, Opaque, Ref, Seq, Slice

REF = "\0ref"
_TRUE, _FALSE, _NAN = ("bool", 1), ("bool", 0), ("float", "nan")
BODIES = "\0bodies"
_OPEN, _CLOSE = "\0(", "\0)"
_NOTHING = object()

FULL, SIZES, BARE = 0, 1, 2
"""Rungs of the ladder: the full key, sizes masked, all literals masked."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the key of every call of one target has in common."""

    target: str
    defaults: tuple[object, ...]
    index: Mapping[str, int]
    sizes: frozenset[int]
    commutative: bool
    pure: bool


NO_SHAPE = Shape("", (), {}, frozenset(), commutative=False, pure=False)
"""That of what is no `call_function`."""


@cache
def shape_of(target: str) -> Shape:
    """Return the `Shape` of an operator that torch's table holds, an empty one for others."""
    return _shape(target, {}) if lookup(target) is not None else _unknown(target)


@lru_cache(maxsize=4096)
def _unknown(target: str) -> Shape:
    return Shape(target, (), {}, frozenset(), target in COMMUTATIVE, pure=always_pure(target))


def shape_for(target: str, schemas: Mapping[str, str]) -> Shape:
    """Return the `Shape` of any target; `schemas` are those of custom operators."""
    return shape_of(target) if target not in schemas or lookup(target) is not None else _shape(target, schemas)


def _shape(target: str, schemas: Mapping[str, str]) -> Shape:
    info = find(target, schemas)
    if info is None:
        return _unknown(target)
    defaults = tuple(
        _NOTHING if parameter.default is MISSING else _plain(parameter.default) for parameter in info.parameters
    )
    sizes = frozenset(i for i, p in enumerate(info.parameters) if p.type.startswith(("SymInt", "int[")))
    return Shape(target, defaults, info.index, sizes, target in COMMUTATIVE, always_pure(target))


def _plain(argument: object) -> object:
    if isinstance(argument, Seq):
        return tuple(argument.items)
    return _literal(argument)


def _literal(leaf: object) -> object:
    if leaf is True:
        return _TRUE
    if leaf is False:
        return _FALSE
    return _NAN if leaf != leaf else leaf


def flatten(argument: Argument, operands: list[str], symbol: Callable[[str], str]) -> tuple[Hashable, ...]:
    """Return the literal part of an argument, appending the names of the nodes it uses to `operands`."""
    parts: list[Hashable] = []
    stack: list[object] = [argument]
    while stack:
        top = stack.pop()
        kind = type(top)
        if kind is Ref:
            operands.append(top.node)  # type: ignore[attr-defined]
            parts.append(REF)
        elif kind is Seq or kind is Slice or kind is Map:
            parts.append(_OPEN)
            stack.append(_CLOSE)
            if isinstance(top, Seq):
                stack.extend(reversed(top.items))
            elif isinstance(top, Slice):
                stack.extend((top.step, top.stop, top.start))
            elif isinstance(top, Map):
                stack.extend(part for item in reversed(top.items) for part in reversed(item))
        elif isinstance(top, Const):
            parts.append((top.kind, symbol(top.text) if top.kind == "sym" else top.text))
        elif isinstance(top, Opaque):
            parts.append((top.type, top.text))
        else:
            parts.append(_literal(top))
    return tuple(parts)


def literals(
    args: tuple[Argument, ...],
    kwargs: Mapping[str, Argument],
    shape: Shape,
    operands: list[str],
    symbol: Callable[[str], str],
) -> list[Hashable]:
    """Return the literals of a call that are not defaults, each after its position; operands go to `operands`."""
    found: list[Hashable] = []
    defaults = shape.defaults
    known = len(defaults)
    position = -1
    for argument in args:
        position += 1
        kind = type(argument)
        if kind is Ref:
            operands.append(argument.node)  # type: ignore[union-attr]
            found.append(position)
            continue
        value = value_key(argument, operands, symbol)
        if position >= known or value != defaults[position]:
            found.append((position, value))
    if kwargs:
        index = shape.index
        for name in sorted(kwargs, key=lambda name: (index.get(name, known), name)):
            place = index.get(name, name)
            value = value_key(kwargs[name], operands, symbol)
            if value is REF:
                found.append(place)
            elif not (isinstance(place, int) and value == defaults[place]):
                found.append((place, value))
    return found


def value_key(argument: Argument, operands: list[str], symbol: Callable[[str], str]) -> Hashable:
    """Return what an argument says, `REF` for a node; the names of the nodes that it uses go to `operands`."""
    kind = type(argument)
    if kind is Seq:
        items = argument.items  # type: ignore[union-attr]
        for item in items:
            if type(item) is not int:
                return flatten(argument, operands, symbol)
        return items
    if kind is bool or kind is int or kind is float or kind is str or argument is None:
        return _literal(argument)
    parts = flatten(argument, operands, symbol)
    return parts[0] if len(parts) == 1 else parts


def by_body(target: str, key: list[Hashable], bodies: Hashable) -> list[Hashable]:
    """Add to a key what the nested graphs of a call compute, and take out the name that the tracer gave them."""
    place = IDENTIFIERS.get(target)
    if place is not None:
        key = [part for part in key if not (isinstance(part, tuple) and part[0] == place)]
    return [*key, (BODIES, bodies)]


def mask(key: list[Hashable], shape: Shape, rung: int) -> tuple[Hashable, ...]:
    """Weaken the literals of a key: sizes masked at `SIZES`, everything at `BARE`; where operands stand is kept."""
    if rung == BARE:
        return tuple(part for part in key if not isinstance(part, tuple))
    return tuple(
        part if not isinstance(part, tuple) or part[0] not in shape.sizes else (part[0], "\0size") for part in key
    )
