"""One node that became several, several that became one: the whole account, written down by hand."""

from __future__ import annotations

import pytest
import torch
from diff.law import compared, lone, mates, roots
from torch import nn

import graphlens as gl

pytestmark = pytest.mark.filterwarnings("ignore")

COMPUTATION = {
    "op",
    "target",
    "args",
    "kwargs",
    "order",
    "weights",
    "constants",
    "signature.inputs",
    "signature.outputs",
}


def account(diff):
    return roots(diff, lambda row: row.family in COMPUTATION)


def groups(diff) -> dict[str, str]:
    return {row.target_a: row.target_b for row in diff.node_rows if row.match.startswith("group")}


class Attends(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x):
        return self.attention(x, x, x)[0]


def test_attention_is_decomposed():
    """Every operator is traced to what became of it; nothing is wrong, and nothing is proved by its name."""
    torch.manual_seed(0)
    original = torch.export.export(Attends().eval(), (torch.randn(2, 3, 8),))
    diff = compared(original, original.run_decompositions())
    dead, gone = lone(diff)
    assert gone == set()
    assert {diff.a.graph[name].target for name in dead} == {
        "aten.view.default",
        "aten.mean.dim",
    }  # averaged weights, unused
    assert diff.proof.rules["dead pure code"] == 2
    (linear,) = (row for row in diff.node_rows if row.node_a == "linear")
    assert linear.match.startswith("group 1:n")
    assert {"aten.bmm.default", "aten.add.Tensor"} <= set(linear.target_b.split(", "))
    assert [row.target_b for row in diff.node_rows if row.node_a == "linear_1"] == [
        "aten.permute.default, aten.addmm.default"
    ]
    assert mates(diff)["softmax"] == "_softmax"
    assert {(row.aspect, row.severity) for row in diff.rows if row.field == "target" and row.kind == "changed"} == {
        ("decomposed", "breaks_pass")
    }
    assert "wrong_result" not in {row.severity for row in diff.rows if row.cause == "root"}
    assert not diff.proof.same


def test_batch_norm_in_training_has_five_results_instead_of_two():
    model = nn.Sequential(nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3)).train()
    original = torch.export.export(model, (torch.randn(2, 3, 8, 8),))
    diff = compared(original, original.run_decompositions())
    assert lone(diff) == (set(), set())
    assert account(diff) == {
        ("target", "changed", "breaks_pass"): 3,
        ("signature.outputs", "added", "wrong_result"): 3,
    }
    assert {row.b for row in diff.rows if row.family == "signature.outputs"} == {
        f"buffer_mutation 1.{name}" for name in ("running_mean", "running_var", "num_batches_tracked")
    }
    assert mates(diff)["add_"] == "add"
    (became,) = groups(diff).values()
    assert became.split(", ")[0] == "aten._native_batch_norm_legit_functional.default"
    assert became.split(", ")[1:] == ["_operator.getitem"] * 3


@torch.library.custom_op("hard_cases::linear_relu", mutates_args=())
def linear_relu(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return torch.relu(x @ weight.T + bias)


@linear_relu.register_fake
def _(x, weight, bias):
    return x.new_empty(x.shape[0], weight.shape[0])


class Linear(nn.Module):
    def __init__(self, *, fused: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.fused = nn.Linear(4, 4), fused

    def forward(self, x):
        x = x.sin()
        x = linear_relu(x, self.layer.weight, self.layer.bias) if self.fused else self.layer(x).relu()
        return x.cos()


def test_linear_and_relu_became_one_custom_operator():
    """One group between matched nodes; that it computes the same is neither said nor denied; the weights are untouched."""
    diff = compared(*(torch.export.export(Linear(fused=fused), (torch.randn(2, 4),)) for fused in (False, True)))
    assert groups(diff) == {"aten.linear.default, aten.relu.default": "hard_cases.linear_relu.default"}
    assert account(diff) == {("target", "changed", "wrong_result"): 1}
    assert lone(diff) == (set(), set())
    assert mates(diff)["cos"] == "cos"
    assert diff.proof.level == "unknown"


def test_a_batch_norm_was_folded_into_its_convolution():
    """The weights under the same names are others, and those of the norm are gone with it."""

    def model():
        torch.manual_seed(0)
        layers = nn.Sequential(nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3), nn.ReLU()).eval()
        layers[1].running_mean.normal_()
        layers[1].running_var.uniform_(0.5, 2)
        return layers

    plain, folded = model(), model()
    folded[0], folded[1] = torch.nn.utils.fuse_conv_bn_eval(folded[0], folded[1]), nn.Identity()
    diff = compared(*(torch.export.export(m, (torch.randn(1, 3, 8, 8),)) for m in (plain, folded)))
    state = {f"1.{name}" for name in plain[1].state_dict()}
    assert {row.node_a for row in diff.rows if row.kind == "only_a" and row.cause == "root"} == {"batch_norm"}
    assert {(row.field, row.kind) for row in diff.rows if row.family == "weights"} == {
        ("weights[0.weight]", "changed"), ("weights[0.bias]", "changed"),
    } | {(f"weights[{name}]", "lost") for name in state}  # fmt: skip
    assert [(r.node_a, r.inherited_from) for r in diff.rows if r.field == "args"] == [("relu", "batch_norm")]
    assert mates(diff)["conv2d"] == "conv2d"
    assert account(diff)["signature.inputs", "lost", "breaks_pass"] == len(state)


class Projects(nn.Module):
    def __init__(self, *, fused: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        parts = [nn.Linear(8, 8) for _ in range(3)]
        self.fused = fused
        if fused:
            self.qkv = nn.Linear(8, 24)
            self.qkv.weight = nn.Parameter(torch.cat([part.weight for part in parts]))
            self.qkv.bias = nn.Parameter(torch.cat([part.bias for part in parts]))
        else:
            self.q, self.k, self.v = parts

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1) if self.fused else (self.q(x), self.k(x), self.v(x))
        return torch.softmax(q @ k.transpose(-1, -2), -1) @ v


@pytest.mark.parametrize("back", [False, True], ids=["fused", "split"])
def test_three_projections_became_one_and_a_chunk(back):
    pair = [torch.export.export(Projects(fused=fused), (torch.randn(2, 3, 8),)) for fused in (back, not back)]
    diff = compared(*pair)
    plain = "aten.linear.default, aten.linear.default, aten.linear.default"
    fused = ", ".join(["aten.linear.default", "aten.chunk.default", *["_operator.getitem"] * 3])
    assert groups(diff) == ({fused: plain} if back else {plain: fused})
    kept = {"transpose", "matmul", "softmax", "matmul_1"}
    assert {name: mates(diff)[name] for name in kept} == {name: name for name in kept}
    few, many = ("added", "lost") if not back else ("lost", "added")
    counts = account(diff)
    assert {kind: counts["signature.inputs", kind, "breaks_pass"] for kind in (few, many)} == {few: 2, many: 6}
    assert counts["target", "changed", "wrong_result"] == 1
    assert not [row for row in diff.rows if row.cause == "root" and row.family in ("args", "order")]
    assert not diff.proof.same


class Views(nn.Module):
    def __init__(self, shapes) -> None:
        super().__init__()
        self.shapes = shapes

    def forward(self, x):
        x = x.sin()
        for shape in self.shapes:
            x = x.reshape(shape) if shape == (2, 12) else x.view(shape)
        return x.cos()


def test_a_chain_of_views_was_collapsed():
    """Two views fewer, and the last reads what the first read: elements in their order, nothing wrong."""
    chain = [(2, 3, 2, 2), (2, 6, 2), (2, 12)]
    diff = compared(*(torch.export.export(Views(c), (torch.randn(2, 3, 4),)) for c in (chain, chain[-1:])))
    assert lone(diff) == ({"view", "view_1"}, set())
    assert account(diff) == {("target", "only_a", "breaks_pass"): 2}
    assert [(r.node_a, r.inherited_from) for r in diff.rows if r.field == "args"] == [("reshape", "view_1")]


def test_a_chain_with_a_permutation_is_no_chain_of_views():
    """A transpose between them puts elements in another order: it is another result."""

    class Turned(Views):
        def forward(self, x):
            return x.sin().view(2, 4, 3).permute(0, 2, 1).reshape(2, 12).cos()

    class Plain(Views):
        def forward(self, x):
            return x.sin().reshape(2, 12).cos()

    diff = compared(*(torch.export.export(m([]), (torch.randn(2, 3, 4),)) for m in (Turned, Plain)))
    assert lone(diff) == ({"view", "permute"}, set())
    assert account(diff) == {("target", "only_a", "wrong_result"): 2}


def test_a_group_is_where_its_neighbours_say():
    """The decomposed program against itself with one layer's number changed: no group hides it."""
    original = torch.export.export(Linear(fused=False), (torch.randn(2, 4),))
    one, other = original.run_decompositions(), original.run_decompositions()
    node = next(n for n in other.graph_module.graph.nodes if n.target is torch.ops.aten.cos.default)
    node.target = torch.ops.aten.sin.default
    diff = compared(gl.read(one), gl.read(other))
    assert account(diff) == {("target", "changed", "wrong_result"): 1}
    assert not groups(diff)
