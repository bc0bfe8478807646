"""Programs that Python's own `==` calls equal, and that are not: it says so of 1 and True, of two zeros, of keywords in any order."""

from __future__ import annotations

from functools import partial

import pytest
from diff.certificates import F32, by_name, call, given
from diff.certificates import program as made
from diff.exports import nested_program
from diff.synthetic import pair
from msgspec.structs import replace

from graphlens.diff import compare
from graphlens.diff.check import graphs
from graphlens.diff.verify import verify
from graphlens.program.argument import Map, Ref, Seq, Slice
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


FOREIGN, KNOWN = "mylib.op.default", "torch.made_up"
"""Of the first the checker looks at every call, of the second, which is known by its name, at all calls together."""


def one_call(*args, meta=None, value=F32, target=FOREIGN, **kwargs) -> Program:
    node = replace(call("y", target, "%x", *args, **kwargs), meta=freeze(meta or {}), value=value)
    return made(given("x"), node, outputs=("y",))


@pytest.mark.parametrize("target", [FOREIGN, KNOWN])
@pytest.mark.parametrize("wrap", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize(("x", "y"), LITERALS)
def test_literals_of_two_types_are_found_in_equal_graphs(x, y, wrap, target):
    make = partial(one_call, target=target)
    for a, b, field in (
        (make(wrap(x)), make(wrap(y)), "args"),
        (make(k=wrap(x)), make(k=wrap(y)), "kwargs"),
        (make(meta={"custom": wrap(x)}), make(meta={"custom": wrap(y)}), "custom"),
    ):
        assert a.graph.nodes == b.graph.nodes  # else this tests nothing
        for diff in (compare(a, b), compare(b, a)):
            assert [(row.node_a, row.field) for row in diff.rows] == [("y", field)]
            assert (diff.proof.level == "different") is (field != "custom")
        assert compare(a, make(*a.graph["y"].args[1:], meta=a.graph["y"].meta, **a.graph["y"].kwargs)).ok


@pytest.mark.parametrize(("x", "y"), LITERALS)
def test_recorded_numbers_of_two_types_are_found_in_equal_graphs(x, y):
    for wrap in (ConstValue, lambda v: ContainerValue("tuple", (F32, ConstValue(v)))):
        a, b = one_call(value=wrap(x)), one_call(value=wrap(y))
        assert a.graph.nodes == b.graph.nodes
        diff = compare(a, b)
        assert [(row.node_a, row.field) for row in diff.rows] == [("y", "val")]
        assert diff.proof.level == "different"


@pytest.mark.parametrize("target", [FOREIGN, KNOWN])
def test_keywords_in_another_order_are_found_in_equal_graphs(target):
    a, b = one_call(j=1, k=2, target=target), one_call(k=2, j=1, target=target)
    assert a.graph.nodes == b.graph.nodes
    assert compare(a, b).proof.level != "identical"


def test_an_operand_that_no_node_is_is_refused_in_equal_graphs():
    a, b = (made(given("x"), call("y", KNOWN, "%x", "%nobody"), outputs=("y",)) for _ in "ab")
    assert a.graph.nodes == b.graph.nodes
    assert verify(a, b, by_name(a, b)).level == "different"


def test_a_symbol_that_became_another_is_no_copy():
    sizes = replace(F32, shape=("s0", "s1"))
    a, b = (made(given("x", sizes), call("y", KNOWN, "%x", value=sizes), outputs=("y",)) for _ in "ab")
    crossed = replace(by_name(a, b), symbols=(("s0", "s1"), ("s1", "s0")))
    assert verify(a, b, by_name(a, b)).level == "identical"
    assert verify(a, b, crossed).level == "different"


@pytest.mark.parametrize("make", [nested_program, lambda: pair(2, 2, 0, 0).a], ids=["nested", "synthetic"])
def test_what_is_settled_together_is_what_a_look_at_every_pair_says(make, monkeypatch):
    program = make()
    same = replace(program, graphs=freeze({path: Graph(g.nodes, g.meta) for path, g in program.graphs.items()}))
    rewired = _with_another_operand(same)
    told = [verify(program, other, by_name(program, other)) for other in (same, rewired)]
    looked = []
    monkeypatch.setattr(graphs, "unsettled", lambda bench: looked.append(bench) or bench.mate.items())
    assert told == [verify(program, other, by_name(program, other)) for other in (same, rewired)]
    assert looked
    assert [each.level for each in told] == [told[0].level, "different"]
    assert told[0].same
    assert told[0].edges > 100


def _with_another_operand(program: Program) -> Program:
    at, node = next((i, n) for i, n in enumerate(program.graph.nodes) if n.op == "call_function" and n.inputs)
    other = replace(node, args=tuple(Ref("nobody") if isinstance(x, Ref) else x for x in node.args))
    nodes = (*program.graph.nodes[:at], other, *program.graph.nodes[at + 1 :])
    return replace(program, graphs=freeze({**program.graphs, "": Graph(nodes, program.graph.meta)}))


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
