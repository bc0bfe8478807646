"""Every stage and preset on one model with nested control flow, ops of other dialects, and what this machine lacks."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from graphlens.stages import roundtrip
from graphlens.stages.catalog import PRESETS, plan_stages
from graphlens.stages.preflight import preflight


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        def inner(v):
            return torch.cond(v.sum() > 1, self.a, lambda w: self.b(w) - 1, (v,))

        return torch.cond(x.mean() > 0, inner, lambda v: v * 2, (x,))


@pytest.fixture
def sample():
    torch.manual_seed(0)
    return Net().eval(), (torch.rand(2, 4),)


ALL = ("export:strict", "export:non-strict", "pre_dispatch", "serialize", "deepcopy", "unflatten", "retrace")


def test_all_stages_run_and_answer_bit_by_bit(sample):
    trip = roundtrip(*sample, stages=ALL, runtimes=("eager", *ALL))
    assert list(trip.stages["stage"]) == list(ALL)
    assert set(trip.stages["status"]) == {"ok"}, trip.verdict
    assert set(trip.outputs["status"]) == {"reference", "ok"}, trip.verdict
    assert list(trip.stages["graphs"][:3]) == [5, 5, 5]


@pytest.mark.parametrize("preset", PRESETS)
def test_the_flows_of_pytorch(sample, preset):
    last = plan_stages(preset)[-1].name
    trip = roundtrip(*sample, stages=preset, runtimes=("eager", last))
    assert trip.ok, trip.verdict
    assert list(trip.stages["stage"]) == [stage.name for stage in plan_stages(preset)]


def test_a_stage_leaves_what_it_starts_from_alone(sample):
    def wreck(program):
        for node in list(program.graph.nodes):
            node.meta.clear()

    trip = roundtrip(*sample, stages=("export", ("wreck", wreck), "unflatten", "deepcopy@export"), runtimes=())
    assert set(trip.stages["status"]) == {"ok"}, trip.verdict
    assert trip.diff("export", "deepcopy@export").worst != "wrong_result"
    assert not any("val" in row.field for row in trip.diff("export", "deepcopy@export").rows)


@pytest.mark.parametrize("dynamic", [False, True])
def test_a_pass_takes_an_unflattened_module_and_leaves_it_alone(dynamic):
    def louder(module):
        graphs = [part.graph for part in module.modules() if hasattr(part, "graph")]
        for node in [node for graph in graphs for node in graph.nodes if node.target is torch.ops.aten.add.Tensor]:
            node.args = (node.args[0], 3)

    class Sized(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Sequential(nn.Linear(4, 4), nn.ReLU())

        def forward(self, x):
            return self.inner(x).reshape(x.shape[0] * 4) + 1

    shapes = {"x": {0: torch.export.Dim("batch")}} if dynamic else None
    stages = ("export", "unflatten", ("louder", louder))
    runtimes = ("eager", "unflatten", "louder")
    trip = roundtrip(Sized(), (torch.rand(3, 4),), dynamic_shapes=shapes, stages=stages, runtimes=runtimes)
    assert set(trip.stages["status"]) == {"ok"}, trip.verdict
    assert dict(zip(trip.outputs["runtime"], trip.outputs["status"], strict=True))["unflatten"] == "ok"
    rows = trip.diff("unflatten", "louder").rows
    assert [(row.target, row.field, row.a, row.b) for row in rows] == [("aten.add.Tensor", "args", "1", "3")]


def test_what_a_pass_may_return(sample):
    from torch.fx.passes.infra.pass_base import PassResult

    def nothing(program):
        program.graph.eliminate_dead_code()

    def same(program):
        return program

    def module(program):
        return program.module()

    def result(graph_module):
        return PassResult(graph_module, True)

    trip = roundtrip(*sample, stages=("export", nothing, same, module, result), runtimes=("eager", "same", "result"))
    assert set(trip.stages["status"]) == {"ok"}, trip.verdict
    assert set(trip.outputs["status"]) == {"reference", "ok"}, trip.verdict


class Extension:
    """An op of another dialect, as backends register them."""

    __name__ = "foreign.plus"

    def __hash__(self):
        return 0

    def __eq__(self, other):
        return type(other) is type(self)

    def __call__(self, *args):
        return torch.ops.aten.add.Tensor(*args)


def test_extension_ops_go_through_the_serializer():
    from torch._export.serde import serialize
    from torch._export.verifier import Verifier

    class Foreign(Verifier):
        dialect = "FOREIGN"

        def allowed_op_types(self):
            return (*super().allowed_op_types(), Extension)

    class Handler(serialize.ExtensionHandler):
        namespace = classmethod(lambda cls: "foreign")
        to_op_name = classmethod(lambda cls, op: "plus")
        from_op_name = classmethod(lambda cls, name: Extension())
        op_schema = classmethod(lambda cls, op: torch.ops.aten.add.Tensor._schema)

    serialize.register_extension(Extension, Handler)
    program = torch.export.export(Plus(), (torch.ones(3),))
    module = copy.deepcopy(program.graph_module)
    next(node for node in module.graph.nodes if node.op == "call_function").target = Extension()
    foreign = program._update(module, program.graph_signature, verifiers=[Foreign])
    trip = roundtrip(foreign, stages=("export", "serialize"), runtimes=("exported", "serialize"))
    assert trip.ok, trip.verdict


class Plus(nn.Module):
    def forward(self, x):
        return x + x


def test_triton_kernels_are_saved_and_cannot_be_loaded_and_preflight_says_so():
    from torch._higher_order_ops.triton_kernel_wrap import triton_kernel_wrapper_functional

    program = torch.export.export(Plus(), (torch.ones(3),))
    add = next(node for node in program.graph.nodes if node.op == "call_function")
    with program.graph.inserting_before(add):
        kernel = program.graph.call_function(triton_kernel_wrapper_functional, (), {"kernel_idx": 0})
        kernel.meta["val"] = {}
    found = [problem for problem in preflight(program).found if problem.consequence == "cannot be loaded"]
    assert [problem.where for problem in found] == [kernel.name]
    assert "Triton" in found[0].reason
    assert "AOTInductor" in found[0].advice


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_no_cuda_is_a_clear_row():
    class Moves(nn.Module):
        def forward(self, x):
            return x.cuda() + 1

    trip = roundtrip(Moves(), (torch.ones(2),), stages="export", runtimes=("eager",))
    row = trip.runtimes.iloc[0]
    assert row["status"] == "failed"
    assert row["hint"].startswith("there is no CUDA here")
    assert "test_stages.py:" in row["error"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_shared_weights_on_a_gpu_stay_shared():
    one = nn.Linear(4, 4).cuda()
    trip = roundtrip(nn.Sequential(one, one), (torch.rand(2, 4, device="cuda"),))
    assert trip.ok, trip.verdict
    assert not any(row.family == "aliasing" for row in trip.diffs["reload"].rows)
