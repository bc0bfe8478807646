"""Modules that `symbolic_trace` keeps as calls, against what export makes of them."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from msgspec import structs
from torch import fx, nn

from graphlens.diff import compare
from graphlens.program.frozen import freeze
from graphlens.program.graph import Graph
from graphlens.program.program import Program
from graphlens.read import read

pytestmark = pytest.mark.filterwarnings("ignore")


class Mixed(nn.Module):
    """Neighbouring modules, one called twice, one that becomes several calls."""

    def __init__(self, act: type[nn.Module] = nn.ReLU):
        super().__init__()
        self.fc1, self.act, self.fc2 = nn.Linear(4, 8), act(), nn.Linear(8, 4)
        self.norm, self.attention = nn.LayerNorm(4), nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x):
        x = self.act(self.norm(self.fc2(self.act(self.fc1(x)))) + x)
        return self.attention(x, x, x)[0]


@cache
def both() -> tuple[Program, Program]:
    torch.manual_seed(0)
    model = Mixed().train()
    return read(fx.symbolic_trace(model)), read(torch.export.export(model, (torch.randn(2, 3, 4),)))


def wrong(diff):
    return [row for row in diff.rows if row.severity == "wrong_result" and row.cause == "root"]


def test_each_call_of_a_module_goes_with_what_is_called_in_it():
    diff = compare(*both())
    groups = {row.node_a: row.node_b for row in diff.node_rows if row.match.startswith("group")}
    attention = groups.pop("attention, getitem").split(", ")
    assert groups == {"fc1": "linear", "act": "relu", "fc2": "linear_1", "norm": "layer_norm", "act_1": "relu_1"}
    assert "scaled_dot_product_attention" in attention or "softmax" in " ".join(attention)
    assert {row.aspect for row in diff.rows if row.family == "target" and row.kind == "changed"} == {
        "module",
        "dialect",
    }
    assert not wrong(diff)
    assert diff.proof.level in ("different", "unknown"), "nobody says that a module computes what was traced in it"


def test_the_other_way_round():
    a, b = both()
    there, back = compare(a, b), compare(b, a)
    assert {(row.node_a, row.node_b) for row in there.node_rows} == {(row.node_b, row.node_a) for row in back.node_rows}
    assert not wrong(back)


def test_a_module_of_another_class_is_another_function():
    a, _ = both()
    b = read(torch.export.export(Mixed(nn.GELU).train(), (torch.randn(2, 3, 4),)))
    diff = compare(a, b)
    assert {(row.node_a, row.node_b) for row in wrong(diff) if row.field == "target"} == {
        ("act", "gelu"),
        ("act_1", "gelu_1"),
    }


def test_a_module_that_is_fed_otherwise_is_said_to_be():
    a, b = both()
    nodes = a.graph.nodes
    x = a.graph["fc1"].args
    fed = tuple(structs.replace(node, args=x) if node.name == "norm" else node for node in nodes)
    edited = structs.replace(a, graphs=freeze({**a.graphs, "": Graph(fed)}))
    assert ("norm", "layer_norm") in {(row.node_a, row.node_b) for row in wrong(compare(edited, b))}
