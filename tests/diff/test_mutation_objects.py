"""What functions close over, what calls are given and modules hold: any object, and what is inside it, decides the result."""

from __future__ import annotations

import collections
import sys
import types
from typing import Any

import numpy as np
import pytest
import torch
from diff.test_mutation_callables import Holder, calling, calling_module, named
from torch import fx, nn

import graphlens as gl


class Plain:
    def __init__(self, k: Any) -> None:
        self.k = k


class Shown(Plain):
    """Its repr hides what it holds."""

    def __repr__(self) -> str:
        return "Shown()"

    def __call__(self, x):
        return x * self.k


class Slotted:
    __slots__ = ("k",)

    def __init__(self, k: Any) -> None:
        self.k = k


def read_at(thing: Any) -> Any:
    return lambda x: x * thing.k


def last_of(n: int) -> Any:
    data = [*range(30_000), n]
    return lambda x: x + data[-1]


def in_the_middle(k: float) -> Any:
    data = np.zeros(5000)
    data[2500] = k
    return data


def naming(source: str, **names: Any) -> Any:
    """A function of a module that has these names."""
    module: dict[str, Any] = {"__name__": "theirs", **names}
    exec(source, module)
    return module["f"]


def settings(k: Any) -> types.ModuleType:
    module = types.ModuleType("settings")
    module.K = k  # type: ignore[attr-defined]
    return module


def of_class(k: Any) -> Any:
    return type("Table", (), {"values": [k]})


def use(x, thing):
    return x, thing


def holding(held: Any) -> Holder:
    graph = fx.Graph()
    x = graph.placeholder("x")
    graph.output(graph.call_function(use, (x, graph.get_attr("held"))))
    return Holder(graph, held=held)


def weighing(k: float) -> nn.Module:
    module = nn.Linear(2, 2, bias=False)
    nn.init.constant_(module.weight, k)
    return module


def generator(seed: int) -> torch.Generator:
    made = torch.Generator()
    made.manual_seed(seed)
    return made


def packed(value: float) -> Any:
    weight = torch._make_per_tensor_quantized_tensor(torch.full((4, 4), int(value), dtype=torch.int8), 0.1, 0)
    return torch.ops.quantized.linear_prepack(weight, None)


def traced(k: float) -> Any:
    held = torch.full((2,), k)
    return torch.jit.trace(lambda x: x + held, torch.zeros(2))


class Times(nn.Module):
    def __init__(self, k: float) -> None:
        super().__init__()
        self.k = torch.full((2,), k)

    def forward(self, x):
        return x * self.k


def called_graph(hook: Any = None) -> Holder:
    inner = fx.Graph()
    inner.output(inner.call_function(torch.sin, (inner.placeholder("y"),)))
    module = fx.GraphModule(nn.Module(), inner)
    if hook is not None:
        module.register_forward_hook(hook)
    graph = fx.Graph()
    graph.output(graph.call_module("inner", (graph.placeholder("x"),)))
    return Holder(graph, inner=module)


INNER = "def f(x):\n    return (lambda y: y * K)(x)"
OTHER = {
    "object with a repr": lambda k: calling(read_at(Shown(k))),
    "callable with a repr": lambda k: calling(named(Shown(k))),
    "slots": lambda k: calling(read_at(Slotted(k))),
    "long list": lambda k: calling(last_of(k)),
    "array": lambda k: calling(read_at(in_the_middle(k))),
    "global of an inner function": lambda k: calling(naming(INNER, K=k)),
    "global tensor": lambda k: calling(naming("def f(x): return x * T", T=torch.full((2,), float(k)))),
    "global table": lambda k: calling(naming("def f(x): return x * T['k'][0]", T={"k": [k]})),
    "global object": lambda k: calling(naming("def f(x): return x * T.k", T=Plain(k))),
    "name in another module": lambda k: calling(naming("def f(x): return x * S.K", S=settings(k))),
    "list of a class": lambda k: calling(naming("def f(x): return x * C.values[0]", C=of_class(k))),
    "traced function": lambda k: calling(traced(k)),
    "traced module": lambda k: calling_module(lambda: torch.jit.trace(Times(k), torch.zeros(2))),
    "given object": lambda k: calling(use, Plain(k)),
    "given object with a repr": lambda k: calling(use, Slotted(k)),
    "given array": lambda k: calling(use, in_the_middle(k)),
    "given tensor": lambda k: calling(use, torch.full((2,), float(k))),
    "given in a list": lambda k: calling(use, [1, (Plain(k),)]),
    "given module": lambda k: calling(use, nn.Threshold(k, 0.0)),
    "given generator": lambda k: calling(use, generator(k)),
    "given script object": lambda k: calling(use, packed(k)),
    "held object": lambda k: holding(Plain(k)),
    "held function": lambda k: holding(torch.sin if k == 1 else torch.cos),
    "held module": lambda k: holding(nn.Threshold(k, 0.0)),
    "weight of a held module": lambda k: holding(weighing(k)),
    "held script object": lambda k: holding(packed(k)),
    "hook of a graph": lambda k: called_graph(lambda module, args, out: out * k),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", OTHER)
def test_what_is_inside_an_object_is_part_of_the_program(name):
    make = OTHER[name]
    diff = gl.diff(make(1), make(2))
    assert (diff.worst, diff.proof.level) == ("wrong_result", "different"), str(diff)
    assert gl.diff(make(1), make(1)).ok


def test_a_graph_with_a_hook_and_without():
    assert gl.diff(called_graph(), called_graph(lambda module, args, out: out * 2)).worst == "wrong_result"
    assert gl.diff(called_graph(), called_graph()).proof.assumptions == ()


def test_what_is_too_large_to_be_read_is_unknown_and_not_the_same(monkeypatch):
    monkeypatch.setattr(sys.modules["graphlens.read.live_fingerprint"], "_BUDGET", 100)

    def make(k: int) -> Holder:
        data = [Plain(0) for _ in range(100)] + [Plain(k)]
        return calling(lambda x: x + data[-1].k)

    diff = gl.diff(make(1), make(2))
    assert diff.proof.level == "unknown"
    assert diff.proof.unknown == ("functions, modules and objects that are alike as far as they could be read",)


Pair, Point = collections.namedtuple("Pair", "a b"), collections.namedtuple("Point", "a b")


def test_named_tuples_of_two_classes():
    diff = gl.diff(calling(use, Pair(1, 2)), calling(use, Point(1, 2)))
    assert (diff.worst, diff.proof.level) == ("wrong_result", "different")
    assert gl.diff(calling(use, Pair(1, 2)), calling(use, Pair(1, 2))).ok
