"""Weights with the same elements that lie otherwise, where that decides what is computed: by whom they are read or written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import structs

from graphlens.diff.handed import HandedOn
from graphlens.diff.matching import Matching
from graphlens.diff.rows import Finding
from graphlens.program.program import ROOT, Program

_PLACE: Final = ("stride", "storage_offset")
WRITTEN: Final = "written"


def as_they_are_used(matching: Matching, found: list[Finding]) -> Iterator[Finding]:
    """Yield the findings of the program; a tensor that is read by its place is another value where it lies otherwise.

    And who breaks a tie of what is written breaks more than what updates it later.
    """
    handed = HandedOn(matching)
    reshaped = {finding.field for finding in found if finding.where == "shape"}
    for finding in found:
        field, _, name = finding.field.removesuffix("]").partition("[")
        lies = field in ("weights", "constants") and finding.where in _PLACE and finding.field not in reshaped
        if lies and _read_by_place(matching, handed, name):
            yield structs.replace(finding, aspect="value")
        elif field == "aliasing" and any(_written(matching, handed, side, name) for side in (0, 1)):
            yield structs.replace(finding, aspect=WRITTEN)
        else:
            yield finding


def _read_by_place(matching: Matching, handed: HandedOn, fqn: str) -> bool:
    return any(
        handed.read_by_place(side, ROOT, node)
        for side, program in enumerate((matching.a, matching.b))
        for node in _sources(program, {fqn})
    )


def _written(matching: Matching, handed: HandedOn, side: int, fqn: str) -> bool:
    """Whether the program of a side writes to a tensor that either program ties to another."""
    program = (matching.a, matching.b)[side]
    tied = {fqn}
    for each in (matching.a, matching.b):
        storages = {tensor.storage for tensor in each.stored if tensor.fqn == fqn and tensor.storage is not None}
        tied |= {tensor.fqn for tensor in each.stored if tensor.storage in storages}
    if any(output.target in tied and "mutation" in output.kind for output in program.outputs):
        return True
    written = handed.written(side, ROOT) if ROOT in matching.facts[side] else frozenset()
    return any(node in written for node in _sources(program, tied))


def _sources(program: Program, fqns: set[str]) -> list[str]:
    """Name the nodes of the root that hold stored tensors."""
    found = [spec.argument for spec in program.inputs if spec.target in fqns]
    return found + [node.name for node in program.graph.nodes if node.op == "get_attr" and node.target in fqns]
