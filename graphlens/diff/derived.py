"""What provenance says about nodes that became others, and the metadata that got lost on the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import structs

from graphlens.diff.alignment import Group, Pair
from graphlens.diff.fields_meta import MetaComparer, same_provenance
from graphlens.diff.rows import Finding
from graphlens.program.graph import Node

_OF_VALUES: Final = ("tensor_meta", "example_value")
"""Repeat what a value says: a part of a computation has another."""


def derived(match: Pair | Group, a: Node, b: list[Node]) -> bool:
    """Whether provenance says that a pass made one side from the other.

    Where all have one provenance, they come from something third: then one was put in the other's place.
    """
    if "provenance" not in match.match and not any("from_node" in witness for witness in match.witnesses):
        return False
    ours = a.meta.get("from_node") or ()
    return not ours or not all(same_provenance(ours, node.meta.get("from_node") or ()) for node in b)


def decomposed(group: Group, ours: list[Node], theirs: list[Node]) -> bool:
    """Whether a pass made the several nodes of a group from the one, whichever side that is."""
    if 1 not in (len(ours), len(theirs)):
        return False
    one, several = (ours[0], theirs) if len(ours) == 1 else (theirs[0], ours)
    return derived(group, one, several) and any(_names(node, one.name) for node in several)


def _names(node: Node, origin: str) -> bool:
    """Whether the provenance of a node names a node, at any depth."""
    stack = list(node.meta.get("from_node") or ())
    while stack:
        entry = stack.pop()
        if entry.name == origin:
            return True
        stack.extend(entry.from_node)
    return False


def lost_in_group(meta: MetaComparer, a: Node, b: Node, *, turned: bool) -> Iterator[Finding]:
    """Yield the metadata of the one node of a group that another of the group lacks; `turned` if the one is of `b`."""
    one, other = (b, a) if turned else (a, b)
    for finding in meta.compare(one.meta, other.meta, only_lost=True):
        if finding.kind == "lost" and finding.field not in _OF_VALUES:
            yield _as_added(finding) if turned else finding


def _as_added(finding: Finding) -> Finding:
    return structs.replace(
        finding, kind="added", a=finding.b, b=finding.a, value_a=finding.value_b, value_b=finding.value_a
    )
