"""Graphs in graphs: branches that changed places three levels down, bodies that are shared, inlined or delegated."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

import pytest
import torch
from diff import edits
from diff.law import compared, lone, mates, roots, wrong
from msgspec.structs import replace
from torch import nn
from torch._higher_order_ops import scan
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

import graphlens as gl
from graphlens.program.frozen import freeze
from graphlens.read import read

pytestmark = pytest.mark.filterwarnings("ignore")

BODY = "scan.combine_fn/while_loop.body_fn"


class Deep(nn.Module):
    """A cond in a while_loop in a scan."""

    def __init__(self, *, swap: bool = False, negate: bool = False) -> None:
        super().__init__()
        self.swap, self.negate = swap, negate

    def forward(self, x):
        def double(t):
            return t.sin() * 2.0

        def less(t):
            return t.cos() - 1.0

        def body(i, t):
            positive = t.sum() > 0
            predicate = torch.logical_not(positive) if self.negate else positive
            branches = (less, double) if self.swap else (double, less)
            return i + 1, torch.cond(predicate, *branches, (t,))

        def combine(carry, row):
            _, t = torch.while_loop(lambda i, t: i < 3, body, (torch.tensor(0), carry + row))
            return t, t * 2

        return scan(combine, x[0], x)


@lru_cache
def deep(**options: bool) -> gl.Program:
    return gl.read(torch.export.export(Deep(**options), (torch.ones(3, 4),)))


def test_branches_changed_places_three_levels_down():
    """Each body is itself, under the other branch; the call is what changed."""
    diff = compared(deep(), deep(swap=True))
    assert lone(diff) == (set(), set())
    assert wrong(diff) == {("cond", "cond", "args", "changed", "rewired")}
    assert [(row.graph, row.where) for row in diff.rows if row.field == "args"] == [
        (BODY, "args[1]"),
        (BODY, "args[2]"),
    ]
    bodies = {
        (g.path_a.rpartition(".")[2], g.path_b.rpartition(".")[2]) for g in diff.alignment.graphs if "cond." in g.path_a
    }
    assert bodies == {("true_fn", "false_fn"), ("false_fn", "true_fn")}
    assert diff.proof.level == "different"


def test_branches_changed_places_under_a_negated_predicate():
    """Equal in arithmetic, which no rule here proves: the new call and the exchanged bodies are named, and nothing else."""
    diff = compared(deep(), deep(swap=True, negate=True))
    assert lone(diff) == (set(), {"logical_not"})
    assert wrong(diff) == {
        ("cond", "cond", "args", "changed", "rewired"),
        (None, "logical_not", "target", "only_b", ""),
    }
    assert mates(diff)[f"{BODY}:cond"] == "cond"
    assert not diff.proof.same


def test_one_number_three_levels_down():
    path = f"{BODY}/cond.true_fn"
    edited, _ = edits.change_literal(deep(), (path, "mul"))
    diff = compared(deep(), edited)
    assert [(r.graph, r.node_a, r.field, r.aspect) for r in diff.rows] == [(path, "mul", "args", "literal")]


@torch.compiler.nested_compile_region
def region(x):
    return x.sin() * 2.0


class Twice(nn.Module):
    def __init__(self, *, inlined: bool) -> None:
        super().__init__()
        self.inlined = inlined

    def forward(self, x):
        called = (lambda t: t.sin() * 2.0) if self.inlined else region
        return called(x) - called(x + 1)


@pytest.mark.parametrize("back", [False, True], ids=["inlined", "outlined"])
def test_a_body_that_two_calls_share_was_inlined(back):
    """Each call became what its body computes; the body follows; what is around the calls is the same."""
    pair = [torch.export.export(Twice(inlined=i), (torch.ones(3),), strict=True) for i in (back, not back)]
    diff = compared(*pair)
    assert mates(diff)["add"] == "add"
    assert mates(diff)["sub"] == "sub"
    groups = [row for row in diff.node_rows if row.match.startswith("group")]
    texts = sorted((row.target_b, row.target_a) if back else (row.target_a, row.target_b) for row in groups)
    assert texts == [("higher_order.invoke_subgraph, _operator.getitem", "aten.sin.default, aten.mul.Tensor")] * 2
    assert not [row for row in diff.rows if row.severity == "wrong_result" and row.cause == "root"]
    inlined = [row for row in diff.rows if row.aspect == "inlined"]
    assert [(row.field, row.kind, row.severity) for row in inlined] == [("target", "changed", "breaks_pass")] * 2
    assert not diff.proof.same


@pytest.mark.parametrize("back", [False, True], ids=["inlined", "outlined"])
def test_one_of_two_calls_was_inlined_with_another_number(back):
    """The calls in the open are not those of the body: they were rewritten."""
    outlined, plain = (
        read(torch.export.export(Twice(inlined=i), (torch.ones(3),), strict=True)) for i in (False, True)
    )
    edited, _ = edits.change_literal(plain, ("", "mul"))
    diff = compared(*((edited, outlined) if back else (outlined, edited)))
    told = Counter(row.aspect for row in diff.rows if (row.field, row.kind, row.cause) == ("target", "changed", "root"))
    assert told == {"rewritten": 1, "inlined": 1}


class Flex(nn.Module):
    def __init__(self, *, causal: bool = True, scale: float = 1.0) -> None:
        super().__init__()
        self.causal, self.scale = causal, scale

    def forward(self, q):
        def mask(b, h, i, j):
            return i >= j if self.causal else i <= j

        def score(value, b, h, i, j):
            return value * self.scale

        block = create_block_mask(mask, None, None, 128, 128, device="cpu")
        return flex_attention(q, q, q, score_mod=score, block_mask=block)


@lru_cache
def flex(**options) -> gl.Program:
    return gl.read(torch.export.export(Flex(**options), (torch.ones(1, 1, 128, 16),)))


def test_only_the_mask_of_flex_attention_changed():
    """Once where the blocks are computed, once in the graph that the call holds; the call is the same call."""
    diff = compared(flex(), flex(causal=False))
    assert lone(diff) == (set(), set())
    mask = next(path for path in diff.a.graphs if "mask" in path)
    assert {(r.graph, r.a, r.b) for r in diff.rows if r.severity == "wrong_result"} == {
        (path, "aten.ge.Tensor", "aten.le.Tensor") for path in ("", mask)
    }
    assert {r.field for r in diff.rows if r.severity == "wrong_result"} == {"target"}
    assert len([r for r in diff.rows if r.severity == "wrong_result"]) == 2


def test_only_the_score_of_flex_attention_changed():
    diff = compared(flex(), flex(scale=2.0))
    assert lone(diff) == (set(), set())
    assert [(r.graph, r.node_a, r.a, r.b) for r in diff.rows if r.severity == "wrong_result"] == [
        ("flex_attention.score_mod", "mul", "1.0", "2.0")
    ]


class Delegate(nn.Module):
    """A call of a lowered backend, as ExecuTorch has it: a module that keeps the module it was made from."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        graph = torch.fx.Graph()
        x = graph.placeholder("x")
        graph.output(graph.call_function(torch.ops.aten.mul.Tensor, (x, scale)))
        self.original_module = torch.fx.GraphModule(nn.Module(), graph)
        self.backend_id = "XnnpackBackend"

    def forward(self, x):
        return self.original_module(x)


def lowered(scale: float) -> torch.fx.GraphModule:
    graph = torch.fx.Graph()
    x = graph.placeholder("x")
    called = graph.call_module("lowered_module_0", (graph.call_function(torch.ops.aten.sin.default, (x,)),))
    graph.output((graph.call_function(torch.ops.aten.cos.default, (called,)),))
    holder = nn.Module()
    holder.lowered_module_0 = Delegate(scale)
    return torch.fx.GraphModule(holder, graph)


def test_what_a_delegate_was_made_from_is_compared():
    same = compared(lowered(2.0), lowered(2.0))
    assert not same.rows, str(same)
    diff = compared(lowered(2.0), lowered(3.0))
    assert lone(diff) == (set(), set())
    assert diff.worst == "wrong_result", str(diff)
    assert not diff.proof.same


def test_a_body_is_gone_from_a_program():
    """A holder that names a graph which is not there is still a node like any other."""
    source = deep()
    path = f"{BODY}/cond.false_fn"
    without = replace(source, graphs=freeze({p: g for p, g in source.graphs.items() if p != path}))
    diff = gl.diff(source, without)
    assert not diff.ok
    assert not diff.proof.same
    assert {row.graph for row in diff.rows if row.kind == "only_a"} == {path}
    assert not roots(diff, lambda row: row.graph == "" and row.kind in ("only_a", "only_b"))
