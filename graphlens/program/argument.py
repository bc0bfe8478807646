"""The arguments of a node as plain data, and the one equality that is safe on them.

Python's `==` says `1 == True == 1.0`, `0.0 == -0.0` and `nan != nan`; every one of these would make a diff lie, so
arguments are compared with `same_argument`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias
from typing import Literal as OneOf

from msgspec import Struct

NOT_ALL_READ = "not all of it read"
"""Stands in the text of code, or of a foreign object, that may differ where nobody looked."""

MOST_BITS = 14_000
"""Python writes no longer integers in decimal digits."""

Literal: TypeAlias = None | bool | int | float | complex | str


class Ref(Struct, frozen=True, gc=False):
    """The result of another node of the same graph, by name."""

    node: str


class Const(Struct, frozen=True, gc=False):
    """A torch constant, or a symbolic expression written in place of a number.

    `kind` is one of ``dtype device layout memory_format qscheme sym function type`` (``sym``: `text` is a canonical
    expression, see `graphlens.program.expr`).
    """

    kind: str
    text: str


class Seq(Struct, frozen=True, gc=False):
    """A tuple or a list. Which of the two it was is kept: a round trip that turns one into the other is a finding."""

    kind: OneOf["tuple", "list"]
    items: tuple[Argument, ...]


class Map(Struct, frozen=True):
    """A dict, in its own order. Keys are arguments too, for `{3: x}` and `{"3": x}` differ."""

    items: tuple[tuple[Argument, Argument], ...]


class Slice(Struct, frozen=True):
    """A `slice` object."""

    start: Argument
    stop: Argument
    step: Argument


class Opaque(Struct, frozen=True, gc=False):
    """Anything else, labelled: its type, and a text that does not depend on the process."""

    type: str
    text: str


CONTAINERS: Final = frozenset({Seq, Map, Slice})

Argument: TypeAlias = Literal | Ref | Const | Seq | Map | Slice | Opaque


def children(argument: Argument) -> tuple[Argument, ...]:
    """Return the arguments directly inside a container, `()` for a leaf."""
    if isinstance(argument, Seq):
        return argument.items
    if isinstance(argument, Map):
        return tuple(part for item in argument.items for part in item)
    if isinstance(argument, Slice):
        return (argument.start, argument.stop, argument.step)
    return ()


def leaves(argument: Argument) -> Iterator[Argument]:
    """Yield the leaves of an argument from left to right, without recursion."""
    stack = [argument]
    while stack:
        top = stack.pop()
        inner = children(top)
        if inner:
            stack.extend(reversed(inner))
        elif not isinstance(top, Seq | Map):
            yield top


def refs(argument: Argument) -> Iterator[str]:
    """Yield the names of the nodes that an argument uses, with repetition, from left to right."""
    for leaf in leaves(argument):
        if isinstance(leaf, Ref):
            yield leaf.node


def same_literal(a: Literal, b: Literal) -> bool:
    """Compare two literals by type and bits: `1` is not `True`, `0.0` is not `-0.0`, NaN is NaN."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float) and isinstance(b, float):
        return (a == b and math.copysign(1, a) == math.copysign(1, b)) or (a != a and b != b)
    if isinstance(a, complex) and isinstance(b, complex):
        return same_literal(a.real, b.real) and same_literal(a.imag, b.imag)
    return a == b


def literal_text(literal: object) -> str:
    """Write a literal as Python does; of an integer too long for that (4300 digits) its hexadecimal digits."""
    try:
        return repr(literal)
    except ValueError:
        return hex(literal) if isinstance(literal, int) else type(literal).__name__


def same_argument(a: Argument, b: Argument) -> bool:
    """Compare two arguments exactly, references by name."""
    stack: list[tuple[Argument, Argument]] = [(a, b)]
    while stack:
        left, right = stack.pop()
        if type(left) is not type(right):
            return False
        if isinstance(left, Seq | Map | Slice):
            if isinstance(left, Seq) and isinstance(right, Seq) and left.kind != right.kind:
                return False
            inner, other = children(left), children(right)
            if len(inner) != len(other):
                return False
            stack.extend(zip(inner, other, strict=True))
        elif isinstance(left, Ref | Const | Opaque):
            if left != right:
                return False
        elif not same_literal(left, right):  # type: ignore[arg-type]
            return False
    return True


def argument_text(argument: Argument, ref: Callable[[str], str] | None = None) -> str:
    """Write an argument as FX prints it: `(x, [1, 2], dtype=…)`; references as bare names, or as `ref` writes them."""
    pieces: list[str] = []
    stack: list[tuple[str, None] | tuple[None, Argument]] = [(None, argument)]
    while stack:
        piece, top = stack.pop()
        if piece is not None:
            pieces.append(piece)
        elif isinstance(top, Ref):
            pieces.append(top.node if ref is None else ref(top.node))
        elif isinstance(top, Seq | Map | Slice):
            stack.extend(reversed(_container_parts(top)))
        else:
            pieces.append(_leaf_text(top))
    return "".join(pieces)


def _container_parts(argument: Seq | Map | Slice) -> list[tuple[str, None] | tuple[None, Argument]]:
    """Take a container's text apart: brackets and commas as text, the rest as arguments still to be written."""
    opening, closing = "slice(", ")"
    if isinstance(argument, Seq):
        opening, closing = ("[", "]") if argument.kind == "list" else ("(", ",)" if len(argument.items) == 1 else ")")
    elif isinstance(argument, Map):
        opening, closing = "{", "}"
    parts: list[tuple[str, None] | tuple[None, Argument]] = [(opening, None)]
    for i, item in enumerate(children(argument)):
        if i:
            parts.append((": " if isinstance(argument, Map) and i % 2 else ", ", None))
        parts.append((None, item))
    return [*parts, (closing, None)]


def _leaf_text(leaf: Argument) -> str:
    if isinstance(leaf, Const):
        return f"torch.{leaf.text}" if leaf.kind in ("dtype", "layout", "memory_format", "qscheme") else leaf.text
    if isinstance(leaf, Opaque):
        return f"<{leaf.type}: {leaf.text}>" if leaf.text else f"<{leaf.type}>"
    return literal_text(leaf)
