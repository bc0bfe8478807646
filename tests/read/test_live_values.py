"""Every facet of every kind of value and argument survives, and nothing is invented."""

import enum
import math
from collections import OrderedDict, namedtuple

import pytest
import torch
from read import live_models as models
from torch import nn

from graphlens.program.argument import Const, Map, Opaque, Ref, Seq, Slice, same_argument
from graphlens.program.value import ConstValue, ContainerValue, OpaqueValue, SymValue, TensorValue
from graphlens.read import read
from graphlens.read.live_arguments import to_argument
from graphlens.read.live_values import to_value


def value(obj, storages=None):
    return to_value(obj, {} if storages is None else storages)


def test_every_facet_of_a_tensor():
    assert value(torch.ones(2, 3, dtype=torch.bfloat16)[:, 1:]) == TensorValue(
        shape=(2, 2), dtype="bfloat16", stride=(3, 1), storage_offset=1, device="cpu", layout="strided",
        requires_grad=False, conj=False, neg=False, type="Tensor", storage=0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("tensor", "facet", "expected"),
    [
        (torch.ones(2, dtype=torch.complex64).conj(), "conj", True),
        (torch.ones(2, dtype=torch.complex64).conj().imag, "neg", True),
        (torch.ones(2, requires_grad=True), "requires_grad", True),
        (nn.Parameter(torch.ones(2)), "type", "Parameter"),
        (nn.Buffer(torch.ones(2)), "type", "Tensor"),
        (torch.empty(2, device="meta"), "device", "meta"),
        (torch.ones(1, 2, 4, 4).to(memory_format=torch.channels_last), "stride", (32, 1, 8, 2)),
        (torch.ones(2, dtype=torch.float8_e4m3fn), "dtype", "float8_e4m3fn"),
        (torch.ones(2, dtype=torch.complex128), "dtype", "complex128"),
        (torch.ones(2, 2).to_sparse(), "layout", "sparse_coo"),
        (torch.ones(2, 2).to_sparse(), "stride", None),
        (torch.ones(2, 2).to_sparse_csr(), "layout", "sparse_csr"),
        (torch.ones(()), "shape", ()),
        (torch.ones(0, 3), "shape", (0, 3)),
        (torch.ones(1).expand(5), "stride", (0,)),
    ],
)
def test_facets(tensor, facet, expected):
    assert getattr(value(tensor), facet) == expected


def test_subclasses_are_named():
    class Mine(torch.Tensor):
        pass

    assert value(torch.ones(2).as_subclass(Mine)).type.endswith("test_subclasses_are_named.<locals>.Mine")


def test_fake_tensors_are_tensors_and_fake_parameters_parameters():
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode() as mode:
        assert value(torch.ones(2)).type == "Tensor"
    assert value(mode.from_tensor(nn.Parameter(torch.ones(2)))).type == "Parameter"


def test_aliases_share_a_storage_number():
    base = torch.ones(4)
    storages = {}
    numbers = [value(tensor, storages).storage for tensor in (base, torch.ones(4), base[1:], base.view(2, 2))]
    assert numbers == [0, 1, 0, 0]


def test_numbers_strings_and_none_are_themselves():
    for constant in (3, True, 2.5, None, "text", 1j, -0.0):
        assert same_argument(value(constant).value, constant)
    assert math.isnan(value(math.nan).value)


def test_containers_keep_their_kind():
    pair = namedtuple("pair", "a b")(1, None)
    assert value((1, [None, 2.0])) == ContainerValue(
        "tuple", (ConstValue(1), ContainerValue("list", (ConstValue(None), ConstValue(2.0))))
    )
    assert value({"a": 1, 2: None}).keys == ("a", "2")
    assert value(pair).kind == "tuple"
    assert value(torch.Size([2])).kind == "tuple"
    assert value(()) == ContainerValue("tuple", ())


def test_containers_that_nest_deeply_or_contain_themselves_end():
    deep = []
    for _ in range(5000):
        deep = [deep]
    assert isinstance(value(deep), ContainerValue)
    own = []
    own.append(own)
    assert "itself" in str(value(own))


def symbolic(number):
    from torch._dynamo.source import ConstantSource
    from torch.fx.experimental.symbolic_shapes import DimDynamic, ShapeEnv

    environment = ShapeEnv()
    symbol = environment.create_symbol(number, source=ConstantSource("x"), dynamic_dim=DimDynamic.DYNAMIC)
    return environment, environment.create_symintnode(symbol, hint=number)


def test_symbolic_numbers():
    environment, size = symbolic(6)
    name = str(size.node.expr)
    assert value(size) == SymValue("SymInt", name, 6)
    assert value(size * 2 + 1) == SymValue("SymInt", f"2*{name} + 1", 13)
    assert value(torch.sym_float(size)).kind == "SymFloat"
    assert value(size > 3) == SymValue("SymBool", f"{name} > 3", True)
    unbacked = environment.create_unbacked_symint()
    assert value(unbacked) == SymValue("SymInt", "u0", None)
    assert value(environment.create_unbacked_symfloat()).expr == "zuf0"


def test_a_symbolic_number_that_is_a_number_is_a_constant():
    _, size = symbolic(6)
    assert value(size - size + 4) == ConstValue(4)


def test_other_values_are_labelled():
    assert value(torch.float32) == OpaqueValue("torch.dtype", "torch.float32")
    assert value(object()) == OpaqueValue("object", "")


def argument(obj):
    return to_argument(obj, None)


class Colour(enum.Enum):
    RED = 1


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (1, 1), (True, True), (1.0, 1.0), (None, None), ("a", "a"), (2j, 2j),
        (torch.float16, Const("dtype", "float16")),
        (torch.device("cuda", 1), Const("device", "cuda:1")),
        (torch.device("cpu"), Const("device", "cpu")),
        (torch.strided, Const("layout", "strided")),
        (torch.channels_last, Const("memory_format", "channels_last")),
        (torch.per_tensor_affine, Const("qscheme", "per_tensor_affine")),
        (torch.ops.aten.add.Tensor, Const("function", "aten.add.Tensor")),
        (torch.ops.aten.add, Const("function", "aten.add")),
        (torch.ops.higher_order.cond, Const("function", "higher_order.cond")),
        (torch.nn.functional.relu, Const("function", "torch.nn.functional.relu")),
        (math.ceil, Const("function", "math.ceil")),
        (torch.Tensor.add, Const("function", "torch.Tensor.add")),
        (nn.Linear, Const("type", "torch.nn.modules.linear.Linear")),
        (int, Const("type", "int")),
        (slice(1, None, 2), Slice(1, None, 2)),
        (range(1, 5), Opaque("range", "1, 5, 1")),
        (..., Opaque("ellipsis", "...")),
        ([1, (2, [])], Seq("list", (1, Seq("tuple", (2, Seq("list", ())))))),
        ({"a": [1], 3: None}, Map((("a", Seq("list", (1,))), (3, None)))),
        (OrderedDict(b=1, a=2), Map((("b", 1), ("a", 2)))),
        ({3, 1}, Opaque("set", "1, 3")),
        (torch.Size([2, 3]), Seq("tuple", (2, 3))),
        (nn.ReLU(), Opaque("torch.nn.modules.activation.ReLU", "")),
        (torch.ones(2, 3), Opaque("Tensor", "f32[2, 3]")),
        (slice([1], (2,), None), Slice(Seq("list", (1,)), Seq("tuple", (2,)), None)),
    ],
)  # fmt: skip
def test_arguments(obj, expected):
    assert same_argument(argument(obj), expected)


def test_enums_dataclasses_and_functions_of_the_test_are_named():
    assert argument(Colour.RED).text == "RED"
    assert argument(Colour.RED).type.endswith("Colour")
    labelled = argument(models.Unregistered(torch.ones(2), [1]))
    assert labelled.text == "first=<Tensor: f32[2]>, second=[1]"


def test_symbolic_arguments_are_expressions():
    _, size = symbolic(6)
    assert argument([size, size.node.expr + 1]) == Seq("list", (Const("sym", str(size)), Const("sym", f"{size} + 1")))


def test_immutable_lists_of_fx_are_lists():
    gm = models.holder(lambda graph, x: graph.call_function(torch.cat, ([x, x], 0), {"out": {"k": (x,)}}))
    node = read(gm).graph["cat"]
    assert node.args == (Seq("list", (Ref("x"), Ref("x"))), 0)
    assert node.kwargs == {"out": Map((("k", Seq("tuple", (Ref("x"),))),))}


def test_val_is_read_and_tensor_meta_is_not():
    from torch.fx.passes.shape_prop import ShapeProp

    gm = torch.fx.symbolic_trace(nn.Linear(2, 3))
    ShapeProp(gm).propagate(torch.ones(1, 2))
    node = read(gm).graph["linear" if "linear" in read(gm).graph else read(gm).graph.nodes[1].name]
    assert node.value is None
    assert "tensor_meta" in node.meta


def test_results_of_several_kinds():
    class Model(nn.Module):
        def forward(self, x):
            return torch.ops.aten.native_layer_norm(x, [4], None, None, 1e-5), x.shape[0]

    dim = torch.export.Dim("n", min=2)
    program = read(torch.export.export(Model(), (torch.ones(3, 4),), dynamic_shapes=({0: dim},)))
    layer_norm = next(node for node in program.graph.nodes if "layer_norm" in node.target)
    assert layer_norm.value.kind == "tuple"
    assert len(layer_norm.value.items) == 3
    frame = program.values()
    assert set(frame[frame.node == layer_norm.name].path) == {"[0]", "[1]", "[2]"}
    sizes = frame[frame.kind == "SymInt"]
    assert len(sizes) == 1
    assert sizes.iloc[0]["dtype"] is None
