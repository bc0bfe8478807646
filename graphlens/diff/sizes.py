"""Sizes that one side reads where the other has a number: an export with free sizes against one with fixed ones."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from graphlens.diff.matching import GraphMatch
from graphlens.program.argument import Argument, Ref, Seq
from graphlens.program.graph import Graph, Node
from graphlens.program.value import Size, TensorValue

_READS = ("aten.sym_size.", "aten.sym_numel.", "aten.sym_stride.", "aten.sym_storage_offset.")


def stands_for_numbers(match: GraphMatch, name: str, *, side: int) -> bool:
    """Whether a node reads a size that is fixed on the other side, and that number has its place there wherever it is used."""
    ours, theirs = (match.a, match.b) if side == 0 else (match.b, match.a)
    partners = match.forward if side == 0 else match.backward
    users = ours.users.get(name, ())
    if not users or not ours[name].target.startswith(_READS):
        return False
    fixed = _fixed(ours[name], theirs, partners)
    if fixed is None:
        return False
    for user in users:
        partner = partners.get(user)
        if partner is None:
            return False
        one, two = ours[user], theirs[partner]
        if one.kwargs.keys() != two.kwargs.keys() or len(one.args) != len(two.args):
            return False
        pairs = [*zip(one.args, two.args, strict=True), *((one.kwargs[key], two.kwargs[key]) for key in one.kwargs)]
        if not all(_numbers(name, fixed, x, y) for x, y in pairs):
            return False
    return True


def _fixed(read: Node, theirs: Graph, partners: Mapping[str, str]) -> int | None:
    """Return the number that is recorded on the other side of what a call reads, if it is one."""
    source = read.args[0] if read.args else None
    partner = partners.get(source.node) if isinstance(source, Ref) else None
    value = theirs[partner].value if partner is not None else None
    if not isinstance(value, TensorValue):
        return None
    dim = read.args[1] if len(read.args) > 1 else read.kwargs.get("dim")
    kind = read.target.split(".")[1]
    found: Size | None = None
    if kind == "sym_numel" and all(type(size) is int for size in value.shape):
        found = prod(size for size in value.shape if type(size) is int)
    elif kind == "sym_storage_offset":
        found = value.storage_offset
    elif type(dim) is int:
        sizes = (value.shape if kind == "sym_size" else value.stride) or ()
        found = sizes[dim] if -len(sizes) <= dim < len(sizes) else None
    return found if type(found) is int else None


def _numbers(name: str, fixed: int, a: Argument, b: Argument) -> bool:
    """Whether wherever `a` refers to a node, `b` has its number; arguments that do not refer to it count as such."""
    if isinstance(a, Ref):
        return a.node != name or (type(b) is int and b == fixed)
    if isinstance(a, Seq):
        if Ref(name) not in a.items:
            return True
        if not isinstance(b, Seq) or len(a.items) != len(b.items):
            return False
        return all(type(y) is int and y == fixed for x, y in zip(a.items, b.items, strict=True) if x == Ref(name))
    return True
