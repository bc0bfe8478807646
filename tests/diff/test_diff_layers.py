"""Layers that were removed, repeated or moved: found as what they are, with no cascade behind them."""

from __future__ import annotations

import pytest
import torch
from diff.exports import Block, export
from torch import nn

from graphlens.diff import compare
from graphlens.read import read

pytestmark = pytest.mark.filterwarnings("ignore")

FIELDS = ("target", "args", "kwargs", "op", "order")


class Ordered(nn.Module):
    """The same layers, called in a given order."""

    def __init__(self, order):
        super().__init__()
        torch.manual_seed(0)
        self.blocks = nn.ModuleList(Block() for _ in range(4))
        self.order = order

    def forward(self, x):
        for i in self.order:
            x = self.blocks[i](x)
        return x.relu()


def made(*order):
    return read(export(Ordered(order), torch.randn(2, 4)))


def compared(a, b):
    diff = compare(a, b)
    found = [row for row in diff.rows if row.field in FIELDS and (row.field, row.kind) != ("order", "moved")]
    return diff, [row for row in found if row.cause == "root"], [row for row in found if row.cause == "inherited"]


@pytest.mark.parametrize("gone", [0, 1, 2, 3])
def test_a_layer_that_is_not_called(gone):
    whole = made(0, 1, 2, 3)
    diff, roots, follow = compared(whole, made(*(i for i in range(4) if i != gone)))
    assert {row.kind for row in roots} == {"only_a"}, str(diff)
    assert {row.module.split(".")[1] for row in roots} == {str(gone)}
    assert len(roots) == 5
    assert {row.field for row in follow} <= {"args"}
    assert len(follow) in (1, 2)
    assert diff.quality.nodes_split == 0
    assert f"blocks.{gone}" in diff.verdict


@pytest.mark.parametrize("twice", [0, 1, 2, 3])
def test_a_layer_that_is_called_twice(twice):
    order = [0, 1, 2, 3]
    order.insert(twice, twice)
    diff, roots, follow = compared(made(0, 1, 2, 3), made(*order))
    assert {row.kind for row in roots} == {"only_b"}, str(diff)
    assert {row.module.split(".")[1] for row in roots} <= {str(twice), f"{twice}@1"}
    assert len(roots) == 5
    assert {row.field for row in follow} <= {"args"}


def test_two_layers_that_changed_places():
    diff, roots, follow = compared(made(0, 1, 2, 3), made(0, 2, 1, 3))
    assert {row.field for row in roots} == {"args"}, str(diff)
    assert {row.aspect for row in roots} == {"rewired"}
    assert {row.module.split(".")[1] for row in roots} <= {"1", "2", "3"}
    assert len(roots) <= 6  # each of three layers reads its input twice
    assert not follow
    assert diff.worst == "wrong_result"


def test_a_layer_of_another_sort():
    class Other(Ordered):
        def forward(self, x):
            for i in self.order:
                x = self.blocks[i](x) if i != 2 else x + self.blocks[i].fc(self.blocks[i].norm(x)).cos() * 3.0
            return x.relu()

    other = read(export(Other((0, 1, 2, 3)), torch.randn(2, 4)))
    diff, roots, _ = compared(made(0, 1, 2, 3), other)
    assert {(row.field, row.a, row.b) for row in roots} == {
        ("target", "aten.sin.default", "aten.cos.default"),
        ("args", "2.0", "3.0"),
    }, str(diff)
    assert len(roots) == 2
