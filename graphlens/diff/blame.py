"""Arguments that read what one side lacks: some root that they follow from is as bad as they are."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from msgspec import structs

from graphlens.diff.placed import Placed
from graphlens.diff.rows import Finding
from graphlens.diff.severity import rule_for
from graphlens.program.argument import Ref
from graphlens.program.parts import InputSpec, StoredTensor
from graphlens.program.program import ROOT

READ: Final = "read"
_SIZES: Final = ("specialised", "generalised")
_HELD: Final = ("placeholder", "get_attr")
_INNOCENT: Final = frozenset({"dead", "duplicate", "preserving", "size", "assertion"})
"""Sorts of lone calls (`LoneNodes.aspect`) whose own rows are no wrong result."""

_CODES: Final = {"float32": "<f", "float64": "<d", "int64": "<q", "int32": "<i"}

Key: TypeAlias = tuple[str, str, str]
"""Graph path, name and side (``only_a``, ``only_b``) of a node without a partner."""


def blame(
    placed: list[Placed], program_level: list[Finding], inputs: Mapping[str, Sequence[InputSpec]]
) -> tuple[list[Placed], list[Finding]]:
    """Return both so that some root is as bad as any argument that follows from it.

    A node that one side lacks is told once, as the node or the input that it is. Alone that may be harmless (a copy, an
    attribute, a new weight) where reading it is not. Whoever computes on it instead of on something else follows from
    another node that explains it, or from none. Then an input says that it is read, and what is no input leaves the
    argument a root of its own. `inputs` are those of the programs, by ``only_a`` and ``only_b``.
    """
    lone = _lone(placed)
    program_level = [*program_level]
    told = _Told(program_level, inputs)
    kept: list[Placed] = []
    for each in placed:
        if not each.finding.inherited_from:
            kept.append(each)
            continue
        item = _explained(each, lone)
        operands = [key for key in _operands(item) if key in lone]
        if not operands or _told(operands, lone) or _same_place(item, lone[operands[0]]):
            kept.append(item)
            continue
        if any(_lifted(item.finding, key, lone, told) for key in operands):
            kept.append(item)
            continue
        rows = [at for key in operands if (at := told.row(key, lone[key])) is not None]
        for at in rows:
            program_level[at] = structs.replace(program_level[at], aspect=READ)
        kept.append(item if rows else item.inherited(""))
    return kept, program_level


def _lone(placed: list[Placed]) -> dict[Key, Placed]:
    found: dict[Key, Placed] = {}
    for item in placed:
        node = item.a if item.finding.kind == "only_a" else item.b
        if item.finding.field == "target" and item.finding.kind in ("only_a", "only_b") and node is not None:
            found[item.graph, node.name, item.finding.kind] = item
    return found


def _explained(item: Placed, lone: Mapping[Key, Placed]) -> Placed:
    """Return a difference of operands that are others with a lone node as its reason only where that explains it."""
    if not _other_operands(item.finding):
        return item
    source = item.graph, item.finding.inherited_from
    innocent = [_sort(lone, (*source, side)) in _INNOCENT for side in ("only_a", "only_b")]
    return item.inherited(_guilty(item, lone)) if any(innocent) else item


def _guilty(item: Placed, lone: Mapping[Key, Placed]) -> str:
    """Name the operand of either side that has no partner and computes something, if there is one."""
    for side, value in (("only_a", item.finding.value_a), ("only_b", item.finding.value_b)):
        if isinstance(value, Ref) and _sort(lone, (item.graph, value.node, side)) == "":
            return value.node
    return ""


def _other_operands(finding: Finding) -> bool:
    """Whether a call has other operands on the other side; a number that became an operand is told by who holds it there."""
    if finding.field not in ("args", "kwargs"):
        return False
    references = isinstance(finding.value_a, Ref) and isinstance(finding.value_b, Ref)
    return finding.aspect == "length" or (finding.aspect == "rewired" and references)


def _sort(lone: Mapping[Key, Placed], key: Key) -> str | None:
    """Say what sort of node has no partner, `None` where it has one."""
    return lone[key].finding.aspect if key in lone else None


def _operands(item: Placed) -> list[Key]:
    """Name what the difference of an argument may follow from; nothing where it is no wrong result."""
    finding = item.finding
    if finding.field not in ("args", "kwargs") or finding.aspect in _SIZES or not finding.inherited_from:
        return []
    source = item.graph, finding.inherited_from
    return [(*source, "only_a"), (*source, "only_b")] if _wrong(finding) else []


def _told(operands: list[Key], lone: Mapping[Key, Placed]) -> bool:
    """Whether the node itself is a wrong result, or what passes it to a nested graph has a row of its own."""
    return any(
        _wrong(lone[key].finding) or (key[0] != ROOT and lone[key].finding.aspect == "input") for key in operands
    )


def _same_place(item: Placed, lone: Placed) -> bool:
    """Whether one computed operand took the place of another: what it makes of it is told there."""
    node = lone.a or lone.b
    computed = node is not None and node.op not in _HELD
    return computed and isinstance(item.finding.value_a, Ref) and isinstance(item.finding.value_b, Ref)


def _lifted(finding: Finding, key: Key, lone: Mapping[Key, Placed], told: _Told) -> bool:
    """Whether the operand hands on a constant that is the very number that the other side has in its place."""
    number = finding.value_a if isinstance(finding.value_b, Ref) else finding.value_b
    while key in lone and type(number) in (int, float):
        node = lone[key].a or lone[key].b
        assert node is not None
        if node.op in _HELD:
            at = told.row(key, lone[key])
            held = told.rows[at].value_a or told.rows[at].value_b if at is not None else None
            return isinstance(held, StoredTensor) and _holds(held, number)
        if lone[key].finding.aspect != "preserving" or len(node.inputs) != 1:
            return False
        key = (key[0], node.inputs[0], key[2])
    return False


def _holds(tensor: StoredTensor, number: float) -> bool:
    """Whether a tensor is one number and which, as far as its bytes can be had."""
    code = _CODES.get(tensor.dtype or "")
    if code is None or tensor.shape != () or tensor.content is None:
        return False
    try:
        return tensor.content.element_bytes() == struct.pack(code, number)
    except (struct.error, OverflowError):
        return False


def _wrong(finding: Finding) -> bool:
    return rule_for(finding.field, finding.kind, finding.aspect).severity == "wrong_result"


class _Told:
    """The rows of the program that say that one side lacks an input, a weight or a constant."""

    def __init__(self, rows: Sequence[Finding], inputs: Mapping[str, Sequence[InputSpec]]) -> None:
        self.rows = rows
        self._inputs = {side: {spec.argument: spec for spec in given} for side, given in inputs.items()}
        self._fields: dict[tuple[str, str], int] = {}
        self._specs: dict[tuple[str, object], int] = {}
        for at, finding in enumerate(rows):
            if finding.kind in ("lost", "added"):
                self._fields.setdefault((finding.kind, finding.field), at)
                if finding.field.startswith("signature.inputs["):
                    self._specs[finding.kind, finding.value_a or finding.value_b] = at

    def row(self, key: Key, lone: Placed) -> int | None:
        """Find the row about an input or attribute of one side: that of what it holds, else the signature's."""
        finding = lone.finding
        kind = "lost" if finding.kind == "only_a" else "added"
        spec = self._inputs[key[2]].get(key[1]) if key[0] == ROOT else None
        held = spec.target if spec is not None else (finding.a or finding.b) if finding.aspect == "attribute" else None
        for field in (f"weights[{held}]", f"constants[{held}]") if held is not None else ():
            if (kind, field) in self._fields:
                return self._fields[kind, field]
        return None if spec is None else self._specs.get((kind, spec))
