"""Modules that changed their name or their place, with their weights: told as that, and no weight is called another value."""

from __future__ import annotations

import random
from collections import Counter

import pytest
import torch
from diff.edits import scramble
from diff.law import compared, lone, roots
from torch import nn

import graphlens as gl

pytestmark = pytest.mark.filterwarnings("ignore")

OTHER_NAMES = {"name", "order", "torch_fn", "stack_trace"}


class Block(nn.Module):
    def __init__(self, name: str = "fc") -> None:
        super().__init__()
        self.norm, self.name = nn.LayerNorm(4), name
        setattr(self, name, nn.Linear(4, 4))

    def forward(self, x):
        return x + getattr(self, self.name)(self.norm(x)).relu()


class Stack(nn.Module):
    def __init__(self, layers, order) -> None:
        super().__init__()
        self.layers, self.order = nn.ModuleList(layers), order

    def forward(self, x):
        for i in self.order:
            x = self.layers[i](x)
        return x


class Model(nn.Module):
    """A stack of layers under some name, and a head."""

    def __init__(self, layers, order=range(4), name: str = "model") -> None:
        super().__init__()
        setattr(self, name, Stack(layers, order))
        self.name = name
        torch.manual_seed(9)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        return self.head(getattr(self, self.name)(x))


class Flat(nn.Module):
    """The same layers, with nothing around them."""

    def __init__(self, layers) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        torch.manual_seed(9)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


def blocks(name: str = "fc") -> list[Block]:
    torch.manual_seed(0)
    return [Block(name) for _ in range(4)]


def program(model: nn.Module) -> gl.Program:
    return gl.read(torch.export.export(model.eval(), (torch.ones(2, 4),)))


def arranged(*order: int) -> list[Block]:
    layers = blocks()
    return [layers[i] for i in order]


def partners(diff) -> set[tuple[str, str, str]]:
    rows = (row for row in diff.rows if row.family == "weights")
    return {(row.field[len("weights[model.layers.") : -1], row.a, row.b) for row in rows}


def test_two_layers_of_a_list_changed_places():
    """Called by number, each is now where the other was: the result is another, and every value is accounted for."""
    diff = compared(program(Model(blocks())), program(Model(arranged(0, 2, 1, 3))))
    assert roots(diff) == {("weights", "changed", "wrong_result"): 4}
    assert {row.aspect for row in diff.rows} == {"exchanged"}
    assert partners(diff) == {
        (f"{i}.fc.{part}", f"model.layers.{j}.fc.{part}", f"model.layers.{j}.fc.{part}")
        for i, j in ((1, 2), (2, 1))
        for part in ("weight", "bias")
    }
    assert all(row.node_a == row.node_b for row in diff.node_rows)
    assert "exchanged with model.layers.2.fc.weight" in diff.verdict
    assert "weights exchanged: 4 in model.layers.1..2" in str(diff)


def test_three_layers_of_a_list_went_round():
    diff = compared(program(Model(blocks())), program(Model(arranged(0, 2, 3, 1))))
    assert roots(diff) == {("weights", "changed", "wrong_result"): 6}
    went = {(name[0], a.split(".")[2], b.split(".")[2]) for name, a, b in partners(diff)}
    assert went == {("1", "3", "2"), ("2", "1", "3"), ("3", "2", "1")}


def test_one_layer_has_the_weights_of_another_and_its_own_are_gone():
    """No exchange: one value is there twice and one nowhere."""
    layers = blocks()
    copied = blocks()
    copied[1].load_state_dict(layers[2].state_dict())
    diff = compared(program(Model(layers)), program(Model(copied)))
    assert roots(diff) == {("weights", "changed", "wrong_result"): 2}
    assert {row.aspect for row in diff.rows} == {"value"}


def test_equal_layers_changed_places():
    layers = blocks()
    layers[2].load_state_dict(layers[1].state_dict())
    a, b = program(Model(layers)), program(Model([layers[i] for i in (0, 2, 1, 3)]))
    assert compared(a, b).ok


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_two_layers_changed_places_and_are_called_where_they_were(seed):
    """The same computation: two modules exchanged their names, and nothing else, in whatever order the nodes stand."""
    b = program(Model(arranged(0, 2, 1, 3), order=(0, 2, 1, 3)))
    diff = compared(program(Model(blocks())), b if seed is None else scramble(b, random.Random(seed)))
    assert lone(diff) == (set(), set())
    assert roots(diff, lambda row: row.field not in OTHER_NAMES) == {("module_call_graph", "renamed", "breaks_pass"): 2}
    assert {(row.a, row.b) for row in diff.rows if row.cause == "root" and row.family == "module_call_graph"} == {
        ("model.layers.1", "model.layers.2"),
        ("model.layers.2", "model.layers.1"),
    }
    assert Counter(row.kind for row in diff.rows if row.family == "weights") == {"renamed": 8}
    assert diff.worst == "breaks_pass"


def test_two_layers_keep_their_names_and_are_called_in_the_other_order():
    """Their weights say that they are themselves: what each of three layers reads is another, and no weight is."""
    diff = compared(program(Model(blocks())), program(Model(blocks(), order=(0, 2, 1, 3))))
    assert roots(diff, lambda row: row.field not in OTHER_NAMES) == {("args", "changed", "wrong_result"): 6}


@pytest.mark.parametrize(
    ("other", "renamed"),
    [
        (lambda: Model(blocks(), name="net"), {("model", "net")}),
        (lambda: Model(blocks("proj")), {(f"model.layers.{i}.fc", f"model.layers.{i}.proj") for i in range(4)}),
    ],
    ids=["outer", "inner"],
)
def test_a_module_has_another_name(other, renamed):
    """It is one root; the modules in it, its weights and its nodes follow from it."""
    diff = compared(program(Model(blocks())), program(other()))
    assert roots(diff, lambda row: row.field not in OTHER_NAMES) == {
        ("module_call_graph", "renamed", "breaks_pass"): len(renamed)
    }
    assert {(row.a, row.b) for row in diff.rows if row.cause == "root" and row.kind == "renamed"
            and row.family == "module_call_graph"} == renamed  # fmt: skip
    weights = [row for row in diff.rows if row.family == "weights"]
    assert {row.kind for row in weights} == {"renamed"}
    assert len(weights) == (16 if ("model", "net") in renamed else 8)
    assert {row.cause for row in weights} == {"inherited"}
    told = [line for line in str(diff).splitlines() if line.lstrip().startswith("breaks_pass")]
    assert len(told) == 1


def test_layers_moved_out_of_a_module():
    """`model.layers` is now `layers`: one root for the list, one for the module that is gone, one for the root's class."""
    diff = compared(program(Model(blocks())), program(Flat(blocks())))
    assert roots(diff, lambda row: row.field not in OTHER_NAMES) == {
        ("module_call_graph", "renamed", "breaks_pass"): 1,
        ("module_call_graph", "lost", "breaks_pass"): 1,
        ("nn_module_stack", "changed", "breaks_pass"): 1,
    }
    (renamed,) = (
        row for row in diff.rows if row.cause == "root" and (row.family, row.kind) == ("module_call_graph", "renamed")
    )
    assert (renamed.a, renamed.b) == ("model.layers", "layers")
    follow = Counter((row.family, row.inherited_from) for row in diff.rows if row.cause == "inherited")
    assert follow["weights", "module_call_graph[model.layers]"] == 16
    assert follow["signature.inputs", "module_call_graph[model.layers]"] == 16
    assert {row.kind for row in diff.rows if row.family == "weights"} == {"renamed"}
    assert lone(diff) == (set(), set())
