"""Live objects of every kind become Programs that say what the objects say."""

import operator

import pytest
import torch
from read import live_models as models
from torch import nn

import graphlens
from graphlens.errors import SourceError
from graphlens.program.argument import Const, Ref, Seq
from graphlens.program.graph import ModuleCall
from graphlens.program.value import ConstValue, SymValue, TensorValue
from graphlens.read import read


def names(program, path=""):
    return [node.name for node in program.graphs[path].nodes]


def test_exported_program_has_its_nodes_in_order():
    ep = models.shared()
    program = read(ep)
    assert names(program) == [node.name for node in ep.graph.nodes]
    linear = program.graph["linear"]
    assert linear.op == "call_function"
    assert linear.target == "aten.linear.default"
    assert linear.args == (Ref("x"), Ref("p_enc_0_weight"), Ref("p_enc_0_bias"))
    assert linear.arg_names == ("input", "weight", "bias")
    assert program.graph.output.args == (Seq("tuple", (Ref("add"),)),)
    assert program.origin.kind == "exported_program"


@pytest.mark.parametrize("strict", [False, True])
def test_two_calls_of_one_module_are_two_regions_and_equal_classes_stay_apart(strict):
    program = read(models.shared(strict))
    modules = [node.module for node in program.graph.nodes if node.target == "aten.linear.default"]
    assert modules == ["enc.0", "dec.0", "sh.0", "sh.0@1"]
    keys = [node.module_stack[-1].key for node in program.graph.nodes if node.target == "aten.linear.default"]
    assert len(set(keys)) == 4


def test_strict_export_keeps_its_keys():
    ep = models.shared(strict=True)
    node = next(node for node in ep.graph.nodes if node.target is torch.ops.aten.linear.default)
    plain = read(ep).graph[node.name]
    assert [call.key for call in plain.module_stack] == [str(key) for key in node.meta["nn_module_stack"]]


def test_signature_says_what_each_input_and_output_is():
    program = read(models.shared())
    kinds = {spec.argument: (spec.kind, spec.target, spec.persistent) for spec in program.inputs}
    assert kinds["p_enc_0_weight"] == ("parameter", "enc.0.weight", None)
    assert kinds["b_unsaved"] == ("buffer", "unsaved", False)
    assert kinds["c_constant"] == ("constant_tensor", "constant", None)
    assert [spec.path for spec in program.inputs if spec.kind == "user_input"] == ["args[0]"]
    assert [(spec.kind, spec.argument, spec.path) for spec in program.outputs] == [("user_output", "add", "")]


def test_buffer_mutation_is_an_output():
    class Count(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("n", torch.zeros(()))

        def forward(self, x):
            self.n.add_(1)
            return x + self.n

    program = read(torch.export.export(Count(), (torch.ones(2),)).run_decompositions({}))
    assert ("buffer_mutation", "n") in [(spec.kind, spec.target) for spec in program.outputs]


def test_pytree_paths_of_inputs_and_outputs():
    class Model(nn.Module):
        def forward(self, batch, *, scale):
            return {"sum": batch["a"][0] * scale, "rest": (batch["b"], None, 3)}

    ep = torch.export.export(Model(), ({"a": [torch.ones(2)], "b": torch.ones(3)},), {"scale": torch.ones(())})
    program = read(ep)
    assert [spec.path for spec in program.inputs] == ["args[0]['a'][0]", "args[0]['b']", "kwargs['scale']"]
    assert [(spec.path, spec.constant) for spec in program.outputs] == [
        ("['sum']", None), ("['rest'][0]", None), ("['rest'][1]", None), ("['rest'][2]", 3),
    ]  # fmt: skip
    assert program.in_spec == torch.utils._pytree.treespec_dumps(ep.call_spec.in_spec, 1)
    assert program.out_spec == torch.utils._pytree.treespec_dumps(ep.call_spec.out_spec, 1)


def test_unregistered_dataclass_output_is_labelled():
    program = read(models.unregistered())
    assert "Unregistered" in program.out_spec
    assert len(program.outputs) == 2
    assert [spec.path for spec in program.outputs] == [".first", ".second['k']"]


def test_placeholders_that_are_not_tensors():
    class Model(nn.Module):
        def forward(self, x, n, f, none, flag):
            return x * n + f

    program = read(torch.export.export(Model(), (torch.ones(2), 3, 2.5, None, True)))
    values = [node.value for node in program.graph.placeholders]
    assert isinstance(values[0], TensorValue)
    assert values[1:] == [ConstValue(3), ConstValue(2.5), ConstValue(None), ConstValue(True)]
    assert [type(value.value) for value in values[1:]] == [int, float, type(None), bool]
    frame = program.nodes().set_index("name")
    assert frame.loc["n", "value"] == "3"
    assert frame.loc["none", "value"] == "None"
    assert frame.loc["n", "dtype"] is None


def test_symbols_have_range_hint_and_the_place_that_binds_them():
    program = read(models.dynamic())
    by_kind = {symbol.backed: symbol for symbol in program.symbol_table}
    backed, unbacked = by_kind[True], by_kind[False]
    assert (backed.range.lower, backed.range.upper, backed.hint) == (2, 64, 4)
    assert backed.bound == ("", "x", "shape[0]")
    assert (unbacked.range.lower, unbacked.range.upper, unbacked.hint) == (0, 9, None)
    assert unbacked.bound == ("", "item", "")
    view = next(node for node in program.graph.nodes if node.target.startswith(("aten.reshape", "aten.view")))
    assert view.value.shape[0] == f"2*{backed.name}"
    product = next(node for node in program.graph.nodes if node.target == "_operator.mul" and node.args[1] == 3)
    assert product.value == SymValue("SymInt", f"3*{backed.name}", 12)
    table = program.symbols().set_index("name")
    assert table.loc[f"2*{backed.name}", "kind"] == "derived"
    assert "x" in table.loc[backed.name, "users"]
    assert table.loc[backed.name, "bound"] == "x.shape[0]"


def test_versions_and_guards():
    ep = models.dynamic()
    program = read(ep)
    assert program.versions.torch == torch.__version__
    assert program.versions.dialect == ep.dialect
    assert program.versions.verifiers == tuple(verifier.dialect for verifier in ep.verifiers)
    assert program.versions.opset["aten"] > 0
    assert program.guards == tuple(ep._guards_code)


def test_pre_dispatch_and_decomposed_keep_their_provenance():
    ep = models.shared()
    program = read(ep.run_decompositions())
    add = program.graph["add"]
    entry = add.meta["from_node"][0]
    assert entry.name == "add"
    assert entry.from_node[0].pass_name == "ExportedProgram.module()"
    assert add.meta["original_aten"] == Const("function", "aten.add.Tensor")
    assert program.versions.dialect == "ATEN"


def test_symbolic_trace_calls_modules():
    traced = torch.fx.symbolic_trace(models.Shared())
    program = read(traced)
    calls = [(node.target, node.module) for node in program.graph.nodes if node.op == "call_module"]
    assert calls[:4] == [("enc.0", "enc.0"), ("dec.0", "dec.0"), ("sh.0", "sh.0"), ("sh.1", "sh.1")]
    kinds = {tensor.fqn: tensor.kind for tensor in program.stored}
    assert kinds["enc.0.weight"] == "parameter"
    assert [kinds[node.target] for node in program.graph.nodes if node.op == "get_attr"] == ["buffer"]
    assert all(node.value is None for node in program.graph.nodes)


def test_methods_and_functions_are_named():
    class Model(nn.Module):
        def forward(self, x):
            return torch.nn.functional.relu(x.sin().add(1)) @ torch.relu(x) - x

    program = read(torch.fx.symbolic_trace(Model()))
    assert [node.target for node in program.graph.nodes] == [
        "x", "sin", "add", "torch.nn.functional.relu", "torch.relu", "_operator.matmul", "_operator.sub", "output",
    ]  # fmt: skip
    assert [node.op for node in program.graph.nodes][1:3] == ["call_method", "call_method"]


def test_bare_graph():
    program = read(models.body(torch.sin, torch.cos).graph)
    assert [node.target for node in program.graph.nodes] == ["x", "torch.sin", "torch.cos", "output"]
    assert program.origin.kind == "graph"
    unowned = torch.fx.Graph()
    unowned.output((unowned.call_function(operator.add, (unowned.placeholder("a"), 1)),))
    assert len(read(unowned).graph) == 3


def test_dynamo_graphs_have_example_values_and_source_functions():
    graphs = []

    def backend(gm, _):
        graphs.append(gm)
        return gm.forward

    torch._dynamo.reset()
    torch.compile(models.Shared(), backend=backend, dynamic=True)(torch.ones(3, 4))
    program = read(graphs[0])
    linear = next(node for node in program.graph.nodes if node.target == "torch._C._nn.linear")
    assert isinstance(linear.value, TensorValue)
    assert linear.value.shape == (program.symbol_table[0].name, 4)
    assert linear.meta["source_fn_stack"][-1][1] in ("torch.nn.modules.linear.Linear", "torch._C._nn.linear")
    assert linear.meta["example_value"] == linear.value
    assert "test_live" in linear.stack_trace or "live_models" in linear.stack_trace
    assert program.symbol_table[0].range.lower is not None
    assert [call.path.endswith("sh.0") for call in linear.module_stack] == [False] * len(linear.module_stack)


def test_aot_graphs():
    from torch._dynamo.backends.common import aot_autograd

    graphs = []

    def compiler(gm, _):
        graphs.append(gm)
        return gm

    torch._dynamo.reset()
    model = torch.compile(nn.Linear(4, 4), backend=aot_autograd(fw_compiler=compiler, bw_compiler=compiler))
    model(torch.ones(2, 4)).sum().backward()
    forward, backward = map(read, graphs)
    assert "aten.addmm.default" in [node.target for node in forward.graph.nodes]
    assert [node.name for node in backward.graph.placeholders][-1] == "tangents_1"


def test_make_fx_without_module_stacks():
    from torch.fx.experimental.proxy_tensor import make_fx

    program = read(make_fx(lambda x: x.reshape(-1, 2).sin(), tracing_mode="symbolic")(torch.ones(2, 4)))
    assert all(node.module == "" for node in program.graph.nodes)
    assert len(program.symbol_table) == 2
    assert {symbol.hint for symbol in program.symbol_table} == {2, 4}
    assert program.graph["sin"].value.dtype == "float32"


def test_a_program_is_returned_as_it_is():
    program = read(models.shared())
    assert read(program) is program
    assert graphlens.read(program) is program


def test_reading_changes_nothing():
    ep = models.shared()
    before = [(node.name, dict(node.meta)) for node in ep.graph.nodes]
    read(ep)
    after = [(node.name, dict(node.meta)) for node in ep.graph.nodes]
    assert [(name, list(meta)) for name, meta in before] == [(name, list(meta)) for name, meta in after]
    assert all(a[key] is b[key] for (_, a), (_, b) in zip(before, after, strict=True) for key in a)


@pytest.mark.parametrize(
    ("foreign", "words"),
    [
        (3, "builtins.int"),
        (None, "NoneType"),
        (b"PK", "io.BytesIO"),
        ([1], "builtins.list"),
        (nn.Linear(2, 2), "torch.export.export"),
        (nn.Linear, "the class torch.nn.modules.linear.Linear"),
        (torch.ones(2), "torch.Tensor"),
    ],
)
def test_a_foreign_object_is_named(foreign, words):
    with pytest.raises(SourceError, match="cannot read") as caught:
        read(foreign)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_model_and_source_are_checked():
    with pytest.raises(SourceError, match="model='m'"):
        read(models.shared(), model="m")
    with pytest.raises(SourceError, match="policy"):
        read(models.shared(), source="some")


def test_source_policies():
    trace = next(node.meta["stack_trace"] for node in models.shared().graph.nodes if "stack_trace" in node.meta)
    full = read(models.shared(), source="full")
    assert full.graph["linear"].stack_trace in trace or trace in [n.stack_trace for n in full.graph.nodes]
    assert any(file.startswith("/") for file in full.sources)
    lines = next(lines for file, lines in full.sources.items() if file.endswith("live_models.py"))
    assert any("self.sh(self.sh(" in text for text in lines.values())
    relative = read(models.shared())
    assert relative.sources
    assert not any(file.startswith("/") for file in relative.sources)
    assert '"/' not in relative.graph["linear"].stack_trace
    nothing = read(models.shared(), source="none")
    assert not nothing.sources
    assert nothing.graph["linear"].stack_trace is None


def test_custom_ops_bring_their_schema():
    with torch.library._scoped_library("live_test", "DEF") as library:
        library.define("twice(Tensor x, *, int n=2) -> Tensor")
        library.impl("twice", lambda x, *, n=2: x * n, "CompositeExplicitAutograd")

        class Model(nn.Module):
            def forward(self, x):
                return torch.ops.live_test.twice(x, n=3)

        program = read(torch.export.export(Model(), (torch.ones(2),)))
    node = program.graph["twice"]
    assert node.target == "live_test.twice.default"
    assert dict(node.kwargs) == {"n": 3}
    assert program.schemas == {"live_test.twice.default": "live_test::twice(Tensor x, *, int n=2) -> Tensor"}


def test_module_call_keys():
    assert ModuleCall("L__self___sh@1", "sh", "Sequential").call == "sh@1"
    assert ModuleCall("L__self___sh", "sh", "Sequential").call == "sh"


def test_thirty_thousand_nodes_take_linear_time():
    import time

    graph = torch.fx.Graph()
    x = graph.placeholder("x")
    value = x.meta["val"] = torch.empty(2)
    for i in range(30_000):
        x = graph.call_function(torch.ops.aten.add.Tensor, (x, i))
        x.meta.update(val=value, stack_trace=f'File "m.py", line {i % 50}, in f', nn_module_stack={"k": ("a", "A")})
    graph.output(x)
    began = time.perf_counter()
    program = read(graph)
    assert time.perf_counter() - began < 15
    assert len(program.graph) == 30_002
    traces = {id(node.stack_trace) for node in program.graph.nodes if node.stack_trace}
    assert len(traces) == 50
    assert len({id(node.module_stack) for node in program.graph.nodes if node.module_stack}) == 1
