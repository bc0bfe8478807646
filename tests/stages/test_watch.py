"""`watch`: N passes give N + 1 programs and N diffs, and every node event with the line that made it."""

from __future__ import annotations

import copy
import json
import operator
import sys

import pytest
import torch
from torch import nn
from torch.fx.passes.infra.pass_base import PassBase, PassResult
from torch.fx.passes.infra.pass_manager import PassManager

from graphlens.errors import StageError
from graphlens.stages.watch import watch


class Net(nn.Module):
    def forward(self, x):
        return torch.relu(x + 0) * 2


def drop_zero(graph_module):
    for node in list(graph_module.graph.nodes):
        if node.target is operator.add and node.args[1] == 0:
            node.replace_all_uses_with(node.args[0])
            graph_module.graph.erase_node(node)
    graph_module.recompile()


def keep(graph_module):
    return PassResult(graph_module, False)


class Double(PassBase):
    def call(self, graph_module):
        for node in graph_module.graph.nodes:
            if node.target is operator.mul:
                node.args = (node.args[0], node.args[1] * 2)
        return PassResult(graph_module, True)


def copying(graph_module):
    made = copy.deepcopy(graph_module)
    relu = next(node for node in made.graph.nodes if node.target is torch.relu)
    with made.graph.inserting_after(relu):
        made.graph.call_function(torch.neg, (relu,))
    return made


def pipeline(graph_module):
    drop_zero(graph_module)
    return copying(graph_module)


@pytest.fixture
def graph_module():
    return torch.fx.symbolic_trace(Net())


def test_passes_give_programs_and_diffs(graph_module):
    with watch(graph_module) as watched:
        drop_zero(graph_module)
        PassManager([keep, Double()])(graph_module)
    assert list(watched.programs) == ["start", "drop_zero", "keep", "Double"]
    assert list(watched.diffs) == ["drop_zero", "keep", "Double"]
    assert list(watched.passes["status"]) == ["ok"] * 3
    assert list(watched.passes["nodes"]) == [4, 4, 4]
    assert watched.diffs["keep"].ok
    assert watched.diffs["Double"].worst == "wrong_result"
    assert set(watched.mismatches["step"]) == {"drop_zero", "Double"}
    assert list(watched.mismatches.columns)[:2] == ["step", "graph"]
    assert not watched.ok


def test_events_name_the_node_and_the_line(graph_module):
    with watch(graph_module) as watched:
        drop_zero(graph_module)
    events = watched.events
    assert list(events["event"]) == ["replaced", "erased"]
    assert list(events["node"]) == ["add", "add"]
    assert events["now"][0] == "x in relu"
    assert all(line.startswith("test_watch.py:") for line in events["by"])
    assert watched.passes.iloc[0][["created", "erased", "replaced"]].tolist() == [0, 1, 1]


def test_a_pass_that_returns_another_graph_is_followed(graph_module):
    with watch(graph_module) as watched:
        made = copying(graph_module)
        made.graph.eliminate_dead_code()
    assert list(watched.programs) == ["start", "copying", "eliminate_dead_code"]
    assert [len(program.graph) for program in watched.programs.values()] == [5, 6, 5]
    assert list(watched.events["event"]) == ["created", "erased"]


def test_passes_inside_a_function_of_the_users(graph_module):
    with watch(graph_module) as watched:
        pipeline(graph_module)
    assert list(watched.programs) == ["start", "pipeline"]
    other = torch.fx.symbolic_trace(Net())
    with watch(other, depth=2) as watched:
        pipeline(other)
    assert list(watched.programs) == ["start", "drop_zero", "copying"]


def test_a_pass_that_runs_twice_has_two_names(graph_module):
    with watch(graph_module) as watched:
        for _ in range(2):
            Double()(graph_module)
    assert list(watched.programs) == ["start", "Double", "Double#2"]


def test_an_error_reaches_the_user_and_is_a_row(graph_module):
    def broken(graph_module):
        graph_module.graph.erase_node(next(iter(graph_module.graph.nodes)))

    with pytest.raises(RuntimeError, match="Tried to erase Node"), watch(graph_module) as watched:
        keep(graph_module)
        broken(graph_module)
    assert list(watched.passes["status"]) == ["ok", "failed"]
    assert "Tried to erase Node" in watched.passes["error"][1]
    assert list(watched.programs) == ["start", "keep"]
    assert "broken: failed" in watched.verdict


def test_everything_is_left_as_it_was(graph_module):
    seen = []

    def profile(*event):
        seen.append(event)

    sys.setprofile(profile)
    try:
        with watch(graph_module):
            keep(graph_module)
        assert sys.getprofile() is profile
    finally:
        sys.setprofile(None)
    assert not graph_module._create_node_hooks
    assert not graph_module._erase_node_hooks
    assert not graph_module._replace_hooks


def test_nested_graphs_are_watched_too():
    class Branch(nn.Module):
        def forward(self, x):
            return torch.cond(x.sum() > 0, lambda v: v + 1, lambda v: v - 1, (x,))

    program = torch.export.export(Branch(), (torch.ones(2),))

    def rename(program):
        inner = program.graph_module.true_graph_0
        add = next(node for node in inner.graph.nodes if node.op == "call_function")
        add.target = torch.ops.aten.mul.Tensor

    with watch(program) as watched:
        rename(program)
    (row,) = watched.diffs["rename"].rows[:1]
    assert row.graph == "cond.true_fn"
    assert row.field == "target"


def test_json_ready(graph_module):
    with watch(graph_module) as watched:
        drop_zero(graph_module)
    data = json.loads(json.dumps(watched.to_dict(), allow_nan=False))
    assert [row["step"] for row in data["passes"]] == ["drop_zero"]


def test_only_graphs_are_watched(graph_module):
    with pytest.raises(StageError, match="a Linear holds no graph"):
        watch(nn.Linear(1, 1))
    with watch(graph_module) as watched:
        pass
    with pytest.raises(StageError, match="entered before"), watched:
        pass
