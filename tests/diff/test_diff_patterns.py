"""One edit is one pattern, however many rows it takes to say it and however many layers it was made in."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from diff.exports import export
from diff.surgery import other_activation, program
from torch import nn

from graphlens.diff import compare
from graphlens.read import read

pytestmark = pytest.mark.filterwarnings("ignore")


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.down = nn.Linear(4, 8), nn.Linear(8, 4)

    def forward(self, x):
        return x + self.down(self.up(x).relu())


def stack(count=5):
    torch.manual_seed(0)
    return nn.Sequential(*(Layer() for _ in range(count)))


def compared(model, other):
    x = torch.randn(2, 4)
    return compare(read(export(model, x)), read(export(other, x)))


def test_another_activation_is_one_edit_with_all_its_metadata():
    diff = compare(program("llama"), program("llama", other_activation))
    (pattern,) = diff.pattern_rows
    assert (pattern.count, pattern.changed, pattern.only_a, pattern.only_b) == (3, 5, 0, 0)
    assert pattern.regions == tuple(f"model.model.layers.{i}" for i in range(3))
    assert "aten.silu.default became aten.tanh.default" in pattern.pattern
    assert "(1 edit, in 3 regions)" in diff.verdict


@pytest.mark.parametrize("gone", [[2], [1, 2], [0, 3]])
def test_removed_layers_are_one_edit_with_their_weights(gone):
    whole = stack()
    diff = compared(whole, nn.Sequential(*(layer for i, layer in enumerate(deepcopy(whole)) if i not in gone)))
    first = diff.pattern_rows[0]
    assert first.regions == tuple(map(str, gone))
    assert (first.only_a, first.only_b, first.severity) == (4, 0, "wrong_result")
    assert first.pattern.startswith("only in a: 4 nodes (aten.linear.default ×2, ")
    assert first.pattern.endswith("4 weights")
    assert not [p for p in diff.pattern_rows[1:] if p.severity == "wrong_result"]


def test_an_added_layer_is_one_edit():
    whole = stack(3)
    other = deepcopy(whole)
    torch.manual_seed(1)
    other.insert(1, Layer())
    first = compared(whole, other).pattern_rows[0]
    assert (first.regions, first.only_b) == (("1",), 4)
    assert first.pattern.startswith("only in b: 4 nodes")


def test_unrelated_edits_of_one_layer_stay_apart():
    whole = stack(2)
    other = deepcopy(whole)
    with torch.no_grad():
        other[1].up.weight[0, 0] += 1
    other[1].forward = lambda x: x + other[1].down(other[1].up(x).relu()) * 1.0
    patterns = compared(whole, other).pattern_rows
    worst = [p for p in patterns if p.severity == "wrong_result"]
    assert len(worst) == 2
    assert sorted(p.only_b for p in worst) == [0, 1]


def test_different_edits_in_equal_layers_are_different_patterns():
    whole = stack(3)
    other = deepcopy(whole)
    for i, layer in enumerate(other):
        layer.forward = lambda x, layer=layer, i=i: x + layer.down(layer.up(x).clamp(min=float(i)))
    diff = compared(whole, other)
    edits = [p for p in diff.pattern_rows if p.severity == "wrong_result"]
    assert sorted(p.count for p in edits) == [1, 1, 1, 3]  # the function in all three, its bound in each
