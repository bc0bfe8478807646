"""A Program as JSON: nothing that JSON cannot say, nothing that reads like something else."""

import json
import math

from graphlens.program.argument import Const, Map, Opaque, Ref, Seq, Slice
from graphlens.program.graph import Graph, ModuleCall, Node, Provenance
from graphlens.program.parts import Range, StoredTensor
from graphlens.program.plain import plain
from graphlens.program.program import Program
from graphlens.program.value import ConstValue, ContainerValue, OpaqueValue, SymValue, TensorValue


def test_every_form():
    assert plain(Ref("x")) == {"ref": "x"}
    assert plain(Const("dtype", "float32")) == {"dtype": "float32"}
    assert plain(Seq("tuple", (1, Seq("list", ())))) == {"tuple": [1, {"list": []}]}
    assert plain(Map(((3, Ref("x")), ("3", None)))) == {"dict": [[3, {"ref": "x"}], ["3", None]]}
    assert plain(Slice(None, 2, 1.5)) == {"slice": [None, 2, 1.5]}
    assert plain(Opaque("Foo", "bar")) == {"opaque": "Foo", "text": "bar"}
    assert plain(TensorValue(shape=("s0", 2), dtype="float32", conj=False)) == {
        "tensor": {"shape": ["s0", 2], "dtype": "float32", "conj": False}
    }
    assert plain(SymValue("SymInt", "s0", 3)) == {"SymInt": "s0", "hint": 3}
    assert plain(ConstValue(None)) == {"const": None}
    assert plain(ContainerValue("dict", (None, ConstValue(1)), ("a", "b"))) == {
        "dict": [["a", None], ["b", {"const": 1}]]
    }
    assert plain(OpaqueValue("Foo", "")) == {"opaque": "Foo", "text": ""}
    assert plain((math.nan, math.inf, -0.0, 1j)) == [{"float": "nan"}, {"float": "inf"}, -0.0, {"complex": "1j"}]


def test_a_program_is_json_and_shared_graphs_are_written_once():
    body = Graph((Node(name="x", op="placeholder", target="x", value=ConstValue(math.nan)),))
    meta = {"nn_module_stack": (ModuleCall("k", "p", "t"),), "from_node": (Provenance("n", "t", "p", ("create",), 1),)}
    root = Graph((Node(name="f", op="call_function", target="f", args=(Seq("list", (1j,)),), meta=meta),))
    program = Program(
        graphs={"": root, "f.a": body, "f.b": body},
        ranges={"s0": Range(2, None)},
        stored=(StoredTensor(fqn="w", kind="buffer", content=object()),),
    )
    data = program.to_dict()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert data["graphs"]["f.b"] == {"same_as": "f.a"}
    assert data["graphs"][""]["nodes"][0]["meta"]["nn_module_stack"] == [{"key": "k", "path": "p", "type": "t"}]
    assert data["ranges"] == {"s0": {"lower": 2}}
    assert data["stored"] == [{"fqn": "w", "kind": "buffer"}]
    assert "symbol_table" not in data


def test_deep_arguments_need_no_recursion():
    deep = Seq("list", ())
    for _ in range(20_000):
        deep = Seq("list", (deep,))
    data = plain(deep)
    for _ in range(20_000):
        data = data["list"][0]
    assert data == {"list": []}
