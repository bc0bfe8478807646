"""Nodes without a partner that change no result: what is computed on something else does not follow from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from graphlens.diff.placed import Placed
from graphlens.diff.rows import Finding
from graphlens.program.argument import Ref

_INNOCENT: Final = frozenset({"dead", "duplicate", "preserving", "size", "assertion"})
"""Sorts of lone calls (`LoneNodes.aspect`) whose own rows are no wrong result."""


def with_own_roots(placed: list[Placed]) -> Iterator[Placed]:
    """Yield the same differences; operands that are others are a root where no lone node among them explains it.

    A copy that only one side has is harmless itself, and computing on it instead of on something else is not.
    """
    lone = _lone(placed)
    for item in placed:
        source = item.finding.inherited_from
        if not source or not _other_operands(item.finding):
            yield item
            continue
        innocent = [lone.get((item.graph, source, side), "") in _INNOCENT for side in ("only_a", "only_b")]
        yield item.inherited(_guilty(item, lone)) if any(innocent) else item


def _guilty(item: Placed, lone: Mapping[tuple[str, str, str], str]) -> str:
    """Name the operand of either side that has no partner and computes something, if there is one."""
    for side, value in (("only_a", item.finding.value_a), ("only_b", item.finding.value_b)):
        if isinstance(value, Ref) and lone.get((item.graph, value.node, side), "dead") == "":
            return value.node
    return ""


def _other_operands(finding: Finding) -> bool:
    """Whether a call has other operands on the other side; a number that became an operand is told by who holds it there."""
    if finding.field not in ("args", "kwargs"):
        return False
    references = isinstance(finding.value_a, Ref) and isinstance(finding.value_b, Ref)
    return finding.aspect == "length" or (finding.aspect == "rewired" and references)


def _lone(placed: Iterable[Placed]) -> Mapping[tuple[str, str, str], str]:
    """Say what sort of node each is that has no partner: by the path in `a` of its graph, its name and its side."""
    found: dict[tuple[str, str, str], str] = {}
    for item in placed:
        node = item.a if item.finding.kind == "only_a" else item.b
        if item.finding.field == "target" and item.finding.kind in ("only_a", "only_b") and node is not None:
            found[item.graph, node.name, item.finding.kind] = item.finding.aspect
    return found
