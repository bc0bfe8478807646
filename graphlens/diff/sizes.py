"""Sizes that one side reads where the other has a number: an export with free sizes against one with fixed ones."""

from __future__ import annotations

from graphlens.diff.matching import GraphMatch
from graphlens.program.argument import Argument, Ref, Seq

_READS = ("aten.sym_size.", "aten.sym_numel.", "aten.sym_stride.", "aten.sym_storage_offset.")


def stands_for_numbers(match: GraphMatch, name: str, *, side: int) -> bool:
    """Whether a node reads a size, and every use of it has a number in its place on the other side."""
    ours, theirs = (match.a, match.b) if side == 0 else (match.b, match.a)
    partners = match.forward if side == 0 else match.backward
    users = ours.users.get(name, ())
    if not users or not ours[name].target.startswith(_READS):
        return False
    for user in users:
        partner = partners.get(user)
        if partner is None:
            return False
        one, two = ours[user], theirs[partner]
        if one.kwargs.keys() != two.kwargs.keys() or len(one.args) != len(two.args):
            return False
        pairs = [*zip(one.args, two.args, strict=True), *((one.kwargs[key], two.kwargs[key]) for key in one.kwargs)]
        if not all(_numbers(name, x, y) for x, y in pairs):
            return False
    return True


def _numbers(name: str, a: Argument, b: Argument) -> bool:
    """Whether wherever `a` refers to a node, `b` has a number; arguments that do not refer to it count as such."""
    if isinstance(a, Ref):
        return a.node != name or type(b) is int
    if isinstance(a, Seq):
        if Ref(name) not in a.items:
            return True
        if not isinstance(b, Seq) or len(a.items) != len(b.items):
            return False
        return all(type(y) is int for x, y in zip(a.items, b.items, strict=True) if x == Ref(name))
    return True
