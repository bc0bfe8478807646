"""Branches that Dynamo hands their values in another order than export, sizes among them that no branch reads."""

from __future__ import annotations

import copy
import operator

import pytest
import torch
from torch import nn

import graphlens as gl
from graphlens.diff import Diff

pytestmark = pytest.mark.filterwarnings("ignore")


class Branches(nn.Module):
    def forward(self, x, y):
        size = x.shape[0]
        return torch.cond(x.sum() > 0, lambda a, b: a.sin() * size + b, lambda a, b: a.cos() - b * size, (x, y))


@pytest.fixture(scope="module")
def captured():
    """Dynamo's graph and the exported program."""
    x, y = torch.randn(4, 3), torch.randn(4, 3)
    found = []

    def backend(module, _):
        found.append(module)
        return module.forward

    torch._dynamo.reset()
    torch.compile(Branches(), backend=backend, dynamic=True)(x, y)
    rows = torch.export.Dim("rows", min=2)
    return found[0], torch.export.export(Branches(), (x, y), dynamic_shapes={"x": {0: rows}, "y": {0: rows}})


def operands(diff: Diff) -> list[tuple[str, str, str]]:
    rows = (row for row in diff.rows if row.target == "higher_order.cond" and row.where.startswith("args[3]"))
    return [(row.aspect, row.severity, row.cause) for row in rows]


def moved_inside(diff: Diff) -> set[str]:
    return {row.severity for row in diff.rows if row.graph.startswith("cond.") and row.field == "order"}


def test_branches_get_the_same_values_in_other_places(captured):
    """Dynamo hands them ``(x, y, s27, s77)`` and export ``(s77, x, y)``; nobody reads the one that is more."""
    diff = gl.diff(*captured)
    assert operands(diff) == [("fed alike", "breaks_pass", "root")]
    assert moved_inside(diff) == {"cosmetic"}
    assert diff.worst == "breaks_pass", str(diff)
    assert not diff.proof.same


def exchanged(graph, sizes, x, y):
    return sizes, y, x


def another_size(graph, sizes, x, y):
    twice = graph.call_function(operator.mul, (sizes, 2))
    twice.meta = dict(sizes.meta)
    return twice, x, y


@pytest.mark.parametrize("given", [exchanged, another_size])
def test_branches_that_get_something_else_compute_something_else(captured, given):
    """Told at the call, or where the branches read what they get: `sin` of x or of y."""
    module, program = captured
    other = copy.deepcopy(program)
    graph = other.graph_module.graph
    (call,) = (node for node in graph.nodes if str(node.target) == "cond")
    with graph.inserting_before(call):
        call.args = (*call.args[:3], given(graph, *call.args[3]))
    diff = gl.diff(module, other)
    wrong = [row for row in diff.rows if row.severity == "wrong_result" and row.cause == "root"]
    assert wrong
    assert all(row.graph.startswith("cond.") or row.node_a in (None, "cond") for row in wrong)
    assert given is exchanged or "fed alike" not in {aspect for aspect, _, _ in operands(diff)}
