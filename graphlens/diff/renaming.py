"""Sizes and symbolic expressions compared up to the renaming of symbols that an alignment found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from graphlens.program.expr import free_symbols, rename_symbols
from graphlens.program.value import Size


class Renaming:
    """Which symbol of `a` is which symbol of `b`. Answers are remembered, for the same sizes come by thousands of times."""

    __slots__ = ("_known", "backward", "forward", "identity")

    def __init__(self, symbols: Iterable[tuple[str, str]] = ()) -> None:
        pairs = tuple(symbols)
        self.forward: Mapping[str, str] = MappingProxyType(dict(pairs))
        self.backward: Mapping[str, str] = MappingProxyType({b: a for a, b in pairs})
        self.identity = all(a == b for a, b in pairs)
        self._known: dict[tuple[str, str], bool] = {}

    def same(self, a: Size | None, b: Size | None) -> bool:
        """Whether two sizes are the same number for every value of the symbols; a number is never a symbol."""
        if type(a) is not str or type(b) is not str:
            return type(a) is type(b) and a == b
        known = self._known.get((a, b))
        if known is None:
            known = self._known[a, b] = self._same_text(a, b)
        return known

    def _same_text(self, a: str, b: str) -> bool:
        if a == b and all(self.forward.get(name, name) == name for name in free_symbols(a)):
            return all(self.backward.get(name, name) == name for name in free_symbols(b))
        theirs = {self.forward.get(name, name) for name in free_symbols(a)}
        if len(theirs) != len(free_symbols(a)):
            return False
        return theirs == set(free_symbols(b)) and rename_symbols(a, self.forward) == b

    def same_all(self, a: tuple[Size, ...], b: tuple[Size, ...]) -> bool:
        """Whether two shapes or strides are the same."""
        if len(a) != len(b):
            return False
        return all((x is y and type(x) is int) or self.same(x, y) for x, y in zip(a, b, strict=True))
