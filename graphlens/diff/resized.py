"""Sizes in arguments that follow from the sizes of inputs: another batch size is one edit, though every `view` repeats it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import combinations
from typing import Final

from graphlens.diff.opinfo import find
from graphlens.diff.placed import Placed
from graphlens.program.argument import Seq
from graphlens.program.graph import Node
from graphlens.program.program import ROOT

_PLACE: Final = re.compile(r"(args|kwargs)\[(?:(\d+)|'([^']*)')\]")
_ENDS: Final = {"aten.arange.default": (0,), "aten.arange.start": (0, 1), "aten.arange.start_step": (0, 1)}
"""Where a size is given as a number, for it is the length of what is made."""
_MOST: Final = 4


class Resized:
    """What became of the sizes of the program's inputs, and which literals follow from that."""

    def __init__(self, placed: Iterable[Placed], schemas: Mapping[str, str]) -> None:
        self.schemas = schemas
        self.sources: dict[tuple[int, int], str] = {}
        for item in placed:
            if item.finding.field != "val.shape" or item.graph != ROOT or item.a is None or item.b is None:
                continue
            if item.a.op == "placeholder":
                for pair in _changed(item.finding.value_a, item.finding.value_b):
                    self.sources.setdefault(pair, item.a.name)
        self._ratios = _ratios(self.sources)

    def source(self, item: Placed) -> str:
        """Name the input that a changed literal follows from, ``""`` if there is none.

        The literal must stand where the schema has a size, and each number in it must have changed by the factor of a
        size of an input, or of several together.
        """
        finding, node = item.finding, item.a
        if not self.sources or finding.aspect != "literal" or node is None or item.b is None:
            return ""
        if node.target != item.b.target or not self._is_size(node, finding.where):
            return ""
        pairs = list(_changed(finding.value_a, finding.value_b))
        found = [self._ratios.get(Fraction(new, old), "") if old and new else "" for old, new in pairs]
        return found[0] if found and all(found) else ""

    def _is_size(self, node: Node, where: str) -> bool:
        match = _PLACE.match(where)
        info = find(node.target, self.schemas)
        if match is None or info is None:
            return False
        index = int(match[2]) if match[2] else info.index.get(match[3] or "", -1)
        if not 0 <= index < len(info.parameters):
            return False
        return info.parameters[index].type.startswith("SymInt") or index in _ENDS.get(node.target, ())


def _changed(a: object, b: object) -> Iterator[tuple[int, int]]:
    """Yield the numbers that differ between two sizes or lists of sizes; nothing if they are not alike otherwise."""
    ours, theirs = _items(a), _items(b)
    if len(ours) != len(theirs):
        return
    pairs = [(x, y) for x, y in zip(ours, theirs, strict=True) if type(x) is not type(y) or x != y]
    numbers = [(x, y) for x, y in pairs if isinstance(x, int) and isinstance(y, int)]
    if len(numbers) == len(pairs):
        yield from numbers


def _items(value: object) -> tuple[object, ...]:
    if isinstance(value, Seq):
        return value.items
    return value if isinstance(value, tuple) else (value,)


def _ratios(sources: Mapping[tuple[int, int], str]) -> dict[Fraction, str]:
    """Map each factor by which a size, or a product of sizes, changed to an input that has such a size."""
    changed = [(Fraction(new, old), name) for (old, new), name in sources.items() if old and new]
    found: dict[Fraction, str] = {}
    for count in range(1, min(len(changed), _MOST) + 1 if len(changed) <= 2 * _MOST else 2):
        for chosen in combinations(changed, count):
            factor = Fraction(1)
            for ratio, _ in chosen:
                factor *= ratio
            if factor != 1:
                found.setdefault(factor, chosen[0][1])
    return found
