"""Tables of a Program made by hand: fixed columns, exact numbers, nothing turned into NaN."""

import pandas as pd
import pytest

from graphlens.program import tables
from graphlens.program.argument import Ref, Seq
from graphlens.program.graph import Graph, ModuleCall, Node
from graphlens.program.parts import InputSpec, OutputSpec, Range, StoredTensor
from graphlens.program.program import Program
from graphlens.program.symbols import symbol_table, symbol_users
from graphlens.program.value import ConstValue, ContainerValue, OpaqueValue, SymValue, TensorValue

TRACE = 'File "/home/u/model.py", line 47, in forward\n    y = x + 1\n'


def tensor(*shape, dtype="float32", **facets):
    return TensorValue(shape=shape, dtype=dtype, **facets)


@pytest.fixture(scope="module")
def program():
    inner = Graph(
        (
            Node(name="a", op="placeholder", target="a", value=tensor("u0")),
            Node(name="output", op="output", target="output", args=(Seq("tuple", (Ref("a"),)),)),
        )
    )
    root = Graph((
        Node(name="w", op="placeholder", target="w", value=tensor(4, dtype="bfloat16", requires_grad=True, conj=False)),
        Node(name="x", op="placeholder", target="x", value=tensor("s0", "4*s0", stride=("4*s0", 1), storage_offset=0)),
        Node(name="n", op="placeholder", target="n", value=ConstValue(3)),
        Node(name="none", op="placeholder", target="none", value=ConstValue(None)),
        Node(name="item", op="call_function", target="aten.item.default", args=(Ref("x"),), value=SymValue("SymInt", "u0", None)),
        Node(
            name="many", op="call_function", target="aten.split.Tensor", args=(Ref("x"), Ref("n")),
            value=ContainerValue("tuple", (tensor(2), None, ConstValue(None), SymValue("SymInt", "s0 + 1", 5))),
            meta={"stack_trace": TRACE, "nn_module_stack": (ModuleCall("k@1", "sh", "M"),)},
        ),
        Node(name="check", op="call_function", target="aten._assert.default", args=(Ref("item"),)),
        Node(name="obj", op="get_attr", target="obj", value=OpaqueValue("Foo", "")),
        Node(name="output", op="output", target="output", args=(Seq("tuple", (Ref("many"), Ref("x"), 3)),)),
    ))  # fmt: skip
    graphs = {"": root, "many.f": inner}
    ranges = {"s0": Range(2, 64), "u0": Range(0, None), "s0 + 1": Range(3, 65)}
    return Program(
        graphs=graphs,
        inputs=(
            InputSpec(kind="parameter", argument="w", target="net.w"),
            InputSpec(kind="user_input", argument="x", path="args[0]"),
            InputSpec(kind="user_input", argument="n", path="args[1]", constant=3),
            InputSpec(kind="user_input", argument="none", path="args[2]"),
        ),
        outputs=(OutputSpec(kind="user_output", argument="x", path="[1]"), OutputSpec(kind="user_output", argument="", constant=3)),
        symbol_table=symbol_table(graphs, ranges, {"s0": 4}),
        ranges=ranges,
        stored=(
            StoredTensor(fqn="net.w", kind="parameter", shape=(4,), dtype="bfloat16", storage="0", nbytes=8, crc32=2**32 - 1),
            StoredTensor(fqn="head.w", kind="parameter", shape=(4,), dtype="bfloat16", storage="0", nbytes=8),
            StoredTensor(fqn="obj", kind="custom_obj", type="Foo"),
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("method", "columns"),
    [
        ("nodes", tables.NODE_COLUMNS),
        ("values", tables.VALUE_COLUMNS),
        ("symbols", tables.SYMBOL_COLUMNS),
        ("weights", tables.WEIGHT_COLUMNS),
        ("signature", tables.SIGNATURE_COLUMNS),
    ],
)
def test_columns_are_fixed_even_of_an_empty_program(program, method, columns):
    empty = Program(graphs={"": Graph(())})
    for each in (program, empty):
        frame = getattr(each, method)()
        assert isinstance(frame, pd.DataFrame)
        assert tuple(frame.columns) == columns
        assert not any(value != value for value in frame.to_numpy().ravel() if isinstance(value, float))


def test_nodes(program):
    frame = program.nodes().set_index(["graph", "name"])
    assert len(frame) == 11
    many = frame.loc[("", "many")]
    assert many.to_dict() == {
        "op": "call_function", "target": "aten.split.Tensor", "module": "sh@1",
        "value": "(f32[2], None, None, SymInt(s0 + 1))", "dtype": None, "shape": None, "source": "model.py:47", "users": 1,
    }  # fmt: skip
    assert frame.loc[("", "x"), "shape"] == ("s0", "4*s0")
    assert frame.loc[("", "x"), "users"] == 3
    assert frame.loc[("", "w"), "dtype"] == "bfloat16"
    assert frame.loc[("", "check"), "value"] == ""
    assert frame.loc[("", "none"), "value"] == "None"
    assert frame.loc[("many.f", "a"), "shape"] == ("u0",)


def test_values(program):
    frame = program.values()
    many = frame[frame.node == "many"].set_index("path")
    assert list(many.kind) == ["tensor", "constant", "constant", "SymInt"]
    assert many.loc["[3]", "value"] == "SymInt(s0 + 1)"
    x = frame[(frame.node == "x") & (frame.graph == "")].iloc[0]
    assert (x["stride"], x["storage_offset"], x["device"]) == (("4*s0", 1), 0, None)
    w = frame[frame.node == "w"].iloc[0]
    assert w["requires_grad"] is True
    assert w["conj"] is False
    assert w["neg"] is None
    assert frame[frame.node == "n"].iloc[0]["type"] == "int"
    assert frame[frame.node == "obj"].iloc[0]["type"] == "Foo"
    assert "check" not in set(frame.node)


def test_symbols(program):
    frame = program.symbols().set_index("name")
    assert list(frame.index) == ["s0", "u0", "s0 + 1", "4*s0"]
    s0, u0 = frame.loc["s0"], frame.loc["u0"]
    assert (s0["lower"], s0["upper"], s0["hint"], s0["backed"], s0["bound"]) == (2, 64, 4, True, "x.shape[0]")
    assert s0["users"] == ("x", "many")
    assert (u0["lower"], u0["upper"], u0["hint"], u0["backed"], u0["bound"]) == (0, None, None, False, "item")
    assert u0["users"] == ("item", "many.f:a")
    assert (frame.loc["s0 + 1", "lower"], frame.loc["s0 + 1", "kind"]) == (3, "derived")
    assert frame.loc["4*s0", "users"] == ("x",)


def test_a_symbol_that_only_a_range_names_is_listed():
    symbols = symbol_table({"": Graph(())}, {"s9": Range(0, 1), "zuf2": Range()})
    assert [(symbol.name, symbol.kind, symbol.backed, symbol.bound) for symbol in symbols] == [
        ("s9", "int", True, None), ("zuf2", "float", False, None),
    ]  # fmt: skip
    assert symbol_users({"": Graph(())}) == {}


def test_symbols_bound_in_a_nested_graph():
    graphs = {
        "": Graph(()),
        "loop.body": Graph((Node(name="k", op="placeholder", target="k", value=SymValue("SymInt", "u3", None)),)),
    }
    program = Program(graphs=graphs, symbol_table=symbol_table(graphs, {}))
    assert program.symbols().iloc[0]["bound"] == "loop.body:k"


def test_weights(program):
    frame = program.weights().set_index("fqn")
    assert frame.loc["net.w", "shared_with"] == ("head.w",)
    assert frame.loc["net.w", "crc32"] == 2**32 - 1
    assert frame.loc["head.w", "crc32"] is None
    assert frame.loc["obj", "shared_with"] == ()
    assert frame.loc["obj", "shape"] is None


def test_signature(program):
    frame = program.signature()
    assert list(frame.direction) == ["input"] * 4 + ["output"] * 2
    assert list(frame.value[:4]) == ["bf16[4]", "f32[s0, 4*s0]", "3", "None"]
    assert frame.iloc[5]["constant"] == 3
    assert frame.iloc[4]["value"] == "f32[s0, 4*s0]"


def test_signature_of_a_bare_graph():
    graph = Graph(
        (
            Node(name="x", op="placeholder", target="x", value=tensor(2)),
            Node(name="output", op="output", target="output", args=(Ref("x"),)),
        )
    )
    frame = Program(graphs={"": graph}).signature()
    assert list(frame.kind) == ["placeholder", "result"]
    assert list(frame.value) == ["f32[2]", "f32[2]"]
