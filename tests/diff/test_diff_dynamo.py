"""Dynamo's graph, told in Python's functions and methods, against the exported one, told in operators."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest
import torch
from diff import models
from diff.exports import Block, dynamo, export
from msgspec import structs
from torch import nn
from torch.nn import functional

from graphlens.diff import compare
from graphlens.diff.effects import behaviour
from graphlens.diff.search.told import told_pairs
from graphlens.program.argument import Const, Ref
from graphlens.program.graph import DYNAMO_SOURCE, Graph, Node
from graphlens.program.program import Program
from graphlens.program.value import TensorValue
from graphlens.read import read

pytestmark = pytest.mark.filterwarnings("ignore")


@cache
def bert() -> tuple[Program, Program]:
    torch.manual_seed(0)
    model, args, kwargs = models.MODELS["bert"]()
    return read(dynamo(models.Wrapped(model).eval(), *args, **kwargs)), read(models.exported("bert"))


@cache
def block() -> tuple[Program, Program]:
    torch.manual_seed(0)
    model = Block().eval()
    return read(dynamo(model, torch.randn(2, 4))), read(export(model, torch.randn(2, 4)))


def roots(diff, *severities):
    found = [row for row in diff.rows if row.cause == "root" and row.severity in severities]
    return Counter((row.family, row.kind, row.aspect) for row in found)


def with_nodes(program: Program, change) -> Program:
    return structs.replace(program, graphs={**program.graphs, "": Graph(tuple(map(change, program.graph.nodes)))})


def test_a_block():
    a, b = block()
    diff = compare(a, b)
    assert {row.match for row in diff.node_rows} == {"signature", "same up to dialect"}
    assert roots(diff, "wrong_result") == {}
    assert roots(diff, "breaks_pass")["target", "changed", "dialect"] == 5
    assert {row.field for row in diff.rows if row.aspect == "dialect"} == {"op", "target"}
    # Dynamo's calls are not proved to compute what the operators do, and nothing says that they do not
    assert diff.proof.level == "unknown"
    assert any("another dialect" in text for text in diff.proof.unknown)
    assert "whether it computes the same is unknown" in diff.verdict
    assert "without the dialect" in diff.explain("sin")


def test_bert_and_what_export_made_of_it():
    a, b = bert()
    diff = compare(a, b)
    matches = Counter(row.match for row in diff.node_rows)
    assert set(matches) == {
        "signature", "same up to dialect", "propagated up to dialect", "similar up to dialect", "only_a", "only_b",
    }  # fmt: skip
    assert matches["signature"] == sum(node.op in ("placeholder", "output") for node in a.graph.nodes)
    gone = Counter(row.target_a for row in diff.node_rows if row.match == "only_a")
    assert gone == {"contiguous": 6}
    # outside of Dynamo, transformers builds the mask that all tokens are seen
    new = Counter(row.target_b for row in diff.node_rows if row.match == "only_b")
    assert new == {
        "aten.unsqueeze.default": 12, "aten.arange.default": 4, "aten.add.Tensor": 2, "aten.ge.Scalar": 1, "aten.expand.default": 1,
    }  # fmt: skip
    wrong = [row for row in diff.rows if row.severity == "wrong_result" and row.cause == "root"]
    assert {row.kind for row in wrong} == {"only_b"}
    assert {row.where for row in diff.rows if row.family == "args" and row.aspect == "rewired"} <= {"attn_mask"}
    assert not [row for row in diff.rows if row.family == "nn_module_stack" and row.aspect not in ("key", "input")]
    assert diff.proof.level == "different"


@pytest.mark.parametrize("pair", [block, bert])
def test_the_other_way_round(pair):
    a, b = pair()
    there, back = compare(a, b), compare(b, a)
    mirrored = {"only_a": "only_b", "only_b": "only_a"}
    assert sorted((r.node_a, r.node_b, r.match) for r in there.node_rows) == sorted(
        (r.node_b, r.node_a, mirrored.get(r.match, r.match)) for r in back.node_rows
    )
    assert there.proof.level == back.proof.level


def test_an_edit_is_found_across_dialects():
    a, b = block()
    scaled = next(node for node in a.graph.nodes if node.target == "_operator.mul")
    edited = with_nodes(a, lambda node: structs.replace(node, args=(node.args[0], 3.0)) if node is scaled else node)
    diff = compare(edited, b)
    found = [row for row in diff.rows if row.severity == "wrong_result" and row.cause == "root"]
    assert [(row.node_a, row.field, row.a, row.b) for row in found] == [(scaled.name, "args", "3.0", "2.0")]
    assert diff.proof.level == "different"


def test_swapped_operands_are_found_across_dialects():
    class Minus(nn.Module):
        def __init__(self, turned: bool):
            super().__init__()
            self.turned = turned

        def forward(self, x, y):
            return y.sin() - x.cos() if self.turned else x.cos() - y.sin()

    args = torch.ones(3), torch.ones(3)
    straight = compare(read(dynamo(Minus(turned=False), *args)), read(export(Minus(turned=False), *args)))
    assert roots(straight, "wrong_result") == {}
    turned = compare(read(dynamo(Minus(turned=False), *args)), read(export(Minus(turned=True), *args)))
    assert roots(turned, "wrong_result") == {("args", "changed", "rewired"): 2}
    assert turned.proof.level == "different"


class Awkward(nn.Module):
    """Two modules whose weights Dynamo would give one name."""

    def __init__(self):
        super().__init__()
        self.add_module("fc", nn.Linear(4, 4))
        self.add_module("fc_", nn.Linear(4, 4))
        self.other = nn.Linear(4, 4)

    def forward(self, x):
        return self.other(self.fc_(self.fc(x).sin()).cos())


def test_inputs_go_by_where_dynamo_found_them():
    model = Awkward().eval()
    a, b = read(dynamo(model, torch.ones(2, 4))), read(export(model, torch.ones(2, 4)))
    sources = {node.name: node.meta[DYNAMO_SOURCE] for node in a.graph.placeholders}
    assert "L['self']._modules['fc_']._parameters['weight']" in sources.values()
    pairs = dict(told_pairs(a, b, lambda fqn: fqn))
    assert len(pairs) == 7
    targets = {spec.argument: spec.target for spec in b.inputs}
    for name, other in pairs.items():
        source = sources[name]
        assert source == "L['x']" or source.endswith(
            f"['{targets[other].split('.')[0]}']._parameters['{targets[other].split('.')[1]}']"
        )


def test_names_are_spelled_out_and_never_guessed():
    """Without Dynamo's sources, the name of each weight of the other side is spelled out; one for two is nobody's."""
    model = Awkward().eval()
    a, b = read(dynamo(model, torch.ones(2, 4))), read(export(model, torch.ones(2, 4)))
    bare = with_nodes(
        a, lambda node: structs.replace(node, meta={k: v for k, v in node.meta.items() if k != DYNAMO_SOURCE})
    )
    pairs = dict(told_pairs(bare, b, lambda fqn: fqn))
    assert set(pairs.values()) == {"x", "p_other_weight", "p_other_bias"}


class Indexed(nn.Module):
    def forward(self, x):
        return x[:, None, 0, 1:3].sin() + x[..., :2].cos()


def test_an_index_in_several_steps():
    args = (torch.randn(3, 4, 5)[:, :2],)
    a, b = read(dynamo(Indexed(), *args)), read(export(Indexed(), *args))
    diff = compare(a, b)
    groups = [row for row in diff.node_rows if row.match.startswith("group")]
    assert [(row.target_a, row.match) for row in groups] == [("_operator.getitem", "group 1:n")]
    assert roots(diff, "wrong_result") == {}
    # another index is another function
    other = with_nodes(
        b, lambda node: structs.replace(node, args=(*node.args[:2], 1)) if node.target == "aten.select.int" else node
    )
    assert ("target", "changed", "rewritten") in roots(compare(a, other), "wrong_result")


def test_free_sizes_are_passed_on_one_side_and_read_on_the_other():
    class Flat(nn.Module):
        def forward(self, x):
            return x.sin().view(x.shape[0] * 4)

    a = read(dynamo(Flat(), torch.ones(3, 4), dynamic=True))
    b = read(
        export(Flat(), torch.ones(3, 4), dynamic_shapes={"x": {0: torch.export.Dim.AUTO, 1: torch.export.Dim.AUTO}})
    )
    diff = compare(a, b)
    pairs = {(row.target_a, row.target_b) for row in diff.node_rows if row.match == "signature"}
    assert ("L_x_", "x") in pairs
    assert any(target == "aten.sym_size.int" for _, target in pairs)


def test_what_python_calls_do():
    """Functions of C++ and methods of tensors are known by their operators, whatever else is taken at its worst."""
    tensor = TensorValue(shape=(2,), dtype="float32", type="Tensor")

    def does(op, target, *args, value=tensor, **kwargs):
        return behaviour(Node(name="n", op=op, target=target, args=args, kwargs=kwargs), {}, None, lambda _: value)

    x = Ref("x")
    assert does("call_function", "torch.arange", 8, device=Const("device", "cpu")).pure
    assert does("call_method", "sin", x).pure
    assert does("call_method", "add_", x, 1).writes == ("x",)
    assert does("call_method", "view", x, 2).shares == ("x",)
    assert not does("call_method", "sin", x, value=None).pure  # whose method is not known
    assert not does("call_method", "sin", x, value=structs.replace(tensor, type="mine.Tensor")).pure
    assert not does("call_function", "torch.sin", x, out=Ref("y")).pure
    assert does("call_function", "torch.nn.functional.dropout", x, 0.5, False, False).pure
    assert does("call_function", "torch.nn.functional.dropout", x, 0.5, True, False).effects == ("rng",)
    assert does("call_function", "torch.nn.functional.relu", x, False).pure
    assert not does("call_function", "torch.nn.functional.relu", x, True).pure
    assert not does("call_function", "torch.nn.functional.embedding", x, Ref("w"), None, 1.0, 2.0, False, False).pure
    norm = (x, Ref("mean"), Ref("var"), None, None)
    assert does("call_function", "torch.nn.functional.batch_norm", *norm, True, 0.1, 1e-5).writes == ("mean", "var")
    assert does("call_function", "torch.nn.functional.batch_norm", *norm, False, 0.1, 1e-5).writes == ()
    assert not does("call_function", "torch.manual_seed", 3).pure


def test_two_ways_of_python_are_one_function_and_not_proved():
    class Method(nn.Module):
        def forward(self, x):
            return x.relu().sin() * 2.0

    class Function(nn.Module):
        def forward(self, x):
            return torch.sin(functional.relu(x)) * 2.0

    diff = compare(read(dynamo(Method(), torch.ones(3))), read(dynamo(Function(), torch.ones(3))))
    assert roots(diff, "wrong_result") == {}, str(diff)
    assert not diff.proof.same


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.norm = nn.Linear(4, 4), nn.BatchNorm1d(4)
        self.register_buffer("shift", torch.ones(4))

    def forward(self, x):
        return torch.softmax(self.norm(self.fc(x) + self.shift), -1)


@cache
def stages() -> tuple[Program, Program, torch.export.ExportedProgram]:
    """Dynamo's graph, what AOTAutograd made of it, and the exported program."""
    from torch._dynamo.backends.common import aot_autograd

    dynamo_graphs, aot_graphs = [], []

    def keep(graph, _):
        aot_graphs.append(graph)
        return graph.forward

    def both(graph, inputs):
        dynamo_graphs.append(graph)
        return aot_autograd(fw_compiler=keep)(graph, inputs)

    model = Small().eval()
    torch._dynamo.reset()
    with torch.no_grad():
        torch.compile(model, backend=both)(torch.ones(2, 4))
    return read(dynamo_graphs[0]), read(aot_graphs[0]), export(model, torch.ones(2, 4))


def test_what_aot_autograd_made_of_dynamos_graph():
    """Inputs by the numbers that AOTAutograd gives them; what was decomposed are groups or calls of another function."""
    traced, lowered, _ = stages()
    diff = compare(traced, lowered)
    inputs = [row for row in diff.node_rows if row.target_a.startswith("L_")]
    assert [row.node_b for row in inputs] == [f"arg{i}_1" for i in range(len(inputs))]
    assert not [row for row in diff.node_rows if row.match.startswith(("only", "ambiguous"))]
    assert not diff.proof.same


def test_an_aot_graph_against_the_decomposed_program():
    """Nothing names the weights of AOTAutograd's graph: those that calls use in the same place are each other."""
    _, lowered, program = stages()
    diff = compare(lowered, read(program.run_decompositions()))
    lone = [(row.match, row.target_b) for row in diff.node_rows if row.match.startswith(("only", "ambiguous"))]
    assert lone == [("only_b", "b_norm_num_batches_tracked")]  # lifted, and read by nobody
    wrong = [row for row in diff.rows if row.severity == "wrong_result" and row.cause == "root"]
    assert {(row.a, row.b) for row in wrong} <= {("aten.t.default", "aten.permute.default")}
    assert not diff.proof.same
