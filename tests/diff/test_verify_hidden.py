"""What is written and read without an operand saying so: state of modules, storages that are tied by a call, lists, collectives."""

from __future__ import annotations

import operator
from typing import Any

import pytest
import torch
from diff.certificates import F32, call, given, proof
from diff.certificates import program as made
from msgspec.structs import replace
from torch import fx, nn

import graphlens as gl
from graphlens.program.argument import Const
from graphlens.program.frozen import freeze
from graphlens.program.graph import Graph, Node
from graphlens.program.program import Program
from graphlens.program.value import ContainerValue

aten = torch.ops.aten
X = torch.arange(4.0)


class Lists(fx.Interpreter):
    """Gives lists where operators give them, as a compiled graph would get them."""

    def call_function(self, target, args, kwargs):
        result = super().call_function(target, args, kwargs)
        return list(result) if target is aten.split.Tensor else result


def after_norm(root: nn.Module, graph: fx.Graph, x: fx.Node) -> tuple[Any, Any]:
    root.norm = nn.BatchNorm1d(4)
    rows = graph.call_function(aten.expand.default, (x, [2, 4]))
    return lambda: graph.call_module("norm", (rows,)), lambda: read(graph, graph.get_attr("norm.running_mean"))


def state_of_a_given_module(root: nn.Module, graph: fx.Graph, x: fx.Node) -> tuple[Any, Any]:
    root.norm = nn.BatchNorm1d(4)
    rows = graph.call_function(aten.expand.default, (x, [2, 4]))
    run = graph.get_attr("norm")
    return (
        lambda: graph.call_function(applied, (run, rows)),
        lambda: read(graph, graph.get_attr("norm.running_mean")),
    )


def applied(module, x):
    return module(x)


def read(graph: fx.Graph, node: fx.Node) -> fx.Node:
    return graph.call_function(aten.sin.default, (node,))


def nested_reader(root: nn.Module, graph: fx.Graph, x: fx.Node) -> tuple[Any, Any]:
    root.register_buffer("w", torch.ones(4))
    inner = fx.Graph()
    inner.output(inner.call_function(aten.mul.Tensor, (inner.placeholder("y"), inner.get_attr("w"))))
    holder = nn.Module()
    holder.register_buffer("w", root.w)
    root.body = fx.GraphModule(holder, inner)
    return lambda: graph.call_function(aten.add_.Tensor, (graph.get_attr("w"), 1)), lambda: graph.call_module(
        "body", (x,)
    )


def set_to(root: nn.Module, graph: fx.Graph, x: fx.Node) -> tuple[Any, Any]:
    one, two = (graph.call_function(aten.clone.default, (x,)) for _ in range(2))
    graph.call_function(aten.set_.source_Tensor, (one, two))
    return lambda: graph.call_function(aten.add_.Tensor, (two, 1)), lambda: read(graph, one)


def sparse(root: nn.Module, graph: fx.Graph, x: fx.Node) -> tuple[Any, Any]:
    values = graph.call_function(aten.clone.default, (x,))
    root.register_buffer("places", torch.arange(4).reshape(1, 4))
    made = graph.call_function(aten.sparse_coo_tensor.indices_size, (graph.get_attr("places"), values, [4]))
    return (
        lambda: graph.call_function(aten.add_.Tensor, (values, 1)),
        lambda: graph.call_function(aten.to_dense.default, (made,)),
    )


def item_of_a_list(root: nn.Module, graph: fx.Graph, x: fx.Node) -> tuple[Any, Any]:
    parts = graph.call_function(aten.split.Tensor, (x, 2))
    parts.meta["val"] = [torch.empty(2, device="meta")] * 2
    other = graph.call_function(aten.neg.default, (graph.call_function(aten.slice.Tensor, (x, 0, 2, 4)),))
    return (
        lambda: graph.call_function(operator.setitem, (parts, 0, other)),
        lambda: graph.call_function(operator.getitem, (parts, 0)),
    )


def write_through_a_list(root: nn.Module, graph: fx.Graph, x: fx.Node) -> tuple[Any, Any]:
    parts = graph.call_function(aten.split.Tensor, (x, 2))
    parts.meta["val"] = [torch.empty(2, device="meta")] * 2
    other = graph.call_function(aten.clone.default, (graph.call_function(aten.slice.Tensor, (x, 0, 2, 4)),))
    graph.call_function(operator.setitem, (parts, 0, other))
    item = graph.call_function(operator.getitem, (parts, 0))
    return lambda: graph.call_function(aten.add_.Tensor, (item, 1)), lambda: read(graph, other)


HIDDEN = (
    after_norm, state_of_a_given_module, nested_reader, set_to, sparse, item_of_a_list, write_through_a_list,
)  # fmt: skip


def live(build: Any, *, first: bool) -> fx.GraphModule:
    root, graph = nn.Module(), fx.Graph()
    change, look = build(root, graph, graph.placeholder("x"))
    if first:
        change()
        seen = look()
    else:
        seen = look()
        change()
    graph.output((seen,))
    return fx.GraphModule(root, graph)


@pytest.mark.parametrize("build", HIDDEN, ids=lambda build: build.__name__)
def test_a_read_before_and_after_a_change_that_no_operand_shows(build):
    a, b = live(build, first=True), live(build, first=False)
    diff = gl.diff(a, b)
    assert gl.diff(a, live(build, first=True)).proof.level == "identical"
    assert not torch.equal(Lists(a).run(X.clone())[0], Lists(b).run(X.clone())[0])
    assert (diff.proof.level, diff.worst) == ("different", "wrong_result"), str(diff)


def exchanged(program: Program, x: str, y: str) -> Program:
    nodes = list(program.graph.nodes)
    i, j = program.graph.index[x], program.graph.index[y]
    nodes[i], nodes[j] = nodes[j], nodes[i]
    return replace(program, graphs=freeze({"": Graph(tuple(nodes))}))


WAIT = "_c10d_functional.wait_tensor.default"


@pytest.mark.parametrize("target", [WAIT, "c10d.broadcast_.default", "inductor.accumulate_grad_.default"])
def test_a_read_moved_across_what_writes_unsaid(target):
    program = made(
        given("x"),
        call("y", "aten.clone.default", "%x"),
        call("w", target, "%y"),
        call("r", "aten.sin.default", "%y"),
        outputs=("r",),
    )
    assert not proof(program, exchanged(program, "w", "r")).same


def test_a_read_of_what_a_collective_was_given_may_move():
    program = made(
        given("x"), call("s", "_c10d_functional.all_reduce.default", "%x", "sum", "0"), call("w", WAIT, "%s"),
        call("r", "aten.sin.default", "%x"), outputs=("r", "w"),
    )  # fmt: skip
    assert proof(program, exchanged(program, "w", "r")).same


def functional(target: str) -> Program:
    def node(name: str, operand: str) -> Node:
        made = call(name, "higher_order.auto_functionalized_v2", operand, value=ContainerValue("tuple", (F32, F32)))
        return replace(made, args=(Const("function", target),), kwargs=freeze({"x": made.args[0]}))

    return made(given("x"), given("y"), node("f", "%x"), node("g", "%y"), outputs=("f", "g"))


def test_an_operator_that_is_called_on_copies_may_still_draw():
    for target, same in (("mylib.noise_.default", False), ("aten.normal_.default", False), ("aten.sin_.default", True)):
        program = functional(target)
        assert proof(program, exchanged(program, "f", "g")).same is same, target


def test_duplicates_in_two_states_of_the_program():
    def program(second: str) -> Program:
        return made(
            given("x"), call("m", "aten.mm.default", "%x", "%x", value=None),
            call("e", "torch.amp.autocast_mode._enter_autocast", "cpu", None, True, None, value=None),
            call("n", "aten.mm.default", "%x", "%x", value=None), call("o", "aten.cat.default", ["%m", second], value=None),
            outputs=("o",),
        )  # fmt: skip

    one, two = program("%m"), program("%n")
    without = made(*[n for n in one.graph.nodes if n.name not in ("n", "output")], outputs=("o",))
    assert proof(without, one).same
    assert not proof(without, two).same


def test_duplicates_of_what_is_written_through_a_name_that_one_side_lacks():
    def program(*nodes: Node, last: str) -> Program:
        w = Node(name="w", op="get_attr", target="w", value=F32)
        return made(
            w, *nodes, call("r", "aten.sin.default", "%w"), call("i", "aten.add_.Tensor", "%" + (nodes[0].name if nodes else "w"), 1.0),
            *([call("t", "aten.sin.default", "%w")] if last == "t" else []), outputs=("r", last),
        )  # fmt: skip

    a = program(last="r")
    b = program(Node(name="v", op="get_attr", target="w", value=F32), last="t")
    for left, right in ((a, b), (b, a)):
        assert not proof(left, right).same


def collected(**given: Any) -> list[Any]:
    return next(iter(given.values()))


def of_keywords(target: Any, *names: str) -> fx.GraphModule:
    graph = fx.Graph()
    found = {name: graph.placeholder(name) for name in ("p", "q")}
    graph.output((graph.call_function(target, (), {name: found[name] for name in names}),))
    return fx.GraphModule(nn.Module(), graph)


@pytest.mark.parametrize("target", [collected, dict])
def test_a_function_may_heed_the_order_of_its_keywords(target):
    assert gl.diff(of_keywords(target, "p", "q"), of_keywords(target, "q", "p")).worst == "wrong_result"


def told(x, assert_msg):
    return x if assert_msg == "a" else -x


def test_a_text_that_only_has_the_name_of_a_message():
    def make(text: str) -> fx.GraphModule:
        graph = fx.Graph()
        graph.output((graph.call_function(told, (graph.placeholder("x"),), {"assert_msg": text}),))
        return fx.GraphModule(nn.Module(), graph)

    assert gl.diff(make("a"), make("b")).worst == "wrong_result"


def laid_out(tensor: torch.Tensor) -> fx.GraphModule:
    graph = fx.Graph()
    root = nn.Module()
    root.register_buffer("w", tensor)
    graph.output((graph.call_function(aten.as_strided.default, (graph.get_attr("w"), [4], [1])),))
    return fx.GraphModule(root, graph)


def test_equal_elements_that_lie_otherwise():
    square = X.reshape(2, 2)
    a, b = laid_out(square), laid_out(square.t().contiguous().t())
    assert not torch.equal(a()[0], b()[0])
    assert gl.diff(a, b).proof.level == "different"
    conj = torch.ones(2, 2, dtype=torch.complex64)
    assert gl.diff(laid_out(conj), laid_out(conj.conj().clone().conj())).proof.level == "different"


def overlapping(start: int) -> fx.GraphModule:
    base = torch.ones(6)
    graph, root = fx.Graph(), nn.Module()
    root.register_buffer("w", base[0:4])
    root.register_buffer("v", base[start : start + 4])
    graph.call_function(aten.add_.Tensor, (graph.get_attr("w"), 1))
    graph.output((graph.call_function(aten.sin.default, (graph.get_attr("v"),)),))
    return fx.GraphModule(root, graph)


def test_equal_elements_in_other_parts_of_a_shared_storage():
    a, b = overlapping(2), overlapping(1)
    diff = gl.diff(a, b)
    assert not torch.equal(a()[0], b()[0])
    assert diff.proof.level == "different"
