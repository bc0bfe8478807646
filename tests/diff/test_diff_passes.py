"""What passes over a graph do, on two real models: each told as what it is, at the nodes where it was done, and nothing else."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable

import pytest
import torch
from diff.law import lone, mirrors, roots
from diff.models import exported
from torch import fx

import graphlens as gl
from graphlens.diff import Diff

pytestmark = pytest.mark.filterwarnings("ignore")
aten = torch.ops.aten

BOTH = ("llama", "t5")
LINEARS = {"llama": 22, "t5": 48}
NORMS = {"llama": 7, "t5": 17}
ATTENTIONS = {"llama": 3, "t5": 9}

Edit = Callable[[fx.Graph, fx.Node], None]


def passed(name: str, edit: Edit) -> Diff:
    """Compare a model with itself after an edit of every call, in both directions."""
    before = exported(name)
    after = copy.deepcopy(before)
    graph = after.graph_module.graph
    for node in list(graph.nodes):
        if node.op == "call_function" and not node._erased:
            edit(graph, node)
    for spec, returned in zip(after.graph_signature.output_specs, graph.output_node().args[0], strict=True):
        spec.arg.name = returned.name
    graph.lint()
    a, b = gl.read(before), gl.read(after)
    diff = gl.diff(a, b)
    mirrors(diff, gl.diff(b, a))
    return diff


def erase(target: object) -> Edit:
    def edit(graph: fx.Graph, node: fx.Node) -> None:
        if node.target is target:
            if node.users:
                node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)

    return edit


def calls(name: str, target: object) -> set[str]:
    return {node.name for node in exported(name).graph.nodes if node.target is target}


def test_dropout_is_removed_outside_training():
    """It returns its input, so that nothing computed changes: whoever read it reads what it read."""
    gone = calls("t5", aten.dropout.default)
    assert len(gone) == 25
    diff = passed("t5", erase(aten.dropout.default))
    assert lone(diff) == (gone, set())
    assert roots(diff) == {("target", "only_a", "breaks_pass"): len(gone)}
    follow = {row.inherited_from for row in diff.rows if row.cause == "inherited"}
    assert follow <= gone | {"output"}
    assert {row.aspect for row in diff.rows if row.field == "args"} == {"handed on"}
    assert diff.worst == "breaks_pass"


def test_dropout_is_removed_in_training():
    """Then it draws: another result."""
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(0.5), torch.nn.Linear(4, 4)).train()
    before, after = (torch.export.export(model, (torch.ones(2, 4),)) for _ in range(2))
    (node,) = (node for node in after.graph.nodes if node.target is aten.dropout.default)
    erase(aten.dropout.default)(after.graph, node)
    assert roots(gl.diff(before, after)) == {("target", "only_a", "wrong_result"): 1}


@pytest.mark.parametrize("name", BOTH)
def test_assertions_are_removed(name):
    gone = calls(name, aten._assert_tensor_metadata.default)
    diff = passed(name, erase(aten._assert_tensor_metadata.default))
    assert lone(diff) == (gone, set())
    assert roots(diff) == {("target", "only_a", "breaks_pass"): len(gone)}
    assert {row.aspect for row in diff.rows} == {"assertion"}


@pytest.mark.parametrize("name", BOTH)
def test_assertions_are_put_in(name):
    def edit(graph: fx.Graph, node: fx.Node) -> None:
        if node.target is aten.linear.default:
            with graph.inserting_before(node):
                new = graph.call_function(
                    aten._assert_tensor_metadata.default, (node.args[0], None, None, torch.float32)
                )
            new.meta = {key: value for key, value in node.meta.items() if key != "val"}

    diff = passed(name, edit)
    assert not lone(diff)[0]
    assert len(lone(diff)[1]) == LINEARS[name]
    assert roots(diff) == {("target", "only_b", "breaks_pass"): LINEARS[name]}
    assert len(diff.rows) == LINEARS[name]


@pytest.mark.parametrize("name", BOTH)
def test_other_assertions_refuse_other_inputs(name):
    """What they accept is another thing; what is computed of it is not."""

    def edit(graph: fx.Graph, node: fx.Node) -> None:
        if node.target is aten._assert_tensor_metadata.default:
            node.kwargs = {**node.kwargs, "dtype": torch.float64}

    count = len(calls(name, aten._assert_tensor_metadata.default))
    diff = passed(name, edit)
    assert roots(diff) == {("kwargs", "changed", "breaks_pass"): count}
    assert {row.aspect for row in diff.rows} == {"assertion"}
    assert not diff.proof.same


@pytest.mark.parametrize("name", BOTH)
def test_attention_is_cast_to_double_and_back(name):
    """Both casts are told, whoever uses the result uses the second; the first is the one that computes other numbers."""

    def edit(graph: fx.Graph, node: fx.Node) -> None:
        if node.target is aten.scaled_dot_product_attention.default:
            value = node.meta["val"]
            with graph.inserting_after(node):
                double = graph.call_function(aten.to.dtype, (node, torch.float64))
            with graph.inserting_after(double):
                back = graph.call_function(aten.to.dtype, (double, torch.float32))
            double.meta, back.meta = {**node.meta, "val": value.to(torch.float64)}, dict(node.meta)
            node.replace_all_uses_with(back, delete_user_cb=lambda user: user is not double)

    diff = passed(name, edit)
    count = ATTENTIONS[name]
    assert roots(diff) == {("target", "only_b", "wrong_result"): 2 * count}
    follow = [row for row in diff.rows if row.cause == "inherited"]
    assert Counter(row.field for row in follow) == {"args": count}
    assert {row.b for row in follow} == {row.inherited_from for row in follow}


@pytest.mark.parametrize("name", BOTH)
def test_casts_that_do_nothing_are_removed(name):
    def edit(graph: fx.Graph, node: fx.Node) -> None:
        if node.target is aten.to.dtype and node.meta["val"].dtype == node.args[0].meta["val"].dtype:
            erase(aten.to.dtype)(graph, node)

    diff = passed(name, edit)
    gone = calls(name, aten.to.dtype)
    assert lone(diff)[0] <= gone
    assert lone(diff)[1] == set()
    assert roots(diff) == {("target", "only_a", "breaks_pass"): len(lone(diff)[0])}
    assert diff.worst == "breaks_pass"


torch.library.define("passes::rms_norm", "(Tensor x, Tensor weight, float eps) -> Tensor")


@pytest.mark.parametrize("name", BOTH)
def test_norms_are_fused(name):
    """Each norm is one group of what it was and what it became; its assertion went with it, and its weight stays."""

    def edit(graph: fx.Graph, node: fx.Node) -> None:
        if node.target is not aten.rsqrt.default:
            return
        plus = node.args[0]
        x = plus.args[0].args[0].args[0]  # mean of squares of x
        last = node
        while not any(operand.op == "placeholder" for operand in last.all_input_nodes):
            last = next(u for u in last.users if u.target in (aten.mul.Tensor, aten.to.dtype))
        weight = next(operand for operand in last.all_input_nodes if operand.op == "placeholder")
        with graph.inserting_after(last):
            fused = graph.call_function(torch.ops.passes.rms_norm.default, (x, weight, plus.args[1]))
        fused.meta = dict(last.meta)
        last.replace_all_uses_with(fused)
        inner = [last]
        while inner:
            found = inner.pop()
            for user in list(found.users):
                graph.erase_node(user)  # assertions
            inputs = [operand for operand in found.all_input_nodes if operand is not x and operand.op != "placeholder"]
            if not found.users and not found._erased:
                graph.erase_node(found)
                inner += [operand for operand in inputs if set(operand.users) <= set(calls_of_assertions(operand))]

    diff = passed(name, edit)
    groups = diff.alignment.graphs[0].groups
    assert len(groups) == NORMS[name]
    for group in groups:
        fused, *others = (diff.b.graph[node].target for node in group.b)
        assert (fused, others) == ("passes.rms_norm.default", [])
        parts = Counter(diff.a.graph[node].target for node in group.a)
        assert parts["aten.rsqrt.default"] == parts["aten.pow.Tensor_Scalar"] == parts["aten.mean.dim"] == 1
        assert parts["aten.mul.Tensor"] == 2
        assert len({diff.a.graph[node].module for node in group.a}) == 1
    assert roots(diff)["target", "changed", "wrong_result"] == NORMS[name]
    assert {kind for _, kind, severity in roots(diff) if severity == "wrong_result"} == {"changed"}
    assert not [row for row in diff.rows if row.family in ("weights", "signature.inputs")]
    assert diff.proof.level in ("unknown", "different")


def calls_of_assertions(node: fx.Node) -> list[fx.Node]:
    return [user for user in node.users if user.target is aten._assert_tensor_metadata.default]
