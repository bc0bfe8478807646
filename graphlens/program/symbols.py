"""The free symbols of a program's shapes: one table, whichever kind of source the program came from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from graphlens.program.expr import free_symbols
from graphlens.program.frozen import EMPTY
from graphlens.program.graph import Graph, Node
from graphlens.program.parts import Range, Symbol
from graphlens.program.value import Size, SymValue, TensorValue, Value, value_leaves

_UNBACKED = re.compile(r"^(u|zuf)\d+$")
_BACKED = re.compile(r"^(s|zf)\d+$")
_FLOAT = re.compile(r"^zu?f\d+$")

Place = tuple[str, str, str]
"""Graph path, node, and the part of its value: ``("", "x", "shape[0]")``."""


def symbol_table(
    graphs: Mapping[str, Graph], ranges: Mapping[str, Range], hints: Mapping[str, int | float] = EMPTY
) -> tuple[Symbol, ...]:
    """List every free symbol of a program, in the order in which they first appear.

    Parameters
    ----------
    graphs
        The program's graphs by path, the root first. A graph shared by several paths is looked at once.
    ranges
        Bounds by canonical expression; those of plain symbols go into the table.
    hints
        Example values by symbol name, where the source holds them apart from values.

    Returns
    -------
    tuple of Symbol
        Kind and backing follow torch's naming (`torch.utils._sympy.symbol.prefix_str`: ``s`` and ``zf`` are backed
        ints and floats, ``u`` and ``zuf`` unbacked ones); `bound` is the first place where the symbol stands alone.
    """
    names: dict[str, None] = {}
    bound: dict[str, Place] = {}
    found: dict[str, int | float] = {}
    for place, expr, hint in _places(graphs):
        symbols = free_symbols(expr)
        names.update(dict.fromkeys(symbols))
        if symbols == (expr,):
            bound.setdefault(expr, place)
            if hint is not None:
                found.setdefault(expr, hint)
    for expr in ranges:
        names.update(dict.fromkeys(free_symbols(expr)))
    found.update(hints)
    return tuple(
        Symbol(
            name=name,
            kind="float" if _FLOAT.match(name) else "int",
            range=ranges.get(name, Range()),
            hint=found.get(name),
            backed=False if _UNBACKED.match(name) else True if _BACKED.match(name) else None,
            bound=bound.get(name),
        )
        for name in names
    )


def _places(graphs: Mapping[str, Graph]) -> Iterator[tuple[Place, str, int | float | None]]:
    """Yield every symbolic part of every value: its place, expression and hint."""
    seen: set[int] = set()
    for path, graph in graphs.items():
        if id(graph) in seen:
            continue
        seen.add(id(graph))
        for node in graph.nodes:
            for part, expr, hint in symbolic_parts(node.value):
                yield (path, node.name, part), expr, hint


def symbolic_parts(value: Value | None) -> Iterator[tuple[str, str, int | float | None]]:
    """Yield `(part, expression, hint)` for each symbolic size, stride, offset or number in a value."""
    if isinstance(value, TensorValue):
        yield from _tensor_parts("", value)
    elif value is not None:
        for path, leaf in value_leaves(value):
            if isinstance(leaf, SymValue):
                yield path, leaf.expr, leaf.hint
            elif isinstance(leaf, TensorValue):
                yield from _tensor_parts(f"{path}." if path else "", leaf)


def _tensor_parts(prefix: str, value: TensorValue) -> Iterator[tuple[str, str, None]]:
    for name, sizes in (("shape", value.shape), ("stride", value.stride or ())):
        for i, size in enumerate(sizes):
            if isinstance(size, str):
                yield f"{prefix}{name}[{i}]", size, None
    offset: Size | None = value.storage_offset
    if isinstance(offset, str):
        yield f"{prefix}storage_offset", offset, None


def symbol_users(graphs: Mapping[str, Graph]) -> dict[str, list[tuple[str, Node]]]:
    """Map each symbol to the `(graph path, node)` pairs whose values mention it, in the program's order."""
    users: dict[str, list[tuple[str, Node]]] = {}
    for path, graph in graphs.items():
        for node in graph.nodes:
            names = {name for _, expr, _ in symbolic_parts(node.value) for name in free_symbols(expr)}
            for name in names:
                users.setdefault(name, []).append((path, node))
    return users
