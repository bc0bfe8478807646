"""Nested graphs are found wherever they are held, with no list of ops."""

import operator
import types

import pytest
import torch
from read import live_models as models
from torch import nn
from torch.fx import Graph, GraphModule

from graphlens.program.argument import Const, Opaque, Seq, refs
from graphlens.program.graph import Subgraph
from graphlens.read import read
from graphlens.read.live_graph import Body
from graphlens.read.live_meta import Interned
from graphlens.read.live_walk import walk


def found_modules(gm):
    walked = walk(Body(gm.graph, gm), Interned("relative"))
    return {id(body.graph) for body in walked.bodies.values()}


def held_modules(gm):
    return {id(module.graph) for module in gm.modules() if isinstance(module, GraphModule)}


def test_paths_roles_and_call_nodes():
    program = read(models.nested())
    assert list(program.graphs) == [
        "",
        "cond.true_fn",
        "cond.true_fn/map_impl.f",
        "cond.true_fn/map_impl.f/cond.true_fn",
        "cond.true_fn/map_impl.f/cond.false_fn",
        "cond.false_fn",
    ]
    cond = program.graph["cond"]
    assert cond.subgraphs == (
        Subgraph("true_fn", "args[1]", "true_graph_0"),
        Subgraph("false_fn", "args[2]", "false_graph_0"),
    )
    assert program.graph["true_graph_0"].op == "get_attr"
    inner = program.graphs["cond.true_fn/map_impl.f/cond.false_fn"]
    assert [node.target for node in inner.nodes][-2:] == ["aten.mul.Tensor", "output"]
    assert not program.notices


HOPS = [info.name for info in __import__("torch.testing._internal.hop_db", fromlist=["hop_db"]).hop_db]


@pytest.mark.parametrize("index", range(len(HOPS)), ids=[f"{i}-{name}" for i, name in enumerate(HOPS)])
def test_every_higher_order_op_of_this_torch(index):
    from torch.testing._internal.hop_db import hop_db

    info = hop_db[index]
    sample = next(iter(info.sample_inputs("cpu", torch.float32)))

    class Calls(nn.Module):
        def forward(self, *args):
            return info.op(*args, **sample.kwargs)

    first = sample.input if isinstance(sample.input, tuple) else (sample.input,)
    torch._dynamo.reset()
    try:
        ep = torch.export.export(Calls(), (*first, *sample.args), strict=True)
    except Exception as error:
        pytest.skip(f"torch does not export it: {type(error).__name__}: {str(error).splitlines()[0][:100]}")
    program = read(ep)
    assert found_modules(ep.graph_module) == held_modules(ep.graph_module)
    assert not program.notices
    for path, node in program.walk():
        known = program.graphs[path]
        assert all(name in known for name in node.inputs)
        assert all(program.child_path(path, node.name, sub.role) in program.graphs for sub in node.subgraphs)


def test_flex_attention_holds_two_graphs_one_of_them_in_a_tuple():
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    mask = create_block_mask(lambda b, h, q, k: q >= k, 1, 1, 128, 128, device="cpu")

    class Model(nn.Module):
        def forward(self, q, k, v):
            return flex_attention(q, k, v, score_mod=lambda s, b, h, i, j: s + (i - j), block_mask=mask)

    try:
        ep = torch.export.export(Model(), tuple(torch.ones(1, 1, 128, 8) for _ in range(3)), strict=True)
    except torch._dynamo.exc.UserError as error:
        pytest.skip(f"this torch does not export it: {str(error).splitlines()[0][:100]}")
    program = read(ep)
    call = next(node for node in program.graph.nodes if node.target == "higher_order.flex_attention")
    assert [sub.role for sub in call.subgraphs] == ["score_mod", "mask_mod"]
    assert call.subgraphs[1].where.startswith("args[4][")
    assert found_modules(ep.graph_module) == held_modules(ep.graph_module)


def test_containers_slices_and_keywords():
    def build(graph, x):
        a, b, c, d = (graph.get_attr(name) for name in "abcd")
        return graph.call_function(operator.getitem, ([a, (x, b)], slice(c, None, 1)), {"option": {"k": d}})

    program = read(models.holder(build, **{name: models.body(torch.sin) for name in "abcd"}))
    node = program.graph["getitem"]
    assert [(sub.where, sub.attribute) for sub in node.subgraphs] == [
        ("args[0][0]", "a"), ("args[0][1][1]", "b"), ("args[1]['start']", "c"), ("kwargs['option']['k']", "d"),
    ]  # fmt: skip
    assert len({sub.role for sub in node.subgraphs}) == 4
    assert len(program.graphs) == 5
    assert not program.notices


def test_unlifted_modules_among_the_arguments():
    gm = models.holder(lambda graph, x: graph.call_function(torch.add, (x, 1)))
    node = next(node for node in gm.graph.nodes if node.op == "call_function")
    node.args = (node.args[0], models.body(torch.sin))
    program = read(gm)
    assert program.graphs["add.arg1"].nodes[1].target == "torch.sin"
    assert program.graph["add"].args[1] == Opaque("torch.fx.graph_module.GraphModule", "")


def test_call_module_of_a_graph_module():
    program = read(models.holder(lambda graph, x: graph.call_module("sub", (x,)), sub=models.body(torch.sin)))
    assert program.graph["sub"].subgraphs == (Subgraph("module", "target", "sub"),)
    assert "sub.module" in program.graphs


def test_unflattened_module_is_read_through_its_interpreters():
    module = torch.export.unflatten(models.shared())
    program = read(module)
    called = [node.target for node in program.graph.nodes if node.op == "call_module"]
    assert called
    assert len(program.graphs) > len(called)


def test_a_shared_body_is_one_graph_at_several_paths():
    def build(graph, x):
        first = graph.call_function(torch.add, (graph.get_attr("f"), x))
        return graph.call_function(torch.mul, (graph.get_attr("f"), first))

    program = read(models.holder(build, f=models.body(torch.sin)))
    assert program.graphs["add.arg0"] is program.graphs["mul.arg0"]
    assert "the same graph as add.arg0" in str(program)


def test_two_operands_of_one_call_may_be_the_same_body():
    def build(graph, x):
        f = graph.get_attr("f")
        return graph.call_function(torch.where, (x, f, f))

    program = read(models.holder(build, f=models.body(torch.sin)))
    assert list(program.graphs) == ["", "where.arg1", "where.arg2"]


def test_a_graph_that_contains_itself_is_noticed():
    root = models.holder(lambda graph, x: graph.call_function(torch.add, (x, graph.get_attr("f"))), f=models.body())
    object.__setattr__(root, "f", None)
    root._modules["f"] = None
    root.__dict__["f"] = root
    program = read(root)
    assert list(program.graphs) == [""]
    assert "contains itself" in program.notices[0].message


def test_shared_bodies_of_shared_bodies_are_bounded(monkeypatch):
    from graphlens.read import live_walk

    monkeypatch.setattr(live_walk, "PATH_LIMIT", 50)
    gm = models.body(torch.sin)
    for _ in range(24):
        gm = models.holder(
            lambda graph, x: graph.call_function(torch.add, (graph.get_attr("f"), graph.get_attr("f"))), f=gm
        )
    program = read(gm)
    assert len(program.graphs) == 50
    assert "only the first 50" in program.notices[0].message


def test_orphans_are_reported():
    gm = models.body(torch.sin)
    gm.left_over = models.body(torch.cos)
    program = read(gm)
    assert [(notice.where, "no node uses it" in notice.message) for notice in program.notices] == [("left_over", True)]
    assert list(program.graphs) == [""]


def test_deep_nesting_needs_no_recursion():
    gm = models.body(torch.sin)
    for _ in range(400):
        inner = gm
        graph = Graph()
        x = graph.placeholder("x")
        graph.output(graph.call_function(torch.add, (x, 1)))
        gm = GraphModule(nn.Module(), graph)
        gm.__dict__["f"] = inner
        node = next(node for node in gm.graph.nodes if node.op == "call_function")
        with gm.graph.inserting_before(node):
            node.args = (x, gm.graph.create_node("get_attr", "f"))
    program = read(gm)
    assert len(program.graphs) == 401
    assert str(program)


def test_delegates_keep_the_program_they_were_made_from():
    class LoweredBackendModule(nn.Module):
        """The shape of executorch's."""

        def __init__(self, program):
            super().__init__()
            self.backend_id, self.processed_bytes, self.compile_specs = "Xnn", b"compiled", []
            object.__setattr__(self, "original_module", program)

    lowered = LoweredBackendModule(models.nested())
    gm = models.holder(lambda graph, x: graph.call_function(torch.add, (graph.get_attr("lowered"), x)), lowered=lowered)
    program = read(gm)
    assert "add.arg0" in program.graphs
    assert "add.arg0/cond.true_fn/map_impl.f" in program.graphs
    stored = program.stored[0]
    assert (stored.fqn, stored.kind, stored.nbytes, stored.content.element_bytes()) == (
        "lowered",
        "custom_obj",
        8,
        b"compiled",
    )
    lowered.processed_bytes = b"Compiled"
    assert read(gm).stored[0].content.digest() != stored.content.digest()


def test_programs_and_modules_that_are_attributes_themselves():
    keeper = nn.Module()
    object.__setattr__(keeper, "original_module", models.body(torch.cos))
    gm = models.holder(lambda graph, x: graph.call_function(torch.add, (graph.get_attr("keeper"), x)), keeper=keeper)
    assert read(gm).graphs["add.arg0"].nodes[1].target == "torch.cos"
    gm.__dict__["program"] = models.nested()
    node = next(node for node in gm.graph.nodes if node.op == "call_function")
    with gm.graph.inserting_before(node):
        node.args = (gm.graph.create_node("get_attr", "program"), 1)
    assert "add.arg0/cond.true_fn" in read(gm).graphs


def test_a_real_delegate_call():
    from torch._higher_order_ops.executorch_call_delegate import executorch_call_delegate

    lowered = nn.Module()
    object.__setattr__(lowered, "original_module", types.SimpleNamespace(graph_module=models.body(torch.sin)))
    gm = models.holder(
        lambda graph, x: graph.call_function(executorch_call_delegate, (graph.get_attr("lowered"), x)), lowered=lowered
    )
    program = read(gm)
    assert program.graph["executorch_call_delegate"].subgraphs[0].role == "lowered_module"
    assert "executorch_call_delegate.lowered_module" in program.graphs


def test_aoti_delegate():
    from torch._higher_order_ops.aoti_call_delegate import aoti_call_delegate

    lowered = nn.Module()
    lowered.aoti_path = "model.so"
    gm = models.holder(
        lambda graph, x: graph.call_function(
            aoti_call_delegate, (graph.get_attr("lowered"), graph.get_attr("original"), [], [x])
        ),
        lowered=lowered,
        original=models.body(torch.sin),
    )
    program = read(gm)
    assert [sub.role for sub in program.graph["aoti_call_delegate"].subgraphs] == ["original_gm"]


def test_wrapped_ops_shift_the_roles_and_are_named():
    from torch._higher_order_ops.effects import with_effects

    def build(graph, x):
        true, false = graph.get_attr("t"), graph.get_attr("f")
        return graph.call_function(with_effects, (x, torch.ops.higher_order.cond, x, true, false, [x]))

    program = read(models.holder(build, t=models.body(torch.sin), f=models.body(torch.cos)))
    node = program.graph["with_effects"]
    assert node.args[1] == Const("function", "higher_order.cond")
    assert [sub.role for sub in node.subgraphs] == ["true_fn", "false_fn"]


def test_triton_kernel_node_built_by_hand():
    from torch._higher_order_ops.triton_kernel_wrap import triton_kernel_wrapper_functional

    def build(graph, x):
        return graph.call_function(
            triton_kernel_wrapper_functional,
            (),
            {
                "kernel_idx": 0,
                "constant_args_idx": 0,
                "grid": [(1, 1, 1)],
                "tma_descriptor_metadata": {},
                "kwargs": {"in_ptr": x, "out_ptr": x, "BLOCK": 16},
                "tensors_to_clone": ["out_ptr"],
            },
        )

    program = read(models.holder(build))
    node = program.graph["triton_kernel_wrapper_functional"]
    assert node.target == "higher_order.triton_kernel_wrapper_functional"
    assert node.kwargs["grid"] == Seq("list", (Seq("tuple", (1, 1, 1)),))
    assert list(refs(node.kwargs["kwargs"])) == ["x", "x"]
    assert [key for key, _ in node.kwargs["kwargs"].items] == ["in_ptr", "out_ptr", "BLOCK"]


def test_script_objects():
    torch_bind = pytest.importorskip("torch.testing._internal.torchbind_impls")
    try:
        torch_bind.init_torchbind_implementations()
        foo = torch.classes._TorchScriptTesting._Foo(1, 2)
    except (RuntimeError, OSError, FileNotFoundError) as error:
        pytest.skip(f"this build has no test script classes: {str(error).splitlines()[0][:80]}")

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.attr = foo

        def forward(self, x):
            return x + self.attr.add_tensor(x)

    program = read(torch.export.export(Model(), (torch.ones(2),), strict=False))
    spec = next(spec for spec in program.inputs if spec.kind == "custom_obj")
    assert program.graph[spec.argument].value.type.endswith("_Foo")
    assert [tensor.kind for tensor in program.stored] == ["custom_obj"]


def test_script_object_arguments_are_labelled_by_class():
    from torch.export.graph_signature import CustomObjArgument

    gm = models.body(torch.sin)
    node = next(iter(gm.graph.nodes))
    node.meta["val"] = CustomObjArgument(name="obj", class_fqn="__torch__.torch.classes.tests.Foo")
    value = read(gm).graph["x"].value
    assert (value.type, value.text) == ("__torch__.torch.classes.tests.Foo", "")


def test_references_stay_inside_their_graph():
    for path, node in read(models.nested()).walk():
        assert all(isinstance(name, str) and name for name in node.inputs), path


def test_arguments_of_higher_order_ops_have_their_names_in_both_readers(tmp_path):
    class Branches(torch.nn.Module):
        def forward(self, x):
            up, down = (lambda v: v + 1), (lambda v: v - 1)
            return torch.cond(x.sum() > 0, up, down, (x,))

    program = torch.export.export(Branches(), (torch.rand(3),))
    torch.export.save(program, tmp_path / "cond.pt2")
    for source in (program, tmp_path / "cond.pt2"):
        node = next(node for node in read(source).graph.nodes if node.subgraphs)
        assert node.arg_names == ("pred", "true_fn", "false_fn", "operands")
