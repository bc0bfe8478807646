"""Whole layers that were removed, doubled, exchanged or called once less: found as such, with nothing shifted behind them."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Sequence

import pytest
import torch
import transformers
from diff.law import compared, lone, roots, wrong
from diff.models import Wrapped, ids
from torch import nn

import graphlens as gl

pytestmark = pytest.mark.filterwarnings("ignore")

COSMETIC = {"name", "torch_fn", "order"}


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(4), nn.Linear(4, 6), nn.Linear(6, 4)
        for parameter in self.norm.parameters():
            nn.init.normal_(parameter)

    def forward(self, x):
        return x + self.down(self.up(self.norm(x)).relu())


class Model(nn.Module):
    """Layers by their names, called in a given order."""

    def __init__(self, layers: nn.Module, order: Sequence[str]) -> None:
        super().__init__()
        self.layers, self.order = layers, order
        torch.manual_seed(99)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        for name in self.order:
            x = self.layers.get_submodule(name)(x)
        return self.head(x)


def blocks(count: int, *, equal: bool) -> list[Block]:
    torch.manual_seed(0)
    found = [Block() for _ in range(count)]
    for block in found[1:] if equal else ():
        block.load_state_dict(found[0].state_dict())
    return found


def program(layers: nn.Module, order: Sequence[str] | None = None) -> gl.Program:
    names = order or list(layers._modules)
    return gl.read(torch.export.export(Model(layers, names).eval(), (torch.ones(2, 4),)))


def in_layer(source: gl.Program, layer: str) -> tuple[set[str], set[str]]:
    """Name what lies in a layer: the calls, and the placeholders of its weights."""
    calls = {n.name for n in source.graph.nodes if f"{n.module}.".startswith(f"{layer}.")}
    weights = {s.argument for s in source.inputs if (s.target or "").startswith(f"{layer}.")}
    return calls, weights


def rewired(diff) -> list[tuple[str, str]]:
    return [(row.node_a, row.where) for row in diff.rows if row.field == "args"]


@pytest.mark.parametrize("equal", [False, True], ids=["distinct", "equal"])
def test_layer_12_of_24_is_gone(equal):
    """One region has no counterpart and one value is read from elsewhere, by the norm and by the sum after it."""
    layers = blocks(24, equal=equal)
    kept = nn.ModuleDict({f"at{i}": block for i, block in enumerate(layers) if i != 12})
    a, b = program(nn.ModuleDict({f"at{i}": block for i, block in enumerate(layers)})), program(kept)
    diff = compared(a, b)
    calls, weights = in_layer(a, "layers.at12")
    assert lone(diff) == (calls | weights, set())
    assert {key: n for key, n in roots(diff).items() if key[0] not in COSMETIC} == {
        ("target", "only_a", "wrong_result"): len(calls),
        ("weights", "lost", "wrong_result"): 6,
        ("signature.inputs", "lost", "breaks_pass"): 6,
        ("module_call_graph", "lost", "breaks_pass"): 4,
    }
    assert {row.field for row in diff.rows if row.family == "weights"} == {
        f"weights[layers.at12.{name}]" for name, _ in layers[0].named_parameters()
    }
    assert rewired(diff) == [("layer_norm_13", "args[0]"), ("add_13", "args[0]")]
    assert {row.inherited_from for row in diff.rows if row.field == "args"} == {"add_12"}
    assert {row.severity for row in diff.rows if row.family in COSMETIC} == {"cosmetic"}
    assert diff.quality.nodes_split == 0


def test_layer_12_of_24_is_gone_and_those_behind_it_are_renumbered():
    """In a `ModuleList` layer 13 is the new layer 12: its weights say who it is, and it is renamed, not changed."""
    layers = blocks(24, equal=False)
    a, b = program(nn.ModuleList(layers)), program(nn.ModuleList(layers[:12] + layers[13:]))
    diff = compared(a, b)
    calls, weights = in_layer(a, "layers.12")
    assert lone(diff) == (calls | weights, set())
    assert {key: n for key, n in roots(diff).items() if key[0] not in COSMETIC} == {
        ("target", "only_a", "wrong_result"): len(calls),
        ("weights", "lost", "wrong_result"): 6,
        ("signature.inputs", "lost", "breaks_pass"): 6,
        ("module_call_graph", "lost", "breaks_pass"): 4,
        ("module_call_graph", "renamed", "breaks_pass"): 11,
    }
    follow = Counter((row.family, row.kind) for row in diff.rows if row.inherited_from.startswith("module_call_graph["))
    assert follow == {
        ("signature.inputs", "renamed"): 66,
        ("weights", "renamed"): 66,
        ("module_call_graph", "renamed"): 33,
        ("nn_module_stack", "changed"): 55,
    }
    moved = {row.a: row.b for row in diff.rows if row.field.startswith("weights[") and row.kind == "renamed"}
    assert moved == {
        f"layers.{i}.{name}": f"layers.{i - 1}.{name}"
        for i in range(13, 24)
        for name, _ in layers[0].named_parameters()
    }
    assert rewired(diff) == [("layer_norm_13", "args[0]"), ("add_13", "args[0]")]


def test_of_equal_layers_the_last_is_gone():
    """With equal weights nothing can say that it was another one: the account with the fewest changes is the true one."""
    layers = blocks(24, equal=True)
    a, b = program(nn.ModuleList(layers)), program(nn.ModuleList(layers[:12] + layers[13:]))
    diff = compared(a, b)
    calls, weights = in_layer(a, "layers.23")
    assert lone(diff) == (calls | weights, set())
    assert {key: n for key, n in roots(diff).items() if key[0] not in COSMETIC} == {
        ("target", "only_a", "wrong_result"): len(calls),
        ("weights", "lost", "wrong_result"): 6,
        ("signature.inputs", "lost", "breaks_pass"): 6,
        ("module_call_graph", "lost", "breaks_pass"): 4,
    }
    assert rewired(diff) == [("linear_48", "args[0]")]


@pytest.mark.parametrize("equal", [False, True], ids=["distinct", "equal"])
def test_two_layers_are_called_in_the_other_order(equal):
    """Every node is itself, in its own module; each of three layers reads its input from elsewhere, in two places."""
    layers = nn.ModuleList(blocks(6, equal=equal))
    diff = compared(program(layers, list("012345")), program(layers, list("013245")))
    assert lone(diff) == (set(), set())
    assert {key: n for key, n in roots(diff).items() if key[0] not in COSMETIC} == {
        ("args", "changed", "wrong_result"): 6
    }
    assert set(rewired(diff)) == {(f"{op}_{i}", "args[0]") for op in ("layer_norm", "add") for i in (2, 3, 4)}
    moved = {row.module.split(".")[1] for row in diff.rows if row.field == "order"}
    assert moved
    assert moved <= {"2", "3"}
    assert diff.quality.nodes_split == 0


def test_two_layers_changed_places_with_their_weights():
    """By their place in the list they are themselves with each other's weights: the call graph is the same."""
    layers = blocks(6, equal=False)
    order = [0, 1, 3, 2, 4, 5]
    diff = compared(program(nn.ModuleList(layers)), program(nn.ModuleList([layers[i] for i in order])))
    assert roots(diff) == {("weights", "changed", "wrong_result"): 12}
    assert {row.field.split(".")[1] for row in diff.rows} == {"2", "3"}
    assert all(row.node_a == row.node_b for row in diff.node_rows)


def test_a_layer_is_called_twice():
    layers = nn.ModuleList(blocks(6, equal=False))
    diff = compared(program(layers, list("012345")), program(layers, list("0122345")))
    again = {n.name for n in diff.b.graph.nodes if n.module.startswith("layers.2") and n.module.endswith("@1")}
    assert lone(diff) == (set(), again)
    assert len(again) == 5
    assert {key: n for key, n in roots(diff).items() if key[0] not in COSMETIC} == {
        ("target", "only_b", "wrong_result"): 5
    }
    assert rewired(diff) == [("layer_norm_3", "args[0]"), ("add_3", "args[0]")]


@pytest.mark.parametrize("tied", [False, True], ids=["copied", "tied"])
def test_a_layer_is_doubled_under_a_name_of_its_own(tied):
    layers = blocks(6, equal=False)
    double = layers[2] if tied else copy.deepcopy(layers[2])
    a, b = program(nn.ModuleList(layers)), program(nn.ModuleList([*layers[:3], double, *layers[3:]]))
    diff = compared(a, b)
    calls, weights = in_layer(b, "layers.3")
    assert len(lone(diff)[1]) == len(calls) + (6 if weights else 0)
    assert not lone(diff)[0]
    assert {row.node_b for row in diff.rows if row.kind == "only_b" and row.cause == "root"} == calls
    assert roots(diff)["weights", "added", "breaks_pass"] == 6
    assert roots(diff)["module_call_graph", "renamed", "breaks_pass"] == 3
    follow = [row for row in diff.rows if row.family == "weights" and row.kind == "renamed"]
    assert len(follow) == 18
    assert {row.inherited_from for row in follow} == {f"module_call_graph[layers.{i}]" for i in (3, 4, 5)}
    assert not roots(diff, lambda row: row.family == "weights" and row.kind == "changed")
    # of two names for one weight torch.export reads the later one everywhere, so layer 2 reads the weights of layer 3
    read_elsewhere = [(row.node_a, row.b) for row in diff.rows if row.field == "args" and row.b.startswith("p_")]
    assert len(read_elsewhere) == (6 if tied else 0)
    assert all(name in weights for _, name in read_elsewhere)
    rest = [place for place in rewired(diff) if place[0] in ("layer_norm_3", "add_3")]
    assert rest == [("layer_norm_3", "args[0]"), ("add_3", "args[0]")]
    assert len(rewired(diff)) == len(read_elsewhere) + len(rest)
    assert all(row.cause == "inherited" for row in diff.rows if row.field == "args")


def albert(calls: int) -> gl.Program:
    config = transformers.AlbertConfig(
        vocab_size=64, embedding_size=8, hidden_size=16, intermediate_size=24, num_attention_heads=2,
        num_hidden_layers=calls, max_position_embeddings=16,
    )  # fmt: skip
    torch.manual_seed(0)
    model = Wrapped(transformers.AlbertModel(config)).eval()
    return gl.read(torch.export.export(model, (ids(),)))


def test_one_call_fewer_of_the_one_layer_that_all_weights_belong_to():
    """ALBERT: twelve calls of one module, told apart by their number; the last call is gone, whole and alone."""
    a, b = albert(12), albert(11)
    layer = "model.encoder.albert_layer_groups.0.albert_layers.0"
    assert {f"{layer}@{i}" for i in range(1, 12)} <= {node.module for node in a.graph.nodes}
    diff = compared(a, b)
    last = {n.name for n in a.graph.nodes if n.module.startswith(layer) and n.module.endswith("@11")}
    assert len(last) == 29
    assert lone(diff) == (last, set())
    assert {key: n for key, n in roots(diff).items() if key[0] not in COSMETIC} == {
        ("target", "only_a", "wrong_result"): 27,
        ("target", "only_a", "breaks_pass"): 2,  # the reshape, and dropout outside training, which hand their inputs on
    }
    assert {kind for _, _, _, kind, _ in wrong(diff)} == {"only_a"}
    assert diff.quality.nodes_split == 0
