"""Shapes that make a careless search quadratic or recursive: they would hang here, or exceed the stack."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from graphlens.diff import compare
from graphlens.diff.align import align
from graphlens.program.argument import Argument, Ref, Seq
from graphlens.program.frozen import freeze
from graphlens.program.graph import Graph, Node, Subgraph
from graphlens.program.parts import InputSpec, OutputSpec
from graphlens.program.program import Program


def call(name: str, target: str, *args: Argument, **options) -> Node:
    return Node(name=name, op="call_function", target=target, args=args, **options)


def nodes_of(calls: Iterable[Node], result: str, inputs: tuple[str, ...] = ("x",)) -> tuple[Node, ...]:
    held = tuple(Node(name=name, op="placeholder", target=name) for name in inputs)
    return (*held, *calls, Node(name="output", op="output", target="output", args=(Seq("tuple", (Ref(result),)),)))


def program(calls: Iterable[Node], result: str, bodies: dict[str, Graph] | None = None) -> Program:
    return Program(
        graphs=freeze({"": Graph(nodes_of(calls, result)), **(bodies or {})}),
        inputs=(InputSpec(kind="user_input", argument="x", path="args[0]"),),
        outputs=(OutputSpec(kind="user_output", argument=result),),
    )


def chain(count: int, prefix: str, odd: str = "aten.sin.default") -> Program:
    """`count` links, one of them in the middle of another kind."""
    targets = ["aten.sin.default"] * count
    targets[count // 2] = odd
    names = ["x", *(f"{prefix}{i}" for i in range(count))]
    return program((call(names[i + 1], targets[i], Ref(names[i])) for i in range(count)), names[-1])


def star(count: int, prefix: str, odd: int = -1) -> Program:
    """`count` users of one node, told apart by a number; one of them has another."""
    users = [call(f"{prefix}{i}", "aten.add.Scalar", Ref("x"), -1 if i == odd else i) for i in range(count)]
    return program([*users, call("all", "aten.stack.default", Seq("list", tuple(Ref(n.name) for n in users)))], "all")


def siblings(count: int, prefix: str) -> Program:
    """`count` calls that nothing tells apart but their place in one list."""
    users = [call(f"{prefix}{i}", "aten.rand_like.default", Ref("x")) for i in range(count)]
    return program([*users, call("all", "aten.stack.default", Seq("list", tuple(Ref(n.name) for n in users)))], "all")


def pairs(a: Program, b: Program) -> dict[str, str]:
    return {pair.a: pair.b for pair in align(a, b).graphs[0].pairs}


def test_a_chain_of_100_000():
    found = pairs(chain(100_000, "n"), chain(100_000, "m"))
    assert found.items() >= {f"n{i}": f"m{i}" for i in range(100_000)}.items()


def test_a_chain_of_100_000_with_another_link():
    found = pairs(chain(100_000, "n"), chain(100_000, "m", "aten.cos.default"))
    assert found.items() >= {f"n{i}": f"m{i}" for i in range(100_000)}.items()


@pytest.mark.parametrize(("count", "odd"), [(50, 25), (70, 30), (500, 250), (5_000, 1_700)])
def test_a_chain_with_another_link_whose_names_were_counted_anew(count, odd):
    """As FX names them: from the other link on each has the name of the one before it."""
    a = chain(count, "n")
    names = [f"n{i}" for i in range(odd)] + ["cos"] + [f"n{i}" for i in range(odd, count - 1)]
    nodes = [
        call(name, "aten.cos.default" if name == "cos" else "aten.sin.default", Ref(before))
        for before, name in zip(["x", *names], names, strict=False)
    ]
    found = pairs(a, program(nodes, names[-1]))
    assert found.items() >= {f"n{i}": name for i, name in enumerate(names)}.items()


def test_a_chain_of_100_000_with_a_link_less():
    """Which of 50,000 equal links is gone is not known, but both ends are."""
    found = pairs(chain(100_000, "n"), chain(99_999, "m"))
    assert len(found) >= 99_999
    assert (found["x"], found["output"], found["n0"]) == ("x", "output", "m0")


@pytest.mark.parametrize("odd", [70_000])
def test_a_star_of_100_000_users(odd):
    found = pairs(star(100_000, "n"), star(100_000, "m", odd))
    expected = {f"n{i}": f"m{i}" for i in range(100_000) if i != odd} | {"all": "all"}
    assert found.items() >= expected.items()
    assert set(found) - set(expected) <= {"x", "output", f"n{odd}"}


@pytest.mark.parametrize(("count", "fewer"), [(50_000, 0), (3_000, 1)])
def test_equal_siblings(count, fewer):
    """Their place in the list, or in the order of effects, is all there is."""
    a, b = siblings(count, "n"), siblings(count - fewer, "m")
    graph = align(a, b).graphs[0]
    bundled = [name for each in (*graph.ambiguous, *graph.groups) for name in each.a]
    assert sorted([*graph.only_a, *bundled, *(p.a for p in graph.pairs)]) == sorted(n.name for n in a.graph.nodes)
    if not fewer:
        assert {p.a: p.b for p in graph.pairs}.items() >= {f"n{i}": f"m{i}" for i in range(count)}.items()


def nested(depth: int, leaf: str, name: str) -> Program:
    """A cond in a cond in a cond."""
    graphs: dict[str, Graph] = {}
    path = ""
    for level in range(depth):
        body = Node(name="body", op="get_attr", target="true_graph_0")
        held = (Subgraph(role="true_fn", where="args[1]", attribute="true_graph_0"),)
        step = call(name, "higher_order.cond", Ref("x"), Ref("body"), Seq("tuple", (Ref("x"),)), subgraphs=held)
        graphs[path] = Graph(nodes_of([body, step], name))
        path = f"{path}/{name}.true_fn" if level else f"{name}.true_fn"
    graphs[path] = Graph(nodes_of([call("leaf", leaf, Ref("x"))], "leaf"))
    spec = InputSpec(kind="user_input", argument="x", path="args[0]")
    return Program(graphs=freeze(graphs), inputs=(spec,), outputs=(OutputSpec(kind="user_output", argument=name),))


def test_200_levels_of_cond():
    a, b = nested(200, "aten.sin.default", "c"), nested(200, "aten.cos.default", "d")
    graphs = align(a, b).graphs
    assert len(graphs) == 201
    assert all(graph.path_b == graph.path_a.replace("c.", "d.") for graph in graphs)
    assert compare(a, nested(200, "aten.sin.default", "c")).ok


def test_one_body_of_many_callers():
    """A body that 300 callers share is one object on either side, and each caller finds its own."""

    def made(prefix: str, target: str) -> Program:
        shared = Graph(nodes_of([call("inner", target, Ref("x"))], "inner"))
        held = (Subgraph(role="subgraph", where="args[0]", attribute="body_0"),)
        calls, last, bodies = [Node(name="body", op="get_attr", target="body_0")], "x", {}
        for i in range(300):
            name = f"{prefix}{i}"
            calls.append(call(name, "higher_order.invoke_subgraph", Ref("body"), "body_0", Ref(last), subgraphs=held))
            last, bodies[f"{name}.subgraph"] = name, shared
        return program(calls, last, bodies)

    graphs = align(made("n", "aten.sin.default"), made("m", "aten.sin.default")).graphs
    assert {graph.path_a: graph.path_b for graph in graphs} == {
        "": "", **{f"n{i}.subgraph": f"m{i}.subgraph" for i in range(300)}
    }  # fmt: skip
    assert all({p.a: p.b for p in graph.pairs}["inner"] == "inner" for graph in graphs[1:])
