"""What provenance says about nodes that became others, and the metadata that got lost on the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import structs

from graphlens.diff.alignment import Group, Pair
from graphlens.diff.fields_meta import MetaComparer, same_provenance
from graphlens.diff.matching import Agreement, GraphMatch
from graphlens.diff.rows import Finding
from graphlens.program.graph import ModuleCall, Node

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


def of_one_module(match: GraphMatch, ours: list[Node], theirs: list[Node]) -> bool:
    """Whether one side calls a module as a whole, and the other what is in it, on the same operands."""
    for here, there, side in ((ours, theirs, "a"), (theirs, ours, "b")):
        whole = here[0]
        picks = all(node.target == "_operator.getitem" and node.inputs == (whole.name,) for node in here[1:])
        if whole.op == "call_module" and whole.module_stack and picks:
            call, inside = whole.module_stack[-1], {node.name for node in there}
            used = dict.fromkeys(name for node in there for name in node.inputs if name not in inside)
            taken = [name for name in used if not match.is_lone(name, side="b" if side == "a" else "a")]
            given = dict.fromkeys(whole.inputs)
            pairs = ((x, y) if side == "a" else (y, x) for x, y in zip(given, taken, strict=False))
            fed = len(given) == len(taken) and all(match.refer(*pair)[0] is Agreement.SAME for pair in pairs)
            return fed and all(_in(node, call) for node in there)
    return False


def _in(node: Node, call: ModuleCall) -> bool:
    return any((entry.call, entry.type) == (call.call, call.type) for entry in node.module_stack)


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
