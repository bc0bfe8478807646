"""Programs that Python's own `==` calls equal, and that are not: it says so of 1 and True, of two zeros, of keywords in any order."""

from __future__ import annotations

import pytest
from diff.certificates import F32, call, given
from diff.certificates import program as made
from msgspec.structs import replace

from graphlens.diff import compare
from graphlens.program.argument import Map, Seq, Slice
from graphlens.program.frozen import freeze
from graphlens.program.graph import Graph, Node
from graphlens.program.program import Program
from graphlens.program.value import ConstValue, ContainerValue

LITERALS = [(1, True), (1, 1.0), (0, False), (0.0, -0.0), (2, 2.0), (complex(0.0, 0.0), complex(0.0, -0.0))]
PLACES = {
    "bare": lambda x: x,
    "in a list": lambda x: Seq("list", (3, x)),
    "in a list in a tuple": lambda x: Seq("tuple", (Seq("list", (x,)),)),
    "in a dict": lambda x: Map((("k", x),)),
    "a key": lambda x: Map(((x, "v"),)),
    "in a slice": lambda x: Slice(x, None, None),
}


def one_call(*args, meta=None, value=F32, **kwargs) -> Program:
    node = replace(call("y", "mylib.op.default", "%x", *args, **kwargs), meta=freeze(meta or {}), value=value)
    return made(given("x"), node, outputs=("y",))


@pytest.mark.parametrize("wrap", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize(("x", "y"), LITERALS)
def test_literals_of_two_types_are_found_in_equal_graphs(x, y, wrap):
    for a, b, field in (
        (one_call(wrap(x)), one_call(wrap(y)), "args"),
        (one_call(k=wrap(x)), one_call(k=wrap(y)), "kwargs"),
        (one_call(meta={"custom": wrap(x)}), one_call(meta={"custom": wrap(y)}), "custom"),
    ):
        assert a.graph.nodes == b.graph.nodes  # else this tests nothing
        for diff in (compare(a, b), compare(b, a)):
            assert [(row.node_a, row.field) for row in diff.rows] == [("y", field)]
            assert (diff.proof.level == "different") is (field != "custom")
        assert compare(a, one_call(*a.graph["y"].args[1:], meta=a.graph["y"].meta, **a.graph["y"].kwargs)).ok


@pytest.mark.parametrize(("x", "y"), LITERALS)
def test_recorded_numbers_of_two_types_are_found_in_equal_graphs(x, y):
    for wrap in (ConstValue, lambda v: ContainerValue("tuple", (F32, ConstValue(v)))):
        a, b = one_call(value=wrap(x)), one_call(value=wrap(y))
        assert a.graph.nodes == b.graph.nodes
        diff = compare(a, b)
        assert [(row.node_a, row.field) for row in diff.rows] == [("y", "val")]
        assert diff.proof.level == "different"


def test_keywords_in_another_order_are_found_in_equal_graphs():
    a, b = one_call(j=1, k=2), one_call(k=2, j=1)
    assert a.graph.nodes == b.graph.nodes
    assert compare(a, b).proof.level != "identical"


def test_arguments_nested_deeper_than_python_compares():
    a, b, other = (Program(graphs=freeze({"": Graph((_input(), _user(_nested(x))))})) for x in (0, 0, False))
    assert compare(a, b).proof.same
    assert compare(a, other).proof.level == "different"


def _nested(argument):
    for _ in range(5_000):
        argument = Seq("tuple", (argument,))
    return argument


def _input() -> Node:
    return Node(name="x", op="placeholder", target="x", value=F32)


def _user(argument) -> Node:
    return Node(name="output", op="output", target="output", args=(argument,))
