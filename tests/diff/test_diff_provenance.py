"""`from_node` where it decides: two calls in a row that were both decomposed, then handed through many passes."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from diff import edits
from diff.law import compared
from msgspec.structs import replace
from torch import nn
from torch._decomp import get_decompositions

import graphlens as gl
from graphlens.program.graph import Provenance

pytestmark = pytest.mark.filterwarnings("ignore")
PASSES = 10


@cache
def chain() -> tuple[gl.Program, gl.Program]:
    """An export, and what ten runs of decompositions made of it: every node carries a chain of ten entries and more."""
    aten = torch.ops.aten
    original = torch.export.export(nn.Sequential(nn.SiLU(), nn.Hardswish()), (torch.ones(4),))
    made = original.run_decompositions(get_decompositions([aten.silu, aten.hardswish]))
    for _ in range(PASSES):
        made = made.run_decompositions({})
    return gl.read(original), gl.read(made)


def depth(entries: tuple[Provenance, ...]) -> int:
    found, level = 0, list(entries)
    while level:
        found += 1
        level = [inner for entry in level for inner in entry.from_node]
    return found


def rewritten(entries: tuple[Provenance, ...], change: Any) -> tuple[Provenance, ...]:
    return tuple(change(replace(entry, from_node=rewritten(entry.from_node, change))) for entry in entries)


def claiming(program: gl.Program, change: Any) -> gl.Program:
    for node in program.graph.nodes:
        if node.op == "call_function":
            program = edits.with_meta(program, ("", node.name), from_node=change(node.meta["from_node"]))
    return program


def groups(a: gl.Program, b: gl.Program) -> dict[str, int]:
    """How many nodes of `b` each group of `a` became."""
    diff = compared(a, b)
    rows = [row for row in diff.node_rows if row.match.startswith("group")]
    assert not diff.proof.same
    assert not [row for row in diff.node_rows if row.match in ("ambiguous", "only_a", "only_b")]
    for row in rows:
        assert "one of a group" in diff.explain(row.node_a.split(", ")[0])
    return {row.target_a: len(row.node_b.split(", ")) for row in rows}


def test_ten_passes_leave_ten_levels():
    _, made = chain()
    calls = [node for node in made.graph.nodes if node.op == "call_function"]
    assert min(depth(node.meta["from_node"]) for node in calls) >= PASSES


def test_each_call_is_found_in_what_it_became():
    a, b = chain()
    found = groups(a, b)
    assert set(found) == {"aten.silu.default", "aten.hardswish.default"}
    assert sum(found.values()) == sum(node.op == "call_function" for node in b.graph.nodes)


def test_without_provenance_the_two_are_one_group():
    """It is `from_node` that tells them apart: nothing between them is matched."""
    a, b = chain()
    found = groups(a, claiming(b, lambda entries: None))
    assert set(found) == {"aten.silu.default, aten.hardswish.default"}


def test_ids_of_graphs_are_addresses():
    """A graph that was collected leaves its id to another one; all ids equal, or all others, is the same claim."""
    a, b = chain()
    for number in (0, 7):
        again = claiming(b, lambda e, number=number: rewritten(e, lambda entry: replace(entry, graph_id=number)))
        assert groups(a, again) == groups(a, b)


def test_claims_that_cannot_be_are_not_believed():
    """Names that `a` has for another function, names that nobody has, and chains that go round."""
    a, b = chain()

    def wrong(entry: Provenance) -> Provenance:
        names = {"silu": "hardswish", "hardswish": "silu"}
        return replace(entry, name=names.get(entry.name, entry.name))

    def gone(entry: Provenance) -> Provenance:
        return replace(entry, name=f"{entry.name}_of_old")

    for change in (wrong, gone):
        lies = claiming(b, lambda entries, change=change: rewritten(entries, change))
        assert groups(a, lies) == groups(a, claiming(b, lambda entries: None))
    ring = claiming(b, lambda entries: tuple(replace(e, from_node=(*e.from_node, e)) for e in entries))
    assert groups(a, ring) == groups(a, b)
