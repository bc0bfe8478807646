"""Live exported programs edited the way passes do it, and what becomes of them where nothing was edited."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from torch import fx, nn
from torch.export.graph_signature import InputKind, OutputKind
from torch.utils._sympy.value_ranges import ValueRanges

import graphlens as gl

aten = torch.ops.aten
Rows = set[tuple[str | None, str, str, str]]


class Stateful(nn.Module):
    """Two mutated buffers, one that is not persistent, a constant, a tied weight, a dynamic size, several results."""

    def __init__(self) -> None:
        super().__init__()
        self.lin, self.tied = nn.Linear(4, 4), nn.Linear(4, 4)
        self.tied.weight = self.lin.weight
        self.register_buffer("a", torch.zeros(4))
        self.register_buffer("b", torch.zeros(4))
        self.register_buffer("n", torch.ones(4), persistent=False)
        self.c = torch.ones(4)

    def forward(self, x, y):
        self.a.add_(x.sum(0))
        self.b.add_(y.sum(0) * 2)
        z = self.lin(x) + self.a + self.b * self.n + self.c + self.tied(y)
        wide = z.to(torch.float64).view(x.shape[0], 2, 2)
        return z, z.sin(), x * 3, wide, x.shape[0] + 1


def make() -> torch.export.ExportedProgram:
    torch.manual_seed(0)
    rows = torch.export.Dim("rows", min=2, max=64)
    args = (torch.ones(3, 4), torch.ones(3, 4))
    program = torch.export.export(Stateful(), args, dynamic_shapes={"x": {0: rows}, "y": {0: rows}})
    return program.run_decompositions({})


@cache
def fresh() -> torch.export.ExportedProgram:
    return make()


@cache
def untouched() -> gl.Program:
    return gl.read(fresh())


def find(program: Any, target: Any) -> fx.Node:
    return next(node for node in program.graph.nodes if node.target == target)


def specs(program: Any, kind: Any) -> list[Any]:
    signature = program.graph_signature
    return [spec for spec in (*signature.input_specs, *signature.output_specs) if spec.kind == kind]


EDITS: dict[str, tuple[Callable[[Any], Any], Rows]] = {}


def edit(*rows: tuple[str | None, str, str, str]) -> Callable[[Any], Any]:
    def note(function: Any) -> Any:
        EDITS[function.__name__] = (function, set(rows))
        return function

    return note


@edit(
    (None, "signature.outputs[0]", "changed", "breaks_pass"), (None, "signature.outputs[1]", "changed", "breaks_pass")
)
def specifications_of_mutations_exchange_their_nodes(p):
    one, two = specs(p, OutputKind.BUFFER_MUTATION)
    one.arg, two.arg = two.arg, one.arg


@edit(
    ("output", "args", "changed", "wrong_result"),
    (None, "signature.outputs[0]", "moved", "breaks_pass"), (None, "signature.outputs[1]", "moved", "breaks_pass"),
)  # fmt: skip
def mutations_exchange_their_buffers(p):
    one, two = specs(p, OutputKind.BUFFER_MUTATION)
    one.target, two.target = two.target, one.target


@edit((None, "signature.outputs[2]", "changed", "wrong_result"))
def a_result_becomes_a_loss(p):
    specs(p, OutputKind.USER_OUTPUT)[0].kind = OutputKind.LOSS_OUTPUT


@edit((None, "signature.outputs[2]", "changed", "breaks_pass"))
def a_result_is_named_as_another_node(p):
    result = specs(p, OutputKind.USER_OUTPUT)[0]
    result.arg = type(result.arg)(name="sum_1")


@edit(("output", "args", "changed", "wrong_result"))
def the_graph_returns_another_node(p):
    output = find(p, "output")
    results = list(output.args[0])
    results[2] = results[3]
    output.args = (tuple(results),)


@edit((None, "signature.inputs[4]", "changed", "breaks_pass"))
def a_buffer_is_no_longer_persistent(p):
    specs(p, InputKind.BUFFER)[0].persistent = False


@edit(
    ("x", "order", "moved", "cosmetic"),
    (None, "signature.inputs[8]", "changed", "wrong_result"), (None, "signature.inputs[9]", "changed", "wrong_result"),
)  # fmt: skip
def placeholders_change_places_and_their_specifications_do_not(p):
    x, y = (node for node in p.graph.nodes if node.name in ("x", "y"))
    x.prepend(y)


@edit((None, "weights[lin.bias]", "changed", "wrong_result"))
def one_element_of_a_weight(p):
    p.state_dict["lin.bias"].data[2] += 2**-20


@edit((None, "weights[lin.bias]", "changed", "wrong_result"))
def the_sign_of_a_zero(p):
    p.state_dict["lin.bias"].data[:] = fresh().state_dict["lin.bias"]
    p.state_dict["lin.bias"].data[0].neg_()


@edit((None, "weights[a]", "changed", "wrong_result"))
def a_zero_buffer_becomes_a_negative_zero(p):
    p.state_dict["a"][1] = -0.0


@edit((None, "weights[lin.bias]", "changed", "breaks_pass"))
def a_weight_needs_no_gradient(p):
    p.state_dict["lin.bias"].requires_grad_(False)


@edit((None, "weights[lin.bias]", "changed", "wrong_result"))
def a_weight_is_wider(p):
    p.state_dict["lin.bias"] = nn.Parameter(p.state_dict["lin.bias"].double())


@edit((None, "aliasing[tied.weight]", "changed", "breaks_pass"))
def a_tie_is_broken(p):
    p.state_dict["tied.weight"] = nn.Parameter(p.state_dict["tied.weight"].data.clone())


@edit(
    (None, "weights[lin.weight]", "changed", "breaks_pass"), (None, "aliasing[tied.weight]", "changed", "breaks_pass")
)
def a_weight_has_other_strides(p):
    p.state_dict["lin.weight"] = nn.Parameter(p.state_dict["lin.weight"].data.t().contiguous().t())


@edit((None, "weights[lin.bias]", "lost", "wrong_result"))
def a_weight_is_missing(p):
    del p.state_dict["lin.bias"]


@edit((None, "weights[more]", "added", "breaks_pass"))
def a_weight_that_nothing_uses(p):
    p.state_dict["more"] = torch.ones(1)


@edit((None, "constants[c]", "changed", "wrong_result"))
def a_constant_has_another_value(p):
    p.constants["c"] = p.constants["c"] * 2


@edit((None, "constants[c]", "changed", "wrong_result"))
def a_constant_has_another_dtype(p):
    p.constants["c"] = p.constants["c"].double()


@edit((None, "constants[c]", "changed", "wrong_result"), (None, "constants[c]", "changed", "breaks_pass"))
def a_constant_is_negated_by_its_bit(p):
    p.constants["c"] = torch._neg_view(p.constants["c"])


@edit((None, "range_constraints[s17]", "changed", "breaks_pass"))
def a_range_is_wider(p):
    p._range_constraints = {symbol: ValueRanges(2, 128) for symbol in p.range_constraints}


@edit((None, "range_constraints[s17]", "lost", "breaks_pass"))
def a_range_is_lost(p):
    p._range_constraints = {}


@edit((None, "guards", "added", "breaks_pass"))
def a_guard_more(p):
    p._guards_code = [*p._guards_code, "L['x'].size(0) != 7"]


@edit((None, "module_call_graph[tied]", "lost", "breaks_pass"))
def a_module_call_is_lost(p):
    p.module_call_graph.remove(next(entry for entry in p.module_call_graph if entry.fqn == "tied"))


@edit((None, "module_call_graph[]", "changed", "breaks_pass"))
def arguments_have_other_names(p):
    p.module_call_graph[0].signature.forward_arg_names = ["p", "q"]


@edit((None, "example_inputs", "lost", "debug_info"))
def example_inputs_are_lost(p):
    p._example_inputs = None


@edit((None, "meta[note]", "added", "debug_info"))
def the_module_has_metadata(p):
    p.graph_module.meta["note"] = [1, "two"]


@edit(("mul", "args", "changed", "wrong_result"))
def a_number_becomes_a_float(p):
    node = find(p, aten.mul.Tensor)
    node.args = (node.args[0], 2.0)


@edit(("_to_copy", "kwargs", "changed", "wrong_result"))
def a_dtype_among_keywords(p):
    find(p, aten._to_copy.default).kwargs = {"dtype": torch.float16}


@edit(("_to_copy", "kwargs", "added", "wrong_result"))
def a_memory_format_among_keywords(p):
    find(p, aten._to_copy.default).kwargs = {"dtype": torch.float64, "memory_format": torch.channels_last}


@edit(("sum_1", "args", "changed", "wrong_result"))
def another_dimension(p):
    node = find(p, aten.sum.dim_IntList)
    node.args = (node.args[0], [1])


@edit(("sum_1", "args", "added", "wrong_result"))
def a_flag_that_is_not_the_default(p):
    node = find(p, aten.sum.dim_IntList)
    node.args = (*node.args, True)


@edit(("sum_1", "args", "added", "cosmetic"))
def a_flag_that_is_the_default(p):
    node = find(p, aten.sum.dim_IntList)
    node.args = (*node.args, False)


@edit(("add_37", "args", "changed", "wrong_result"))
def a_symbolic_size_is_one_larger(p):
    node = [node for node in p.graph.nodes if node.target is operator.add][-1]
    node.args = (node.args[0], node.args[1] + 1)


@edit(("sin", "target", "changed", "wrong_result"))
def another_operator(p):
    find(p, aten.sin.default).target = aten.cos.default


@edit(("sin", "val.dtype", "changed", "wrong_result"))
def a_value_of_another_dtype(p):
    node = find(p, aten.sin.default)
    node.meta["val"] = node.meta["val"].to(torch.float16)


@edit(("sin", "val.stride", "changed", "breaks_pass"))
def a_value_with_other_strides(p):
    node = find(p, aten.sin.default)
    held = node.meta["val"]
    node.meta["val"] = held.new_empty_strided(tuple(held.shape), (1, held.shape[0]))


@edit(("sin", "val.requires_grad", "changed", "breaks_pass"))
def a_value_that_needs_no_gradient(p):
    node = find(p, aten.sin.default)
    node.meta["val"] = node.meta["val"].detach().clone().requires_grad_(not node.meta["val"].requires_grad)


@edit(("sin", "val", "lost", "breaks_pass"))
def a_value_is_lost(p):
    del find(p, aten.sin.default).meta["val"]


@edit(("sin", "my_pass", "added", "debug_info"))
def a_key_of_ones_own(p):
    find(p, aten.sin.default).meta["my_pass"] = {"seen": {1, 2}}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_gives_its_rows_and_no_others(name):
    function, expected = EDITS[name]
    edited = copy.deepcopy(fresh())
    function(edited)
    diff = gl.diff(untouched(), edited)
    assert {(row.node_a, row.field, row.kind, row.severity) for row in diff.rows if row.cause == "root"} == expected, (
        str(diff)
    )
    assert not (diff.worst == "wrong_result" and diff.proof.same), str(diff)
    assert gl.diff(edited, untouched()).proof.level == diff.proof.level


def test_nothing_was_edited():
    assert gl.diff(untouched(), copy.deepcopy(fresh())).ok
    assert gl.diff(untouched(), fresh()).proof.level == "identical"


def test_a_signature_without_verifiers_is_read():
    edited = copy.deepcopy(fresh())
    edited._verifiers = []
    assert gl.diff(untouched(), edited).proof.same
