"""Rewrites that cannot be proved are run on random inputs; what is equal there is evidence, and said to be no more."""

from __future__ import annotations

import torch
from torch import nn

from graphlens.stages import roundtrip


class Gated(nn.Module):
    def forward(self, x, y):
        return (x.sigmoid() * x) @ y


def replace(graph, old, new, arguments=lambda node: node.args):
    for node in [node for node in graph.nodes if node.target is old]:
        with graph.inserting_after(node):
            made = graph.call_function(new, arguments(node))
            made.meta.update(node.meta)
        node.replace_all_uses_with(made)
        graph.erase_node(node)


def fuse(program):
    """`x.sigmoid() * x` is `silu(x)`."""
    graph = program.graph
    mul = next(node for node in graph.nodes if node.target is torch.ops.aten.mul.Tensor)
    sigmoid, x = mul.args
    with graph.inserting_after(mul):
        silu = graph.call_function(torch.ops.aten.silu.default, (x,))
        silu.meta.update(mul.meta)
    mul.replace_all_uses_with(silu)
    graph.erase_node(mul)
    graph.erase_node(sigmoid)


def spell(program):
    replace(program.graph, torch.ops.aten.matmul.default, torch.ops.aten.mm.default)


def break_it(program):
    replace(program.graph, torch.ops.aten.sigmoid.default, torch.ops.aten.tanh.default)


def run(*passes):
    torch.manual_seed(0)
    args = (torch.randn(4, 4), torch.randn(4, 4))
    return roundtrip(Gated(), args, stages=("export", *passes), runtimes=("eager", *(p.__name__ for p in passes)))


def test_another_name_for_the_same_kernel_is_bit_equal():
    trip = run(spell)
    (row,) = trip.proofs.to_dict("records")
    assert (row["stage"], row["node"], row["nodes_b"]) == ("spell", "matmul", ("mm_default",))
    assert row["status"] == "tested equal on 3 inputs"
    assert trip.diffs["spell"].worst == "breaks_pass"
    assert not trip.diffs["spell"].proof.same
    assert trip.ok, trip.verdict


def test_a_fusion_is_equal_up_to_rounding():
    trip = run(fuse)
    rows = trip.proofs.to_dict("records")
    assert [row["status"].replace(" up to rounding", "") for row in rows] == ["tested equal on 3 inputs"]
    assert "mul" in rows[0]["node"]
    assert rows[0]["nodes_b"] == ("silu_default",)


def test_a_wrong_rewrite_stays_a_wrong_result():
    trip = run(break_it)
    (row,) = trip.proofs.to_dict("records")
    assert row["status"] == "different"
    assert row["reason"].startswith("differs on random input 0")
    assert trip.worst == "wrong_result"
    assert not trip.ok
    assert "break_it answers otherwise, break_it changed the result" in trip.verdict


def test_what_cannot_be_run_is_unknown():
    def unshaped(program):
        spell(program)
        for node in program.graph.nodes:
            node.meta.pop("val", None)

    def forget(program):
        for node in program.graph.nodes:
            node.meta.pop("val", None)

    trip = roundtrip(
        Gated(),
        (torch.randn(4, 4), torch.randn(4, 4)),
        stages=("export", ("forget", forget), ("unshaped", unshaped)),
        runtimes=(),
    )
    rows = [row for row in trip.proofs.to_dict("records") if row["stage"] == "unshaped"]
    assert [row["status"] for row in rows] == ["unknown"]
    assert "no recorded shape" in rows[0]["reason"]
