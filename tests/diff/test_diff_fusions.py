"""Calls that became one, and one that was written out, in every layer of real models: the account of each, site by site."""

from __future__ import annotations

import copy
from collections import Counter
from functools import cache

import pytest
import torch
from diff.models import MODELS, Wrapped, exported
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

import graphlens as gl
from graphlens.diff import Diff

pytestmark = pytest.mark.filterwarnings("ignore")


def changed(name: str, change) -> Diff:
    """Compare a model with one that has been changed in place."""
    torch.manual_seed(0)
    model, args, kwargs = MODELS[name]()
    change(model.eval())
    other = torch.export.export(Wrapped(model).eval(), args, kwargs, strict=False)
    return gl.diff(exported(name), other)


def groups(diff: Diff) -> Counter[tuple[str, str]]:
    """What became what, as the targets of both sides, and how often."""
    found = diff.alignment.graphs[0].groups
    sides = zip((diff.a.graph, diff.b.graph), ("a", "b"), strict=True)
    texts = [
        [" ".join(graph[name].target for name in getattr(group, side)) for group in found] for graph, side in sides
    ]
    return Counter(zip(*texts, strict=True))


def in_doubt(diff: Diff) -> list[str]:
    return [row.match for row in diff.node_rows if row.match == "ambiguous"]


def wrong(diff: Diff) -> Counter[tuple[str, str]]:
    told = (row for row in diff.rows if row.cause == "root" and row.severity == "wrong_result")
    return Counter((row.family, row.kind) for row in told)


def one_gate_and_up(model: nn.Module) -> None:
    def forward(self, x):
        gate, up = self.gate_up(x).chunk(2, -1)
        return self.down_proj(self.act_fn(gate) * up)

    for layer in model.model.layers:
        mlp = layer.mlp
        mlp.gate_up = nn.Linear(mlp.hidden_size, 2 * mlp.intermediate_size, bias=False)
        with torch.no_grad():
            mlp.gate_up.weight.copy_(torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight]))
        del mlp.gate_proj, mlp.up_proj
        mlp.forward = forward.__get__(mlp)


def test_gate_and_up_become_one_projection():
    diff = changed("llama", one_gate_and_up)
    linear, item = "aten.linear.default", "_operator.getitem"
    assert groups(diff) == {(f"{linear} {linear}", f"{linear} aten.chunk.default {item} {item}"): 3}
    assert not in_doubt(diff)
    assert wrong(diff) == {("target", "changed"): 3, ("weights", "lost"): 6}
    assert "(1 edit, in 3 regions)" in diff.verdict


def replaced(model: nn.Module, kind: str, make) -> None:
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child).__name__ == kind:
                setattr(module, name, make(child))


def fused_norm(norm: nn.Module) -> nn.Module:
    fused = nn.RMSNorm(norm.weight.shape[0], eps=norm.variance_epsilon)
    fused.weight = norm.weight
    return fused


def test_the_root_mean_square_becomes_one_call():
    diff = changed("llama", lambda model: replaced(model, "LlamaRMSNorm", fused_norm))
    became = diff.alignment.graphs[0].groups
    assert len(became) == 7
    for group in became:
        assert [diff.b.graph[name].target for name in group.b] == ["aten.rms_norm.default"]
        parts = Counter(diff.a.graph[name].target for name in group.a)
        assert parts["aten.rsqrt.default"] == parts["aten.pow.Tensor_Scalar"] == parts["aten.mean.dim"] == 1
        assert {diff.a.graph[name].module for name in group.a} == {diff.b.graph[group.b[0]].module}
    assert not in_doubt(diff)
    assert wrong(diff) == {("target", "changed"): 7}


class Written(nn.Module):
    """A layer norm in its parts."""

    def __init__(self, norm: nn.LayerNorm) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps

    def forward(self, x):
        centred = x - x.mean(-1, keepdim=True)
        return centred / torch.sqrt(centred.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight + self.bias


def test_layer_norms_are_written_out():
    diff = changed("bert", lambda model: replaced(model, "LayerNorm", Written))
    parts = "mean.dim sub.Tensor pow.Tensor_Scalar mean.dim add.Tensor sqrt.default div.Tensor mul.Tensor add.Tensor".split()
    assert groups(diff) == {("aten.layer_norm.default", " ".join(f"aten.{part}" for part in parts)): 7}
    assert not [row for row in diff.node_rows if row.match in ("ambiguous", "only_a", "only_b")]
    assert wrong(diff) == {("target", "changed"): 7}


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.conv2, self.bn2 = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)

    def forward(self, x):
        return torch.relu(x + self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x))))))


@cache
def residuals() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), *(Residual() for _ in range(3)))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean)
    return model.eval()


def test_batch_norms_are_folded_into_their_convolutions():
    """Each convolution is the same one with other weights; what is gone is its norm, and no input is in doubt."""
    folded = copy.deepcopy(residuals())
    for block in folded[1:]:
        block.conv1, block.bn1 = fuse_conv_bn_eval(block.conv1, block.bn1), nn.Identity()
        block.conv2, block.bn2 = fuse_conv_bn_eval(block.conv2, block.bn2), nn.Identity()
    x = (torch.randn(2, 3, 8, 8),)
    diff = gl.diff(torch.export.export(residuals(), x), torch.export.export(folded, x))
    pairs = {
        (row.node_a, row.node_b) for row in diff.node_rows if row.target_a == row.target_b == "aten.conv2d.default"
    }
    assert pairs == {(name, name) for name in ("conv2d", *(f"conv2d_{i}" for i in range(1, 7)))}
    alone = Counter(row.target_a for row in diff.node_rows if row.match == "only_a" and row.target_a.startswith("aten"))
    assert alone == {"aten.batch_norm.default": 6}
    assert not in_doubt(diff)
    lost = {row.field for row in diff.rows if (row.family, row.kind) == ("weights", "lost")}
    assert len(lost) == 30
    assert all(".bn" in field for field in lost)
    assert {
        row.field.rpartition(".")[2] for row in diff.rows if row.field.startswith("weights") and row.kind == "added"
    } == {"bias]"}
    worst = [pattern for pattern in diff.pattern_rows if pattern.severity == "wrong_result"]
    assert [pattern.regions for pattern in worst] == [("1", "2", "3")]
