"""What the name of a callee does not say: code, closures, defaults, settings of leaf modules, literals Python calls equal."""

from __future__ import annotations

import functools
import operator
from typing import Any

import pytest
import torch
from diff import edits
from torch import fx, nn

import graphlens as gl


class Holder(nn.Module):
    """A module that has a graph: what FX itself cannot generate code for can be held by it."""

    def __init__(self, graph: fx.Graph, **attributes: Any) -> None:
        super().__init__()
        self.graph = graph
        for name, held in attributes.items():
            setattr(self, name, held)


class LeafTracer(fx.Tracer):
    def is_leaf_module(self, m, module_qualified_name):
        return True


class Around(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)


def calling_module(make: Any) -> fx.GraphModule:
    torch.manual_seed(0)
    module = Around(make())
    return fx.GraphModule(module, LeafTracer().trace(module))


def calling(function: Any, *args: Any, **kwargs: Any) -> Holder:
    graph = fx.Graph()
    x = graph.placeholder("x")
    graph.output(graph.create_node("call_function", function, (x, *args), kwargs, name="call"))
    return Holder(graph)


def method(name: str, *args: Any, **kwargs: Any) -> Holder:
    graph = fx.Graph()
    graph.output(graph.call_method(name, (graph.placeholder("x"), *args), kwargs))
    return Holder(graph)


def holding(value: Any) -> Holder:
    graph = fx.Graph()
    x = graph.placeholder("x")
    graph.output(graph.call_function(torch.mul, (x, graph.get_attr("held"))))
    return Holder(graph, held=value)


def returning(make: Any) -> Holder:
    graph = fx.Graph()
    graph.output(make(graph.placeholder("x")))
    return Holder(graph)


def taking(*args: Any, target: str = "y") -> Holder:
    graph = fx.Graph()
    graph.output((graph.placeholder("x"), graph.create_node("placeholder", target, args, name="y")))
    return Holder(graph)


def closure(k: Any) -> Any:
    return lambda x: x + k


def with_default(k: Any) -> Any:
    def f(x, k=k):
        return x + k

    return f


def named(function: Any) -> Any:
    function.__name__ = "call"
    return function


class Scaled:
    def __init__(self, k: Any) -> None:
        self.k = k

    def __call__(self, x):
        return x * self.k

    def scale(self, x):
        return x * self.k


def autograd_function(k: float) -> Any:
    class Times(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * k

        @staticmethod
        def backward(ctx, grad):
            return grad * k

    return Times.apply


class Own(nn.Module):
    def __init__(self, k: Any = 1, loose: float = 1.0, p: float = 0.1) -> None:
        super().__init__()
        self.k, self.loose, self.drop = k, torch.ones(3) * loose, nn.Dropout(p)

    def forward(self, x):
        return self.drop(x * self.k + self.loose)


def hooked() -> nn.Module:
    module = Own()
    module.register_forward_hook(lambda module, args, out: out * 2)
    return module


def twice(first: Any, second: Any) -> Holder:
    graph = fx.Graph()
    x = graph.placeholder("x")
    pair = [graph.create_node("call_function", f, (x,), name=n) for f, n in ((first, "a"), (second, "b"))]
    graph.output(graph.call_function(torch.sub, tuple(pair)))
    return Holder(graph)


ONE, TWO = (lambda x: x + 1), (lambda x: x + 2)
OTHER_CODE = {
    "lambda": (calling(lambda x: x + 1), calling(lambda x: x + 2)),
    "closure": (calling(closure(1)), calling(closure(2))),
    "closure of another type": (calling(closure(1)), calling(closure(True))),
    "closure over a tensor": (calling(closure(torch.ones(2))), calling(closure(torch.zeros(2)))),
    "default": (calling(with_default(1)), calling(with_default(2))),
    "partial": (
        calling(named(functools.partial(torch.add, other=1))),
        calling(named(functools.partial(torch.add, other=2))),
    ),
    "partial of another function": (
        calling(named(functools.partial(torch.relu))),
        calling(named(functools.partial(torch.tanh))),
    ),
    "callable object": (calling(Scaled(1)), calling(Scaled(2))),
    "bound method": (calling(Scaled(1).scale), calling(Scaled(2).scale)),
    "autograd function": (calling(autograd_function(1.0)), calling(autograd_function(2.0))),
    "function among arguments": (
        calling(torch.utils.checkpoint.checkpoint, lambda x: x + 1),
        calling(torch.utils.checkpoint.checkpoint, lambda x: x + 2),
    ),
    "two lambdas": (twice(ONE, TWO), twice(TWO, ONE)),
    "dropout": (calling_module(lambda: nn.Dropout(0.1)), calling_module(lambda: nn.Dropout(0.5))),
    "stride": (calling_module(lambda: nn.Conv2d(3, 4, 3)), calling_module(lambda: nn.Conv2d(3, 4, 3, stride=2))),
    "padding mode": (
        calling_module(lambda: nn.Conv2d(3, 4, 3, padding=1)),
        calling_module(lambda: nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular")),
    ),
    "eps": (calling_module(lambda: nn.LayerNorm(4)), calling_module(lambda: nn.LayerNorm(4, eps=1e-3))),
    "another class": (calling_module(nn.ReLU), calling_module(nn.GELU)),
    "training": (calling_module(nn.Dropout), calling_module(lambda: nn.Dropout().eval())),
    "statistics": (calling_module(lambda: nn.BatchNorm1d(3)), calling_module(lambda: nn.BatchNorm1d(3).eval())),
    "own setting": (calling_module(Own), calling_module(lambda: Own(k=2))),
    "own setting of another type": (calling_module(Own), calling_module(lambda: Own(k=True))),
    "setting of an inner module": (calling_module(Own), calling_module(lambda: Own(p=0.2))),
    "hook": (calling_module(Own), calling_module(hooked)),
    "rest of the arguments": (taking(target="y"), taking(target="*y")),
}


@pytest.mark.parametrize("name", OTHER_CODE)
def test_other_code_under_one_name_is_never_the_same(name):
    a, b = OTHER_CODE[name]
    for left, right in ((a, b), (b, a)):
        diff = gl.diff(left, right)
        assert diff.worst == "wrong_result", str(diff)
        assert diff.proof.level == "different"
    assert gl.diff(a, a).ok


@pytest.mark.parametrize("name", [name for name in OTHER_CODE if name != "two lambdas"])
def test_the_row_tells_both_sides_apart(name):
    (row,) = (row for row in gl.diff(*OTHER_CODE[name]).rows if row.severity == "wrong_result")
    assert row.field in ("target", "args")
    assert row.a != row.b


SAME_CODE = {
    "lambda": lambda: calling(lambda x: x + 1),
    "closure": lambda: calling(closure((1, "a", {2: [3.0]}))),
    "partial": lambda: calling(named(functools.partial(torch.add, other=1))),
    "callable object": lambda: calling(Scaled(1)),
    "autograd function": lambda: calling(autograd_function(1.0)),
    "own module": lambda: calling_module(Own),
    "module of torch": lambda: calling_module(lambda: nn.TransformerEncoderLayer(4, 2, 8)),
    "hook": lambda: calling_module(hooked),
}


@pytest.mark.parametrize("name", SAME_CODE)
def test_equal_code_made_twice_is_the_same_and_what_that_rests_on_is_said(name):
    diff = gl.diff(SAME_CODE[name](), SAME_CODE[name]())
    assert diff.ok, str(diff)
    assert any("of the same code and settings" in text for text in diff.proof.assumptions)


def test_a_flag_that_a_module_does_not_heed_is_no_difference():
    assert gl.diff(calling_module(lambda: nn.Linear(3, 3)), calling_module(lambda: nn.Linear(3, 3).eval())).ok


def test_a_call_of_unknown_code_is_taken_for_granted_only_by_name():
    program = gl.read(calling_module(nn.ReLU))

    bare = edits.edit_node(program, ("", "inner"), code="")
    diff = gl.diff(bare, bare)
    assert diff.ok
    assert diff.proof.assumptions == ("functions and modules of the same name are the same",)


STATE = {
    "weight": lambda module: module.inner.weight.data.view(-1)[0].add_(1),
    "bias": lambda module: module.inner.bias.data[2].neg_(),
    "dtype": lambda module: module.inner.double(),
}


@pytest.mark.parametrize("name", STATE)
def test_state_of_a_leaf_module(name):
    a, b = (calling_module(lambda: nn.Linear(3, 3)) for _ in "ab")
    STATE[name](b)
    diff = gl.diff(a, b)
    assert {row.field for row in diff.rows} <= {"weights[inner.weight]", "weights[inner.bias]"}
    assert diff.worst == "wrong_result"
    assert diff.proof.level == "different"


def test_a_tensor_that_a_leaf_module_just_holds():
    diff = gl.diff(calling_module(Own), calling_module(lambda: Own(loose=2.0)))
    assert [(row.field, row.severity) for row in diff.rows] == [("constants[inner.loose]", "wrong_result")]
    assert diff.proof.level == "different"


LITERALS = [
    (1, True), (1, 1.0), (0.0, -0.0), (float("nan"), 1.0), (float("inf"), -float("inf")), (1j, 2j), (0j, complex(0, -0.0)),
    (10**30, 10**30 + 1), ("a", "b"), ("1", 1), (None, 0), (slice(0, 1), slice(0, 2)), (..., None), (torch.float16, torch.float32),
    (torch.contiguous_format, torch.channels_last), (torch.device("cpu"), "cpu"), (torch.strided, torch.sparse_coo),
    ({1: 2}, {"1": 2}), ({1: 2}, {True: 2}), (range(3), range(4)), ({1, 2}, {1, 3}), ((), None), ((1, (2,)), (1, (3,))),
    (b"a", "a"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), LITERALS, ids=repr)
@pytest.mark.parametrize("make", [lambda v: calling(torch.add, v), lambda v: calling(torch.add, other=v), taking])
def test_literals(make, old, new):
    diff = gl.diff(make(old), make(new))
    assert [(row.field in ("args", "kwargs"), row.kind) for row in diff.rows] == [(True, "changed")], str(diff)
    assert diff.worst == "wrong_result"
    assert diff.proof.level == "different"
    assert gl.diff(make(old), make(old)).ok


@pytest.mark.parametrize(("old", "new"), [*LITERALS[:9], (torch.float16, torch.float32), ((1, 2), [1, 2])], ids=repr)
def test_attributes_that_are_no_tensors(old, new):
    diff = gl.diff(holding(old), holding(new))
    assert diff.worst == "wrong_result", str(diff)
    assert diff.proof.level == "different"
    assert gl.diff(holding(old), holding(old)).ok


CONTAINERS = {
    "index": (calling(operator.getitem, (0, 1)), calling(operator.getitem, [0, 1]), "wrong_result", "different"),
    "user function": (calling(ONE, (0, 1)), calling(ONE, [0, 1]), "wrong_result", "different"),
    "method": (method("view", (2, 3)), method("view", [2, 3]), "breaks_pass", "identical up to"),
    "other method": (method("spam", (2, 3)), method("spam", [2, 3]), "wrong_result", "different"),
    "operator": (
        calling(torch.ops.aten.view.default, (2, 3)), calling(torch.ops.aten.view.default, [2, 3]), "breaks_pass",
        "identical up to",
    ),
    "result": (returning(lambda x: (x, 1)), returning(lambda x: [x, 1]), "breaks_pass", "identical up to"),
    "one result": (returning(lambda x: x), returning(lambda x: (x,)), "wrong_result", "different"),
    "order of a dict": (
        returning(lambda x: {"a": x, "b": 1}), returning(lambda x: {"b": 1, "a": x}), "breaks_pass", "different",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTAINERS)
def test_containers(name):
    a, b, worst, level = CONTAINERS[name]
    for left, right in ((a, b), (b, a)):
        diff = gl.diff(left, right)
        assert (diff.worst, diff.proof.level) == (worst, level), str(diff)
        assert {row.field for row in diff.rows} == {"args"}


def test_keywords_in_another_order_are_the_same():
    diff = gl.diff(method("to", dtype=torch.half, copy=True), method("to", copy=True, dtype=torch.half))
    assert diff.ok
    assert dict(diff.proof.rules) == {"order of keyword arguments": 1}


def test_a_triton_kernel_is_a_number_that_says_nothing():
    """The kernel is in a table of the process, so that equal numbers are no proof of equal kernels."""
    program = gl.read(calling(torch.neg, kernel_idx=0))
    program = edits.edit_node(program, ("", "call"), target="higher_order.triton_kernel_wrapper_functional")
    assert gl.diff(program, program).proof.assumptions == ("functions and modules of the same name are the same",)
