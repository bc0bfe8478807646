"""What `make_fx` bakes into a graph under names of its own, against what export lifted."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx

from graphlens.diff import compare
from graphlens.program.program import Program
from graphlens.read import read

pytestmark = pytest.mark.filterwarnings("ignore")


class Baked(nn.Module):
    """A parameter, a buffer, an attribute and a literal, all but the first of one form."""

    def __init__(self, scale: float = 1.0):
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.weight = nn.Parameter(torch.randn(4, 4, generator=generator))
        self.register_buffer("shift", torch.randn(4, generator=generator))
        self.scale = torch.tensor([1.0, 2.0, 3.0, 4.0]) * scale

    def forward(self, x):
        return ((x @ self.weight + self.shift) * self.scale + torch.tensor([5.0, 6.0, 7.0, 8.0])).sin()


def baked(model: nn.Module, x: torch.Tensor) -> Program:
    with torch.no_grad():
        return read(make_fx(model)(x))


def lifted(model: nn.Module, x: torch.Tensor) -> Program:
    return read(torch.export.export(model, (x,)).run_decompositions())


def wrong(diff):
    return [row for row in diff.rows if row.severity == "wrong_result" and row.cause == "root"]


X = torch.ones(2, 4)


def test_constants_go_by_their_values():
    a, b = baked(Baked(), X), lifted(Baked(), X)
    diff = compare(a, b)
    pairs = {row.node_a: row.node_b for row in diff.node_rows}
    assert {name: pairs[name] for name in pairs if "constant" in name} == {
        "_param_constant0": "p_weight", "_tensor_constant0": "b_shift", "_tensor_constant1": "c_scale",
        "_tensor_constant2": "c_lifted_tensor_0",
    }  # fmt: skip
    assert not wrong(diff), "export wraps the one result in a tuple, and unwraps it for its callers"
    assert {row.field for row in diff.rows if row.severity == "breaks_pass"} == {
        "op", "target", "order", "val.requires_grad",
    }  # fmt: skip
    back = compare(b, a)
    assert {(row.node_a, row.node_b) for row in diff.node_rows} == {(row.node_b, row.node_a) for row in back.node_rows}
    assert not wrong(back)


def test_another_value_is_another_constant():
    diff = compare(baked(Baked(), X), lifted(Baked(2.0), X))
    pairs = {row.node_a: row.node_b for row in diff.node_rows}
    assert pairs["_tensor_constant0"] == "b_shift"
    assert {row.node_b for row in wrong(diff)} & {"mul", "c_scale"}


class Twins(nn.Module):
    """Two constants of one value in places that are not each other's."""

    def __init__(self):
        super().__init__()
        self.one, self.two = torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([1.0, 2.0, 3.0, 4.0])

    def forward(self, x):
        return (x * self.one).sin() - self.two


def test_one_value_twice_is_no_evidence():
    diff = compare(baked(Twins(), X), lifted(Twins(), X))
    constants = {row.node_a: row for row in diff.node_rows if "constant" in row.node_a}
    assert len(constants) == 2
    assert "signature" not in {row.match for row in constants.values()}
