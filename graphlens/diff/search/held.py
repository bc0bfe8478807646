"""Constants that a tracer holds under names of its own (`make_fx`), and the inputs that the other side lifted them to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

from graphlens.diff.search.labels import Token, generated
from graphlens.diff.search.match import Match
from graphlens.program.program import ROOT, Program

Form = tuple[Hashable, ...]
_LIFTED = frozenset({"parameter", "buffer", "constant_tensor"})


def held_pairs(a: Program, b: Program, taken: set[str], token: Token) -> list[tuple[str, str]]:
    """Pair attributes whose names say nothing with lifted inputs by value, where one only has that value on either side."""
    if ROOT not in a.graphs or ROOT not in b.graphs or bool(a.inputs) is bool(b.inputs):
        return []
    held, lifted = (_held(a), _lifted(b, taken)) if b.inputs else (_held(b), _lifted(a, taken))
    owners = (a, b) if b.inputs else (b, a)
    forms = set(_forms(owners[0], held).values()) & set(_forms(owners[1], lifted).values())
    ours, theirs = (_by_value(owner, names, token, forms) for owner, names in zip(owners, (held, lifted), strict=True))
    pairs = [(name, theirs[value]) for value, name in ours.items() if value in theirs]
    return pairs if b.inputs else [(y, x) for x, y in pairs]


def anchor_held(match: Match, pairs: list[tuple[str, str]]) -> None:
    """Pair the nodes of such constants."""
    for x, y in pairs:
        if x in match.a.index and y in match.b.index:
            match.pair(match.a.index[x], match.b.index[y], "signature", 0.95, ("the only constant of its value",))


def _held(program: Program) -> dict[str, str]:
    """Name the stored tensor of each attribute with a made-up name."""
    nodes = (node for node in program.graph.by_op.get("get_attr", ()) if not node.subgraphs)
    return {node.name: node.target for node in nodes if generated(node.target)}


def _lifted(program: Program, taken: set[str]) -> dict[str, str]:
    specs = (spec for spec in program.inputs if spec.kind in _LIFTED and spec.argument not in taken)
    return {spec.argument: spec.target for spec in specs if spec.target is not None}


def _forms(program: Program, names: dict[str, str]) -> dict[str, Form]:
    stored = {tensor.fqn: tensor for tensor in program.stored}
    return {fqn: (stored[fqn].shape, stored[fqn].dtype) for fqn in names.values() if fqn in stored}


def _by_value(program: Program, names: dict[str, str], token: Token, forms: set[Form]) -> dict[Hashable, str]:
    """Name the one node of each value; only values of some forms are read."""
    stored, known = {tensor.fqn: tensor for tensor in program.stored}, _forms(program, names)
    values = {name: token(stored[fqn]) for name, fqn in names.items() if known.get(fqn) in forms}
    counts = Counter(values.values())
    return {value: name for name, value in values.items() if value is not None and counts[value] == 1}
