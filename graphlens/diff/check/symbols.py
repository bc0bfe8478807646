"""Symbols may be renumbered, by one bijection for the whole program."""

from __future__ import annotations

import re
from collections.abc import Iterable

from graphlens.program.expr import free_symbols, rename_symbols

_TOKEN = re.compile(r"\w+|\S")


class Renaming:
    """A one-to-one map between the symbols of two programs that grows as it is used and never changes its mind."""

    def __init__(self, proposed: Iterable[tuple[str, str]] = ()) -> None:
        self.forward: dict[str, str] = {}
        self.backward: dict[str, str] = {}
        self.conflicts = [pair for pair in proposed if not self.bind(*pair)]

    def bind(self, a: str, b: str) -> bool:
        """Map symbol `a` to symbol `b`; `False` if either is taken."""
        if not self._free_or_bound(a, b):
            return False
        self.forward[a] = b
        self.backward[b] = a
        return True

    def _free_or_bound(self, a: str, b: str) -> bool:
        return self.forward.get(a) == b or (a not in self.forward and b not in self.backward)

    def agree(self, a: int | str, b: int | str) -> bool:
        """Whether two sizes are the same expression under the map, which is extended where it is still free."""
        if isinstance(a, int) or isinstance(b, int):
            return type(a) is type(b) and a == b
        if self.forward.get(a) == b:
            return True
        names = free_symbols(a)
        if all(name in self.forward for name in names):
            return rename_symbols(a, self.forward) == b
        return self._unify(a, b, names)

    def _unify(self, a: str, b: str, names: tuple[str, ...]) -> bool:
        """Read both texts side by side: what is no symbol must agree, what is one gives a pair."""
        left, right = _TOKEN.findall(a), _TOKEN.findall(b)
        if len(left) != len(right):
            return False
        theirs = frozenset(free_symbols(b))
        pairs: dict[str, str] = {}
        for x, y in zip(left, right, strict=True):
            if x in names and y in theirs:
                if pairs.setdefault(x, y) != y or not self._free_or_bound(x, y):
                    return False
            elif x != y:
                return False
        if len(set(pairs.values())) != len(pairs):
            return False
        return all(self.bind(x, y) for x, y in pairs.items())

    def renamed(self) -> int:
        """Return how many symbols have another name on the other side."""
        return sum(a != b for a, b in self.forward.items())
