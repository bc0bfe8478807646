"""Bodies of control flow exchanged, reordered and rewired; and programs made again, which are no different."""

from __future__ import annotations

import copy
import io
import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diff import edits
from diff.exports import Nested, nested_export, nested_program
from torch import fx, nn

import graphlens as gl
from graphlens.diff import StackTraces

Rows = set[tuple[str, str | None, str, str]]


def call(graph: fx.Graph, name: str) -> fx.Node:
    return next(node for node in graph.nodes if node.name == name)


def output(graph: fx.Graph) -> fx.Node:
    return call(graph, "output")


def branches_of_a_call(root: fx.GraphModule) -> None:
    node = call(root.graph, "cond")
    node.args = (node.args[0], node.args[2], node.args[1], node.args[3])


def bodies_of_a_call(root: fx.GraphModule) -> None:
    root.true_graph_0, root.false_graph_0 = root.false_graph_0, root.true_graph_0


def branches_of_an_inner_call(root: fx.GraphModule) -> None:
    branches_of_a_call(root.true_graph_0)


def condition_and_body_of_a_loop(root: fx.GraphModule) -> None:
    node = call(root.graph, "while_loop")
    node.args = (node.args[1], node.args[0], *node.args[2:])


def what_a_loop_carries(root: fx.GraphModule) -> None:
    node = call(root.graph, "while_loop")
    node.args = (*node.args[:2], tuple(reversed(node.args[2])), node.args[3])


def results_of_a_scan(root: fx.GraphModule) -> None:
    node = output(root.scan_combine_graph_0.graph)
    node.args = (list(reversed(node.args[0])),)


def inputs_of_a_scan(root: fx.GraphModule) -> None:
    first, second = [node for node in root.scan_combine_graph_0.graph.nodes if node.op == "placeholder"]
    first.prepend(second)


def the_carried_value_of_a_loop(root: fx.GraphModule) -> None:
    node = output(root.while_loop_body_graph_0.graph)
    node.args = ((node.args[0][0], call(root.while_loop_body_graph_0.graph, "sub")),)


def a_literal_in_the_body_of_a_map(root: fx.GraphModule) -> None:
    node = call(root.body_graph_0.graph, "mul_1")
    node.args = (node.args[0], 4.0)


def a_literal_in_a_condition(root: fx.GraphModule) -> None:
    node = call(root.while_loop_cond_graph_0.graph, "lt")
    node.args = (node.args[0], 5)


BODIES: dict[Callable[[Any], None], Rows] = {
    branches_of_a_call: {("", "cond", "args", "changed")},
    bodies_of_a_call: {("", "cond", "args", "changed")},
    branches_of_an_inner_call: {("cond.true_fn", "cond", "args", "changed")},
    condition_and_body_of_a_loop: {("", "while_loop", "args", "changed")},
    what_a_loop_carries: {("", "while_loop", "args", "changed")},
    results_of_a_scan: {("scan.combine_fn", "output", "args", "changed")},
    inputs_of_a_scan: {("scan.combine_fn", name, "args", "changed") for name in ("sin", "cos", "mul_1")},
    the_carried_value_of_a_loop: {("while_loop.body_fn", "output", "args", "changed")},
    a_literal_in_the_body_of_a_map: {("map_impl.f", "mul_1", "args", "changed")},
    a_literal_in_a_condition: {("while_loop.cond_fn", "lt", "args", "changed")},
}


@pytest.mark.parametrize("edit", BODIES)
def test_an_edit_of_a_body_is_found_where_it_is(edit):
    edited = copy.deepcopy(nested_export())
    edit(edited.graph_module)
    for a, b in ((nested_program(), edited), (edited, nested_program())):
        diff = gl.diff(a, b)
        wrong = {
            (row.graph, row.node_a, row.field, row.kind)
            for row in diff.rows
            if row.severity == "wrong_result" and row.cause == "root"
        }
        side = BODIES[edit] if a is nested_program() else {(g, None, f, k) for g, _, f, k in BODIES[edit]}
        assert {(g, n if a is nested_program() else None, f, k) for g, n, f, k in wrong} == side, str(diff)
        rest = {row.field for row in diff.rows if row.severity != "wrong_result"}
        assert rest <= {"name", "target", "order"}, str(diff)
        assert diff.proof.level == "different"


def again(**options: Any) -> torch.export.ExportedProgram:
    torch.manual_seed(0)
    rows = torch.export.Dim(options.get("dim", "rows"), min=2, max=64)
    return torch.export.export(Nested().eval(), (torch.randn(3, 4),), dynamic_shapes={"x": {0: rows}})


MADE_AGAIN: dict[str, Callable[[], tuple[Any, Any]]] = {
    "copied": lambda: (nested_export(), copy.deepcopy(nested_export())),
    "exported again": lambda: (nested_export(), again()),
    "another name of a dimension": lambda: (nested_export(), again(dim="batch")),
    "read twice": lambda: (gl.read(nested_export()), gl.read(nested_export())),
    "its module, twice": lambda: (nested_export().module(), nested_export().module()),
    "its graph, twice": lambda: (nested_export().graph, nested_export().graph),
}


@pytest.mark.parametrize("name", MADE_AGAIN)
def test_a_program_made_again_is_the_same(name):
    a, b = MADE_AGAIN[name]()
    diff = gl.diff(a, b)
    assert diff.ok, str(diff)
    assert diff.proof.level == "identical"


def test_recompiling_and_eliminating_dead_code_change_nothing():
    edited = copy.deepcopy(nested_export())
    edited.graph_module.recompile()
    edited.graph_module.graph.eliminate_dead_code()
    diff = gl.diff(nested_program(), edited)
    assert diff.proof.same, str(diff)
    assert {(row.field, row.kind, row.severity) for row in diff.rows} <= {("target", "only_a", "cosmetic")}


class Sums(nn.Module):
    def forward(self, x, y):
        return (x * 2 + y).relu(), {"b": x - y, "a": x.sum()}


SOURCE = """
import io, sys, torch
from torch import nn

{lines}
class Sums(nn.Module):
    def forward(self, x, y):
        return (x * 2 + y).relu(), {{"b": x - y, "a": x.sum()}}

buffer = io.BytesIO()
torch.export.save(torch.export.export(Sums(), (torch.ones(3), torch.ones(3))), buffer)
sys.stdout.buffer.write(buffer.getvalue())
"""


def saved_elsewhere(folder: Path, lines: str, seed: str) -> io.BytesIO:
    folder.mkdir()
    (folder / "model.py").write_text(SOURCE.format(lines=lines))
    command = [sys.executable, "-W", "ignore", str(folder / "model.py")]
    ran = subprocess.run(command, capture_output=True, check=True, env={"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"})
    return io.BytesIO(ran.stdout)


def test_another_process_and_another_file_differ_in_the_lines_that_traces_name(tmp_path):
    one = saved_elsewhere(tmp_path / "one", "", "1")
    two = saved_elsewhere(tmp_path / "two", "# a comment\n\n", "2")
    diff = gl.diff(one, two)
    assert {(row.field, row.severity) for row in diff.rows} == {("stack_trace", "debug_info")}, str(diff)
    assert diff.proof.level == "identical"
    near = StackTraces(lines=2, prefixes={"…/one": "", "…/two": ""})
    assert gl.diff(one, two, stack_trace=near).ok


def test_weights_without_elements_are_not_called_equal():
    def made(device: str) -> torch.export.ExportedProgram:
        with torch.device(device):
            return torch.export.export(nn.Linear(3, 3), (torch.ones(2, 3),))

    meta = gl.diff(made("meta"), made("meta"))
    assert meta.proof.same
    assert any("elements" in text or "values" in text for text in meta.proof.assumptions), meta.proof.assumptions
    mixed = gl.diff(made("meta"), made("cpu"))
    assert not mixed.ok
    assert mixed.worst in ("breaks_pass", "wrong_result")


def test_symbols_under_other_names():
    text = json.dumps(nested_program().to_dict())
    assert "s77" in text
    program = nested_program()

    def renamed(value: Any) -> Any:
        def other(size: Any) -> Any:
            return size.replace("s77", "s5") if isinstance(size, str) else size

        return edits.replace(value, shape=tuple(map(other, value.shape)), stride=tuple(map(other, value.stride)))

    edited = program
    for place in [(path, node.name) for path, node in program.walk()]:
        edited = edits.edit_node(edited, place, value=edits.map_value(edits.node_at(edited, place).value, renamed))
    table = tuple(edits.replace(symbol, name="s5") for symbol in program.symbol_table)
    edited = edits.replace(edited, symbol_table=table, ranges={"s5": program.ranges["s77"]})
    diff = gl.diff(program, edited)
    assert diff.ok, str(diff)
    assert dict(diff.proof.rules) == {"renumbered symbols": 1}


@pytest.mark.parametrize("seed", range(3))
def test_pure_nodes_in_any_order_under_any_names(seed):

    program = gl.read(torch.export.export(Sums(), (torch.ones(3), torch.ones(3))))
    diff = gl.diff(program, edits.scramble(program, random.Random(seed)))
    assert diff.proof.same, str(diff)
    assert diff.worst in (None, "cosmetic")
