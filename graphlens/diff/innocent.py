"""Nodes without a partner that change no result: what is computed on something else does not follow from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from graphlens.diff.placed import Placed
from graphlens.diff.rows import Finding
from graphlens.program.argument import Ref

_INNOCENT: Final = frozenset({"dead", "duplicate", "preserving", "size", "assertion"})
"""Sorts of lone calls (`LoneNodes.aspect`) whose own rows are no wrong result."""


def with_own_roots(placed: list[Placed]) -> Iterator[Placed]:
    """Yield the same differences; operands that are others are a root where the lone node among them explains nothing.

    A copy that only one side has is harmless itself, and computing on it instead of on something else is not.
    """
    innocent = _innocent(placed)
    for item in placed:
        finding = item.finding
        hidden = finding.inherited_from and (item.graph, finding.inherited_from) in innocent
        yield item.inherited("") if hidden and _other_operands(finding) else item


def _other_operands(finding: Finding) -> bool:
    """Whether a call has other operands on the other side; a number that became an operand is told by who holds it there."""
    if finding.field not in ("args", "kwargs"):
        return False
    references = isinstance(finding.value_a, Ref) and isinstance(finding.value_b, Ref)
    return finding.aspect == "length" or (finding.aspect == "rewired" and references)


def _innocent(placed: Iterable[Placed]) -> set[tuple[str, str]]:
    """Name the lone nodes that change no result, by the path in `a` of their graph."""
    lone = [item for item in placed if item.finding.field == "target" and (item.a is None or item.b is None)]
    return {
        (item.graph, node.name)
        for item in lone
        if item.finding.aspect in _INNOCENT
        for node in (item.a, item.b)
        if node is not None
    }
