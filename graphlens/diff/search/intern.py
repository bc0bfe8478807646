"""Numbers for things that are equal, the same in every process because they are given by first appearance."""

from __future__ import annotations

from collections.abc import Hashable


class Interner:
    """Gives equal keys equal numbers. Both sides of a search share one."""

    __slots__ = ("numbers",)

    def __init__(self) -> None:
        self.numbers: dict[Hashable, int] = {}

    def __call__(self, key: Hashable) -> int:
        """Return the number of a key, a new one the first time."""
        numbers = self.numbers
        return numbers.setdefault(key, len(numbers))
