"""Which symbol became which: what stands in the same place of values of matched nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from graphlens.program.expr import free_symbols, rename_symbols
from graphlens.program.value import ContainerValue, SymValue, TensorValue, Value

Vote = tuple[str, str]


def hidden(text: str) -> str:
    """Stand for any symbolic expression."""
    del text
    return "?"


def canonical(names: Mapping[str, str]) -> Callable[[str], str]:
    """Return a function that writes an expression with canonical names, ``?`` where a symbol has none."""
    known: dict[str, str] = {}

    def rename(text: str) -> str:
        if text not in known:
            symbols = free_symbols(text)
            known[text] = rename_symbols(text, names) if all(symbol in names for symbol in symbols) else "?"
        return known[text]

    return rename


def votes(pairs: Iterable[tuple[Value | None, Value | None]]) -> Counter[Vote]:
    """Count which plain symbols stand in the same place of two values."""
    found: Counter[Vote] = Counter()
    for left, right in pairs:
        stack: list[tuple[Value | None, Value | None]] = [(left, right)]
        while stack:
            a, b = stack.pop()
            if isinstance(a, TensorValue) and isinstance(b, TensorValue):
                found.update(_sizes(a, b))
            elif isinstance(a, SymValue) and isinstance(b, SymValue) and _plain(a.expr) and _plain(b.expr):
                found[a.expr, b.expr] += 1
            elif isinstance(a, ContainerValue) and isinstance(b, ContainerValue) and len(a.items) == len(b.items):
                stack.extend(zip(reversed(a.items), reversed(b.items), strict=True))
    return found


def _sizes(a: TensorValue, b: TensorValue) -> list[Vote]:
    if len(a.shape) != len(b.shape):
        return []
    pairs = [*zip(a.shape, b.shape, strict=True), (a.storage_offset, b.storage_offset)]
    return [(x, y) for x, y in pairs if isinstance(x, str) and isinstance(y, str) and _plain(x) and _plain(y)]


def _plain(text: str) -> bool:
    return free_symbols(text) == (text,)


def elect(found: Counter[Vote], known: Mapping[str, str] | None = None) -> dict[str, str]:
    """Turn votes into a one-to-one map, the most frequent first; `known` stands."""
    forward = dict(known or {})
    taken = set(forward.values())
    for (a, b), _ in sorted(found.items(), key=lambda item: (-item[1], item[0])):
        if a not in forward and b not in taken:
            forward[a] = b
            taken.add(b)
    return forward
