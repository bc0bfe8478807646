"""The options of `gl.diff` on live exports, each where it decides."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest
import torch
from diff.live_edits import copied
from torch import nn

import graphlens as gl
from graphlens.errors import GraphLensError

pytestmark = pytest.mark.filterwarnings("ignore")


class Twins(nn.Module):
    """Two draws that nothing tells apart but their order, and a branch."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 3)

    def forward(self, x):
        y = self.fc(x).relu() * 2.0
        first, second = torch.rand_like(y), torch.rand_like(y)
        return torch.cond(y.sum() > 0, lambda t: t.sin(), lambda t: t.cos(), (y + first * second,))


@cache
def twins() -> Any:
    return torch.export.export(Twins().eval(), (torch.ones(2, 3),))


def edited(name: str, **meta: Any) -> Any:
    program = copied(twins())
    node = next(node for node in program.graph.nodes if node.name == name)
    node.meta = {key: value for key, value in {**node.meta, **meta}.items() if value is not None}
    return program


def another_literal() -> Any:
    program = copied(twins())
    node = next(node for node in program.graph.nodes if node.name == "mul")
    node.update_arg(1, 3.0)
    return program


def test_a_table_of_ones_own_decides_what_is_worst():
    b = another_literal()
    b.state_dict["fc.weight"].data[0, 0] += 1
    assert gl.diff(twins(), b).worst == "wrong_result"
    own = gl.diff(twins(), b, severities={"args": "debug_info", "weights[fc.*]": "cosmetic"})
    assert own.worst == "debug_info"
    assert [row.severity for row in own.rows] == ["debug_info", "cosmetic"]
    assert "wrong_result" not in str(own)
    assert not own.ok
    assert own.proof.level == "different"  # a severity is an opinion, the proof is not
    only = gl.diff(twins(), b, severities={("args", "lost"): "debug_info"})
    assert only.worst == "wrong_result"


def test_ignored_fields_do_not_count_and_are_counted():
    b = edited("relu", stack_trace=None, custom={"id": 1})
    assert {row.field for row in gl.diff(twins(), b).rows} == {"stack_trace", "custom"}
    assert [row.field for row in gl.diff(twins(), b, ignore="custom").rows] == ["stack_trace"]
    assert gl.diff(twins(), b, ignore=[("stack_trace", "changed"), "custom"]).worst == "debug_info"
    quiet = gl.diff(twins(), b, ignore=[("stack_trace", "lost"), "custom"])
    assert (quiet.ok, quiet.ignored, quiet.proof.level) == (True, 2, "identical")
    wrong = gl.diff(twins(), another_literal(), ignore=["args"])
    assert (wrong.ok, wrong.proof.level) == (True, "different")


def test_stack_traces_that_moved():
    trace = twins().graph_module.graph.find_nodes(op="call_function", target=torch.ops.aten.relu.default)[0].stack_trace
    line = int(re.findall(r"line (\d+)", trace)[-1])
    lower = edited("relu", stack_trace=trace.replace(f"line {line}", f"line {line + 4}"))
    assert [row.field for row in gl.diff(twins(), lower).rows] == ["stack_trace"]
    for tolerance, ok in (({"lines": 4}, True), ({"lines": 3}, False), ("no lines", True), ("user", False)):
        assert gl.diff(twins(), lower, stack_trace=tolerance).ok == ok, tolerance
    (folder,) = set(re.findall(r'File "(.*)/test_diff_options\.py"', trace))
    other = edited("relu", stack_trace=trace.replace(folder, "/build/7"))
    assert not gl.diff(twins(), other, stack_trace="no lines").ok
    full = [gl.read(program, source="full") for program in (twins(), other)]
    assert gl.diff(*full, stack_trace={"prefixes": {folder: "", "/build/7": ""}}).ok
    assert not gl.diff(*full, stack_trace={"prefixes": {folder: "", "/build/8": ""}}).ok
    (row,) = gl.diff(twins(), other).rows  # as it is shown, which is without the paths of the machine
    shown = [re.findall(r'File "(.*/)test_diff_options\.py"', text)[0] for text in (row.value_a, row.value_b)]
    assert "/build" not in shown[1]
    assert gl.diff(twins(), other, stack_trace={"prefixes": dict.fromkeys(shown, "")}).ok


def test_weights_may_be_left_out():
    b = copied(twins())
    b.state_dict["fc.bias"].data[1] = 7.0
    assert gl.diff(twins(), b).worst == gl.diff(twins(), b, weights="exact").worst == "wrong_result"
    assert gl.diff(twins(), b, weights="ignore").ok


def test_a_pin_decides_and_the_checker_is_not_impressed():
    crossed = [("rand_like", "rand_like_1"), ("rand_like_1", "rand_like")]
    assert gl.diff(twins(), twins()).ok
    diff = gl.diff(twins(), twins(), pins=crossed)
    assert {(r.node_a, r.node_b) for r in diff.node_rows if r.match == "pinned"} == set(crossed)
    assert not diff.proof.same
    assert diff.worst == "wrong_result"


@pytest.mark.parametrize(
    ("pins", "said"),
    [
        ([("relu_7", "relu")], ["a has no node 'relu_7'", "graph path"]),
        ([("relu", "cond.true_fn:nothing")], ["b has no node 'cond.true_fn:nothing'"]),
        ([("relu", "relu"), ("relu", "mul")], ["('relu', 'mul')", "contradicts an earlier pin"]),
        ([("relu", "relu"), ("mul", "relu")], ["('mul', 'relu')", "contradicts an earlier pin"]),
        ([("x", "relu")], ["placeholder", "call_function", "same kind"]),
        ([("cond.true_fn:sin", "relu")], ["cond.true_fn", "not counterparts", "pin the calls"]),
        ([("relu",)], ["('relu',)", "no pair of node names", "pins=[(node of a, node of b)"]),
        (["ab"], ["'ab'", "no pair of node names"]),
        ("relu", ["'relu'", "no pair of node names"]),
        ([("relu", None)], ["no pair of node names"]),
        (None, ["None", "no pair of node names"]),
    ],
)
def test_pins_that_cannot_be_name_the_node_and_a_way_out(pins, said):
    with pytest.raises(GraphLensError) as caught:
        gl.diff(twins(), twins(), pins=pins)
    assert all(text in str(caught.value) for text in said), str(caught.value)
    assert "\n" not in str(caught.value)
