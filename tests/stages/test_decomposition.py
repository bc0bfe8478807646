"""Decompositions are held against torch's own decomposition of each op, and what torch did not make is refused."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from graphlens.read import read
from graphlens.stages import roundtrip
from graphlens.stages.decomposition.judge import prepare

PROVED = "equal by torch's decomposition"


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.LayerNorm(4)

    def forward(self, x):
        return torch.cond(x.sum() > 0, lambda v: self.b(self.a(v)), lambda v: nn.functional.gelu(v), (x,))


class Looping(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)

    def forward(self, x):
        from torch._higher_order_ops.while_loop import while_loop

        return while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, self.a(x).softmax(-1)), (torch.tensor(0), x))


class Contexts(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)

    def forward(self, x):
        with torch.no_grad():
            y = self.a(x)
        return self.a(y)


class Sizes(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)

    def forward(self, x):
        y = self.a(x)
        return y.reshape(x.shape[0] * x.shape[1], -1).sum() + x.nonzero().sum(), x.view(x.shape[0], -1)


free = torch.export.Dim.DYNAMIC
MODELS = {
    "linear": (nn.Linear(3, 3), (torch.randn(2, 3),), None),
    "trained": (nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()), (torch.randn(2, 3, 5, 5),), None),
    "dropout": (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (torch.randn(1, 3, 8),), None),
    "evaluated": (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval(), (torch.randn(1, 3, 8),), None),
    "recurrent": (nn.LSTM(3, 4), (torch.randn(2, 3, 3),), None),
    "branches": (Branching(), (torch.randn(2, 4),), None),
    "loop": (Looping(), (torch.randn(2, 4),), None),
    "contexts": (Contexts(), (torch.randn(2, 4),), None),
    "sizes": (Sizes(), (torch.randn(3, 2, 4),), ({0: free, 1: free},)),
}


@pytest.mark.parametrize("name", MODELS)
def test_what_torch_makes_is_proved(name):
    model, args, dynamic = MODELS[name]
    trip = roundtrip(model, args, dynamic_shapes=dynamic, stages=("export", "decompose"), runtimes=())
    diff = trip.diff("export", "decompose")
    assert diff.proof.level == PROVED, diff.proof.refusals
    assert diff.worst != "wrong_result", diff.mismatches.to_string()
    assert "the computation is equal by torch's decomposition" in diff.verdict
    assert len(trip.proofs)
    assert set(trip.proofs["status"]) == {PROVED}
    assert trip.ok


def test_each_op_names_what_it_became():
    trip = roundtrip(nn.Linear(3, 3), (torch.randn(2, 3),), stages=("export", "decompose"), runtimes=())
    (row,) = trip.proofs.to_dict("records")
    assert (row["stage"], row["node"], row["target"]) == ("decompose", "linear", "aten.linear.default")
    assert row["nodes_b"] == ("permute", "addmm")


def test_a_table_of_the_users_is_the_axiom():
    table = torch.export.default_decompositions()
    del table[torch.ops.aten.linear.default]
    trip = roundtrip(
        nn.Sequential(nn.Linear(3, 3), nn.SiLU()),
        (torch.randn(2, 3),),
        stages=("export", ("keep linear", table)),
        runtimes=("eager", "exported", "keep linear"),
    )
    assert "linear" not in set(trip.proofs["node"])
    assert set(trip.proofs["node"]) == {"silu"}
    assert set(trip.proofs["status"]) == {PROVED}
    assert trip.ok


def tampered(change):
    """Decompose, then let `change` edit the graph that torch made."""
    model = nn.Sequential(nn.Linear(3, 3), nn.SiLU(), nn.Linear(3, 2))
    program = torch.export.export(model, (torch.randn(2, 3),))
    made = program.run_decompositions()
    change(made.graph)
    made.graph_module.recompile()
    return prepare(program, made)(read(program), read(made))


def calls(graph, target):
    return [node for node in graph.nodes if node.target is target]


def swap_operands(graph):
    node = calls(graph, torch.ops.aten.addmm.default)[0]
    node.args = (node.args[0], node.args[2], node.args[1])


def change_op(graph):
    calls(graph, torch.ops.aten.sigmoid.default)[0].target = torch.ops.aten.tanh.default


def change_literal(graph):
    calls(graph, torch.ops.aten.permute.default)[1].args = (
        calls(graph, torch.ops.aten.permute.default)[1].args[0],
        [0, 1],
    )


def change_scale(graph):
    calls(graph, torch.ops.aten.addmm.default)[1].kwargs = {"alpha": 2}


@pytest.mark.parametrize("change", [swap_operands, change_op, change_literal, change_scale])
def test_what_torch_did_not_make_is_a_wrong_result(change):
    judged = tampered(change)
    assert not judged.diff.proof.same
    assert judged.diff.proof.level == "different"
    assert judged.diff.worst == "wrong_result"


def test_the_op_that_was_tampered_with_is_named():
    judged = tampered(change_op)
    assert {op.node: op.status for op in judged.ops} == {"linear": PROVED, "silu": "different", "linear_1": PROVED}


def test_where_torch_cannot_tell_the_reason_is_given(monkeypatch):
    import graphlens.stages.decomposition.judge as judge
    from graphlens.stages.decomposition.torch_table import Unavailable

    def refuse(*_):
        raise Unavailable("no table in this torch")

    monkeypatch.setattr(judge, "witness", refuse)
    trip = roundtrip(nn.Linear(3, 3), (torch.randn(2, 3),), stages=("export", "decompose"), runtimes=())
    whole, linear = trip.proofs.to_dict("records")
    assert (whole["status"], whole["reason"]) == ("unknown", "no table in this torch")
    assert linear["node"] == "linear"
    assert linear["status"].startswith("tested equal")
    assert trip.diff("export", "decompose").proof.level != PROVED
