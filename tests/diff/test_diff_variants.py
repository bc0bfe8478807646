"""One real model exported in other ways: other sizes, dtypes, devices, modes, and its graph before and after passes."""

from __future__ import annotations

import copy
import io
from collections import Counter
from functools import cache

import pytest
import torch
from diff import models
from torch import nn

from graphlens.diff import Diff, compare
from graphlens.program.program import Program
from graphlens.read import read

pytestmark = pytest.mark.filterwarnings("ignore")
aten = torch.ops.aten


@cache
def base() -> torch.export.ExportedProgram:
    return models.exported("bert")


@cache
def program() -> Program:
    return read(base())


def again(
    args=None,
    change=lambda model: model,
    name: str = "bert",
    inputs=lambda each: each,
    wrapped: type[nn.Module] = models.Wrapped,
    **options,
) -> Program:
    """Export a model again: on other `args` or on `inputs` of the usual ones, after a `change`."""
    torch.manual_seed(0)
    model, given, kwargs = models.MODELS[name]()
    given, kwargs = tuple(map(inputs, given)), {key: inputs(each) for key, each in kwargs.items()}
    model = change(model.eval())
    return read(torch.export.export(wrapped(model).eval(), args or given, kwargs, **options))


def roots(diff: Diff) -> Counter[tuple[str, str, str]]:
    told = (row for row in diff.rows if row.cause == "root" and row.severity in ("wrong_result", "breaks_pass"))
    return Counter((row.family, row.kind, row.severity) for row in told)


@pytest.mark.parametrize("args", [(models.ids(3),), (torch.arange(24).reshape(2, 12) + 1,)], ids=["batch", "length"])
def test_another_size_is_one_root(args):
    diff = compare(program(), again(args))
    assert roots(diff) == {("val.shape", "changed", "wrong_result"): 1}
    by_cause = {cause: [row for row in diff.rows if row.cause == cause] for cause in ("root", "inherited")}
    assert [row.node_a for row in by_cause["root"] if row.severity != "cosmetic"] == ["args_0"]
    assert {row.aspect for row in by_cause["root"] if row.severity == "cosmetic"} <= {"dead"}
    assert len(diff.node_rows) == len(program().graph)
    assert all(row.inherited_from for row in by_cause["inherited"])


INPUTS = {"llama": {"args_0"}, "vit": {"args_0"}, "whisper": {"input_features", "decoder_input_ids"}}


@pytest.mark.parametrize("name", INPUTS)
def test_another_batch_is_one_root_for_each_input(name):
    """Whatever the model makes of it, thousands of sizes follow from those of the inputs; nothing else differs."""
    a = read(models.exported(name))
    diff = compare(a, again(name=name, inputs=lambda each: torch.cat([each, each])))
    assert roots(diff) == {("val.shape", "changed", "wrong_result"): len(INPUTS[name])}
    assert {row.node_a for row in diff.rows if row.cause == "root" and row.aspect != "dead"} == INPUTS[name]
    assert {(row.match.split()[0], row.node_a == row.node_b) for row in diff.node_rows} <= {
        (how, True) for how in ("same", "signature", "propagated")
    }
    assert {row.field.partition(".")[0] for row in diff.rows} <= {"val", "args", "tensor_meta"}


def test_recorded_inputs_of_an_operator_follow_from_its_operands():
    a = read(models.exported("mixtral"))
    diff = compare(a, again(name="mixtral", inputs=lambda each: torch.cat([each, each])))
    assert roots(diff) == {("val.shape", "changed", "wrong_result"): 1}
    recorded = [row for row in diff.rows if row.field == "eager_input_vals"]
    assert len(recorded) == 6
    for row in recorded:
        assert row.inherited_from in a.graph[row.node_a].inputs


def test_a_longer_text_is_one_root_for_llama_too():
    a = read(models.exported("llama"))
    diff = compare(a, again((torch.arange(24).reshape(2, 12) + 1,), name="llama"))
    assert roots(diff) == {("val.shape", "changed", "wrong_result"): 1}
    assert len(diff.node_rows) == sum(map(len, a.graphs.values()))


def in_bfloat16(each: torch.Tensor) -> torch.Tensor:
    return each.to(torch.bfloat16) if each.is_floating_point() else each


CASTS = {
    # what llama casts back to, in two casts of each norm and two of the rotary embedding; before it, its sums read otherwise
    "llama": {("args", "changed", "wrong_result"): 9, ("args", "changed", "breaks_pass"): 6},
    "vit": {("val.dtype", "changed", "wrong_result"): 1},
    "whisper": {("val.dtype", "changed", "wrong_result"): 1, ("kwargs", "changed", "wrong_result"): 1},
}


@pytest.mark.parametrize("name", CASTS)
def test_half_the_bits_are_said_of_weights_inputs_and_casts(name):
    """Values have another dtype because these have; assertions of a dtype follow from the value that they are about."""
    a = read(models.exported(name))
    diff = compare(a, again(name=name, change=lambda model: model.to(torch.bfloat16), inputs=in_bfloat16))
    changed = [tensor.fqn for tensor in a.stored if tensor.dtype == "float32"]
    assert Counter(roots(diff)) == Counter(CASTS[name]) + Counter(
        {("weights", "changed", "wrong_result"): len(changed)}
    )
    assert not [row for row in diff.rows if row.kind in ("only_a", "only_b", "ambiguous")]
    follow = {row.cause for row in diff.rows if row.field == "val.dtype" and row.node_a not in INPUTS[name]}
    assert follow == {"inherited"}
    assert all(row.cause == "inherited" for row in diff.rows if row.aspect == "assertion")


def test_assertions_of_a_cast_go_with_their_line_in_half_precision():
    """T5 casts back at the end of its norms only in bfloat16: what is asserted there is new, and no other assertion takes its place."""
    a = read(models.exported("t5"))
    diff = compare(a, again(name="t5", change=lambda model: model.to(torch.bfloat16)))
    asserts = [row for row in diff.node_rows if "_assert_tensor_metadata" in row.target_a + row.target_b]
    paired = [(diff.a.graph[row.node_a], diff.b.graph[row.node_b]) for row in asserts if row.node_a and row.node_b]
    assert len(paired) == 22
    assert all(x.stack_trace == y.stack_trace and x.module == y.module for x, y in paired)
    new = [row for row in diff.node_rows if row.match.startswith("only")]
    assert Counter(row.target_b for row in new) == {"aten._assert_tensor_metadata.default": 17, "aten.to.dtype": 17}


def test_a_free_size_is_one_root_and_its_range():
    free = again(dynamic_shapes={"args": ({0: torch.export.Dim("rows", min=2, max=64)},)})
    diff = compare(program(), free)
    assert diff.worst == "breaks_pass", str(diff)
    assert roots(diff) == {
        ("val.shape", "changed", "breaks_pass"): 1,
        ("range_constraints", "added", "breaks_pass"): 1,
        ("target", "only_b", "breaks_pass"): 1,  # the size is read from the input once
    }
    assert compare(free, program()).worst == "breaks_pass"


def test_another_dtype_is_said_of_the_weights():
    """Every value has another dtype because the weights have."""
    diff = compare(program(), again(change=lambda model: model.to(torch.bfloat16)))
    parameters = {tensor.fqn for tensor in program().stored if tensor.kind == "parameter"}
    assert roots(diff) == {("weights", "changed", "wrong_result"): len(parameters)}
    follow = [row for row in diff.rows if row.field == "val.dtype"]
    assert {row.cause for row in follow} == {"inherited"}
    assert {(row.a, row.b) for row in follow} == {("float32", "bfloat16")}


def test_another_device_is_no_wrong_result():
    diff = compare(program(), again((models.ids().to("meta"),), lambda model: model.to("meta")))
    assert diff.worst == "breaks_pass", str(diff)
    devices = [row for row in diff.rows if row.field == "val.device"]
    assert devices
    assert {row.node_a for row in devices if row.cause == "root" and row.aspect != "dead"} == {"args_0"}
    assert {row.aspect for row in diff.rows if row.where == "kwargs['device']"} == {"device", "dead"}


def test_strict_computes_what_non_strict_does():
    """But for copies that nobody reads, and for what strict export records of its own."""
    diff = compare(program(), again(strict=True))
    assert diff.proof.same, str(diff)
    assert {row.field for row in diff.rows if row.severity == "breaks_pass" and row.cause == "root"} == {"val.type"}


def test_strict_loses_a_buffer_that_nothing_reads():
    torch.manual_seed(0)
    model, args, kwargs = models.MODELS["llama"]()
    strict = read(torch.export.export(models.Wrapped(model).eval(), args, kwargs, strict=True))
    diff = compare(read(models.exported("llama")), strict)
    assert diff.worst == "breaks_pass", str(diff)
    (lost,) = [row for row in diff.rows if row.family == "weights"]
    assert (lost.field, lost.kind, lost.aspect) == (
        "weights[model.model.rotary_emb.original_inv_freq]",
        "lost",
        "unread",
    )


def test_the_module_of_a_program_reads_its_state_as_attributes():
    diff = compare(read(base().module()), program())
    weights = sum(spec.target is not None for spec in program().inputs)
    assert roots(diff) == {("op", "changed", "breaks_pass"): weights, ("target", "only_a", "breaks_pass"): 1}


def test_decompositions_of_an_archive_are_never_called_wrong():
    """Between two files there are no ids of graphs, only names: the account is the same."""

    def saved(exported):
        buffer = io.BytesIO()
        torch.export.save(exported, buffer)
        buffer.seek(0)
        return read(buffer)

    decomposed = models.decomposed("bert")
    live, files = compare(program(), read(decomposed)), compare(saved(base()), saved(decomposed))
    for diff in (live, files):
        assert diff.worst == "breaks_pass", str(diff)
        assert {pattern.severity for pattern in diff.pattern_rows} <= {"breaks_pass", "debug_info", "cosmetic"}
        assert diff.proof.level == "different"  # a decomposition is proved in stages, where torch is at hand
    assert Counter(row.match for row in live.node_rows if row.match.startswith("group")) == Counter(
        row.match for row in files.node_rows if row.match.startswith("group")
    )


def passed(edit) -> Diff:
    """Compare the program with itself after a pass over its graph."""
    edited = copy.deepcopy(base())
    graph = edited.graph_module.graph
    for node in list(graph.nodes):
        if node.op == "call_function":
            edit(graph, node)
    graph.lint()
    return compare(program(), read(edited))


def one_pattern(diff: Diff) -> None:
    worst = [pattern for pattern in diff.pattern_rows if pattern.severity == diff.worst]
    assert [(pattern.count, pattern.regions) for pattern in worst] == [
        (3, tuple(f"model.encoder.layer.{i}" for i in range(3)))
    ], str(diff)


def test_a_pass_that_takes_the_approximate_activation():
    def edit(_, node):
        if node.target is aten.gelu.default:
            node.kwargs = {"approximate": "tanh"}

    diff = passed(edit)
    assert roots(diff) == {("kwargs", "added", "wrong_result"): 3}
    one_pattern(diff)


def test_a_pass_that_puts_copies_in():
    """What reads the copy reads the same value: the copies alone are told."""

    def edit(graph, node):
        if node.target is aten.gelu.default:
            with graph.inserting_after(node):
                copied = graph.call_function(aten.contiguous.default, (node,))
            node.replace_all_uses_with(copied, delete_user_cb=lambda user: user is not copied)
            copied.meta = dict(node.meta)

    diff = passed(edit)
    assert roots(diff) == {("target", "only_b", "breaks_pass"): 3}
    assert diff.worst == "breaks_pass"
    one_pattern(diff)
    assert not [row for row in diff.rows if row.kind == "only_a"]


def _fused(x, weight, bias):
    return nn.functional.gelu(nn.functional.linear(x, weight, bias))


torch.library.define("accounts::linear_gelu", "(Tensor x, Tensor weight, Tensor bias) -> Tensor")
torch.library.impl("accounts::linear_gelu", "CompositeExplicitAutograd", _fused)


def test_a_pass_that_fuses_two_calls_into_a_custom_one():
    def edit(graph, node):
        if node.target is aten.gelu.default:
            linear = node.args[0]
            with graph.inserting_before(node):
                fused = graph.call_function(torch.ops.accounts.linear_gelu.default, linear.args)
            fused.meta = dict(node.meta)
            node.replace_all_uses_with(fused)
            graph.erase_node(node)
            graph.erase_node(linear)

    diff = passed(edit)
    groups = diff.alignment.graphs[0].groups
    assert [(len(group.a), len(group.b)) for group in groups] == [(2, 1)] * 3
    assert roots(diff) == {("target", "changed", "wrong_result"): 3}
    one_pattern(diff)


class LowRank(nn.Module):
    """A linear with a correction of low rank beside it, as adapters put it in."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.base_layer = linear
        self.down = nn.Linear(linear.in_features, 2, bias=False)
        self.up = nn.Linear(2, linear.out_features, bias=False)

    def forward(self, x):
        return self.base_layer(x) + self.up(self.down(x)) * 0.5


def test_an_adapter_at_every_query():
    def adapted(model):
        for layer in model.encoder.layer:
            layer.attention.self.query = LowRank(layer.attention.self.query)
        return model

    diff = compare(program(), again(change=adapted))
    calls = [row for row in diff.rows if row.kind == "only_b" and row.family == "target" and row.cause == "root"]
    assert Counter(row.target for row in calls) == {
        "aten.linear.default": 6,
        "aten.mul.Tensor": 3,
        "aten.add.Tensor": 3,
    }
    assert not [row for row in diff.rows if row.kind in ("only_a", "ambiguous")]
    assert len(diff.alignment.graphs[0].groups) == 0
    kept = [row for row in diff.rows if row.family == "weights"]
    assert Counter(row.kind for row in kept) == {"renamed": 6, "added": 6}
    assert all(".query.base_layer." in row.b for row in kept if row.kind == "renamed")
    one_pattern(diff)


def adapted_everywhere(model: nn.Module) -> nn.Module:
    for module in list(model.modules()):
        for child, held in list(module.named_children()):
            if isinstance(held, nn.Linear):
                setattr(module, child, LowRank(held))
    return model


@pytest.mark.parametrize(("name", "linears"), [("bert", 19), ("llama", 22)])
def test_an_adapter_at_every_linear(name, linears):
    """Every weight is itself under another name, zeros too; what each adapter adds is on one side only, and nothing is undecided."""
    a = read(models.exported(name))
    diff = compare(a, again(name=name, change=adapted_everywhere))
    lone = [row for row in diff.rows if row.family == "target" and row.kind in ("only_a", "only_b")]
    assert Counter(row.target for row in lone if row.cause == "root") == {
        "aten.linear.default": 2 * linears, "aten.mul.Tensor": linears, "aten.add.Tensor": linears,
    }  # fmt: skip
    assert {row.kind for row in lone} == {"only_b"}
    assert not [row for row in diff.rows if row.kind == "ambiguous"]
    assert not diff.alignment.graphs[0].groups
    weights = [row for row in diff.rows if row.family == "weights"]
    moved = {row.a: row.b for row in weights if row.kind == "renamed"}
    assert moved == {
        tensor.fqn: f"{module}.base_layer.{leaf}"
        for tensor in a.stored
        for module, _, leaf in [tensor.fqn.rpartition(".")]
        if any(row.b == f"{module}.base_layer.{leaf}" for row in weights)
    }
    assert len(moved) == linears * (2 if name == "bert" else 1)  # llama has no biases
    assert Counter(row.kind for row in weights) == {"renamed": len(moved), "added": 2 * linears}
    assert {(row.field, row.cause) for row in diff.rows if row.severity == "wrong_result" and row not in lone} == {
        ("args", "inherited")
    }


class Autocast(models.Wrapped):
    def forward(self, *args, **kwargs):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return super().forward(*args, **kwargs)


@pytest.mark.parametrize("back", [False, True], ids=["in", "out"])
def test_a_region_under_autocast(back):
    """All calls became one that holds a graph: one group, whose inside follows from it; what was dead is dead."""
    pair = [program(), again(wrapped=Autocast)]
    a, b = reversed(pair) if back else pair
    diff = compare(a, b)
    assert roots(diff) == {("target", "changed", "wrong_result"): 1}
    (group,) = diff.alignment.graphs[0].groups
    flat, region = (group.b, group.a) if back else (group.a, group.b)
    plain, cast = pair
    assert [cast.graph[node].target for node in region] == ["higher_order.wrap_with_autocast"] + [
        "_operator.getitem"
    ] * 2
    dead = {row.node for row in diff.rows if row.aspect == "dead"}
    calls = {node.name for node in plain.graph.nodes if node.op == "call_function"}
    assert set(flat) | dead == calls
    assert not set(flat) & dead
    inside = [row for row in diff.rows if (row.graph if back else row.graph_b or "") not in ("", "program")]
    assert {(row.kind, row.cause) for row in inside} == {("only_a" if back else "only_b", "inherited")}
    assert not [row for row in diff.rows if row.family in ("weights", "signature.inputs", "signature.outputs")]
    (told,) = (row for row in diff.rows if row.severity == "wrong_result" and row.cause == "root")
    assert (told.b if back else told.a).startswith(f"{len(flat)} nodes (aten.linear ×19, ")


class Dequantized(nn.Module):
    """A linear whose weight is kept in eight bits."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        scale = linear.weight.detach().abs().amax(1, keepdim=True) / 127
        self.register_buffer("scale", scale)
        self.register_buffer("weight", (linear.weight.detach() / scale).round().to(torch.int8))
        self.bias = linear.bias

    def forward(self, x):
        return nn.functional.linear(x, self.weight.to(x.dtype) * self.scale, self.bias)


def test_weights_in_eight_bits():
    def quantized(model):
        for layer in model.encoder.layer:
            layer.intermediate.dense = Dequantized(layer.intermediate.dense)
        return model

    diff = compare(program(), again(change=quantized))
    calls = [row for row in diff.rows if row.kind == "only_b" and row.family == "target" and row.cause == "root"]
    assert Counter(row.target for row in calls if row.severity == "wrong_result") == {
        "aten.mul.Tensor": 3,
        "aten.to.dtype": 3,
    }
    assert not [row for row in diff.rows if row.kind in ("only_a", "ambiguous")]
    touched = {row.module for row in diff.rows if row.severity == "wrong_result" and row.module}
    assert {module.rpartition("layer.")[2].partition(".")[2] for module in touched} == {"intermediate.dense"}
    one_pattern(diff)
