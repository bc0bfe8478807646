"""Where other tools that look at exported programs go wrong: each of these must not happen to a diff."""

from __future__ import annotations

import pytest
import torch
from diff import edits
from diff.edits import check
from diff.exports import export
from msgspec.structs import replace
from torch import nn

from graphlens.diff import compare
from graphlens.program.frozen import freeze
from graphlens.program.graph import ModuleCall
from graphlens.read import read

pytestmark = pytest.mark.filterwarnings("ignore")


class TwoLists(nn.Module):
    """Modules of one class under equal last names, and one module that is called twice."""

    def __init__(self):
        super().__init__()
        self.enc = nn.ModuleList([nn.Linear(4, 4)])
        self.dec = nn.ModuleList([nn.Linear(4, 4)])
        self.shared = nn.Sequential(nn.Linear(4, 4), nn.ReLU())

    def forward(self, x):
        return self.shared(self.dec[0](self.shared(self.enc[0](x))))


def test_a_module_is_its_full_name_and_its_call():
    program = read(export(TwoLists(), torch.randn(2, 4)))
    modules = {node.module for node in program.graph.nodes if node.target == "aten.linear.default"}
    assert modules == {"enc.0", "dec.0", "shared.0", "shared.0@1"}
    by_module = {node.module: node for node in program.graph.nodes if node.op == "call_function"}
    for old, new in (("enc.0", "dec.0"), ("shared.0@1", "shared.0")):
        node = by_module[old]
        stack = (*node.module_stack[:-1], by_module[new].module_stack[-1])
        edited = edits.with_meta(program, ("", node.name), nn_module_stack=stack)
        check(program, edited, {("", node.name, node.name, "nn_module_stack", "changed")})


def test_regions_are_full_names_too():
    program = read(export(TwoLists(), torch.randn(2, 4)))
    edited = program
    for node in program.graph.nodes:
        if node.target == "aten.linear.default":
            edited = edits.with_meta(edited, ("", node.name), custom=1)
    regions = compare(program, edited).patterns.regions[0]
    assert set(regions) == {"enc.0", "dec.0", "shared.0", "shared.0@1"}


def test_equal_ops_on_other_shapes_are_other_edits():
    class Two(nn.Module):
        def forward(self, x, y):
            return x.sum(1), y.sum(1)

    program = read(export(Two(), torch.ones(2, 3), torch.ones(2, 5)))
    edited = program
    for node in program.graph.nodes:
        if node.target == "aten.sum.dim_IntList":
            edited, _ = edits.change_facet(edited, ("", node.name), "shape")
    assert list(compare(program, edited).patterns["count"]) == [1, 1]


class Odd(nn.Module):
    """Results that are no tensors, and inputs that are none either."""

    def forward(self, x, n, nothing=None, scale=2.0):
        top, at = x.topk(2)
        return {"top": top, "none": None, "rows": x.shape[0], "n": n, "text": None}, at * scale


def test_inputs_and_results_that_are_no_tensors():
    def made(n):
        return read(torch.export.export(Odd(), (torch.randn(4, 3), n), {"scale": 1.5}, dynamic_shapes=shapes))

    shapes = {"x": {0: torch.export.Dim("rows", min=2, max=8)}, "n": None, "scale": None}
    first, other = made(3), made(4)
    check(first, first, set())
    diff = compare(first, other)
    assert {(row.family, row.aspect) for row in diff.rows if row.family.startswith("signature")} == {
        ("signature.inputs", "constant"),
        ("signature.outputs", "constant"),
    }
    assert diff.worst == "wrong_result"


class Data(nn.Module):
    def forward(self, x):
        n = x.sum().to(torch.int64).item()
        torch._check(n >= 2)
        torch._check(n < 64)
        return torch.zeros(n) + 1, n


def test_sizes_that_depend_on_data():
    program = read(export(Data(), torch.ones(5)))
    check(program, program, set())
    again = read(export(Data(), torch.ones(5)))
    assert compare(program, again).ok


class Weights(nn.Module):
    def __init__(self, device="cpu"):
        super().__init__()
        self.low = nn.Parameter(torch.ones(3, dtype=torch.bfloat16, device=device))
        self.register_buffer("turning", torch.ones(3, dtype=torch.complex64, device=device))
        self.register_buffer("nothing", torch.ones(0, device=device))
        self.scalar = nn.Parameter(torch.tensor(2.0, device=device))

    def forward(self, x):
        return x * self.low.float() * self.scalar, self.turning * 1j, self.nothing


def test_weights_of_every_sort():
    program = read(export(Weights(), torch.ones(3)))
    check(program, program, set())
    assert compare(program, program, weights="exact").ok
    meta = read(export(Weights("meta"), torch.ones(3, device="meta")))
    assert compare(meta, meta).ok
    diff = compare(meta, program)
    assert {row.field for row in diff.rows if row.aspect == "elements"} == {
        "weights[low]", "weights[turning]", "weights[scalar]",
    }  # fmt: skip


def test_a_body_that_is_held_twice():
    @torch.compiler.nested_compile_region
    def region(x):
        return x.sin() * 2.0

    class Twice(nn.Module):
        def forward(self, x):
            return region(x) + region(x + 1)

    exported = export(Twice(), torch.ones(3), strict=True)
    program = read(exported)
    held = [node for node in program.graph.nodes if node.subgraphs]
    assert len(held) == 2
    diff = check(program, program, set())
    assert diff.proof.same


def test_values_are_read_from_val():
    """Not from `tensor_meta`, which is gone after loading."""
    program = read(export(nn.Linear(4, 4), torch.randn(2, 4)))
    stale = program
    for node in program.graph.nodes:
        stale = edits.with_meta(stale, ("", node.name), tensor_meta=None)
    diff = compare(program, stale)
    assert {(row.field, row.kind) for row in diff.rows} == {("tensor_meta", "lost")}
    assert diff.worst == "debug_info"


def test_an_unknown_op_and_unknown_metadata_are_labelled_values():
    program = read(export(nn.Linear(4, 4), torch.randn(2, 4)))
    node = program.graph.nodes[-2]
    strange = edits.edit_node(program, ("", node.name), target="from_the_future.op.v9", op="call_something")
    diff = compare(program, strange)
    assert {row.field for row in diff.rows} <= {"op", "target", "args", "order"}
    assert diff.worst == "wrong_result"
    check(strange, strange, set())


def test_empty_graphs():
    program = read(export(nn.Linear(4, 4), torch.randn(2, 4)))
    bare = replace(program, graphs=freeze({"": replace(program.graph, nodes=())}), inputs=(), outputs=(), stored=())
    assert compare(bare, bare).ok
    assert not compare(program, bare).ok
    only_output = edits.with_nodes(bare, "", program.graph.nodes[-1:])
    assert not compare(program, only_output).ok


def test_separators_in_module_names():
    program = read(export(nn.Linear(4, 4), torch.randn(2, 4)))
    odd = (ModuleCall("a,b;c@1", "a,b;c", "M,N"),)
    named = edits.with_meta(program, ("", "linear"), nn_module_stack=odd)
    other = edits.with_meta(program, ("", "linear"), nn_module_stack=(replace(odd[0], path="a,b", key="a,b@1"),))
    check(named, other, {("", "linear", "linear", "nn_module_stack", "changed")})
