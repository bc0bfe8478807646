"""What calls of nested graphs hand them: the same values may stand in other places, if the bodies take them there."""

from __future__ import annotations

from typing import Final

from graphlens.diff.matching import GraphMatch, Matching
from graphlens.program.argument import Ref, leaves
from graphlens.program.graph import Node
from graphlens.program.program import child_path

FED_ALIKE: Final = "fed alike"
OPERANDS: Final = {"higher_order.cond": "args[3]"}
"""Where calls have what they hand on, of those whose bodies alone say what becomes of it."""


def fed_alike(matching: Matching, match: GraphMatch, a: Node, b: Node) -> bool:
    """Whether two calls hand all their bodies the same values, in whatever places; what only one hands, no body reads."""
    if a.target != b.target or a.target not in OPERANDS or len(a.subgraphs) != len(b.subgraphs):
        return False
    held = {sub.role: child_path(match.path_b, b.name, sub.role) for sub in b.subgraphs}
    paths = {(child_path(match.path_a, a.name, sub.role), held.get(sub.role, "")) for sub in a.subgraphs}
    bodies = [body for body in matching.graphs if (body.path_a, body.path_b) in paths]
    return len(bodies) == len(a.subgraphs) and all(_takes(match, body, a, b) for body in bodies)


def inputs_told(matching: Matching, match: GraphMatch) -> bool:
    """Whether something says which input of a graph is which: signatures at the root, the calls of a nested graph."""
    if not match.path_a:
        return bool(matching.a.inputs and matching.b.inputs)
    callers = [path.rpartition("/") for path in (match.path_a, match.path_b)]
    names = [step.rpartition(".")[0] for _, _, step in callers]
    for outer in matching.graphs:
        if (outer.path_a, outer.path_b) == (callers[0][0], callers[1][0]) and outer.forward.get(names[0]) == names[1]:
            return fed_alike(matching, outer, outer.a[names[0]], outer.b[names[1]])
    return False


def _takes(match: GraphMatch, body: GraphMatch, a: Node, b: Node) -> bool:
    ours, theirs = [node.name for node in body.a.placeholders], [node.name for node in body.b.placeholders]
    given_a, given_b = _given(a, len(ours)), _given(b, len(theirs))
    if len(given_a) != len(ours) or len(given_b) != len(theirs):
        return False
    handed = dict(zip(theirs, given_b, strict=True))
    for inner, outer in zip(ours, given_a, strict=True):
        partner = body.forward.get(inner)
        if partner is None and body.a.users[inner]:
            return False
        if partner is not None and (not outer or match.forward.get(outer) != handed.get(partner)):
            return False
    return not any(body.b.users[inner] for inner in theirs if inner not in body.backward)


def _given(call: Node, count: int) -> list[str]:
    """Name what a call hands to the inputs of its bodies: its last operands."""
    names = [leaf.node if isinstance(leaf, Ref) else "" for argument in call.args for leaf in leaves(argument)]
    return names[len(names) - count :] if 0 < count <= len(names) else []
