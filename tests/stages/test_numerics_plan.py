"""The plan: every node once and in order, every value there when it is needed and gone after."""

import random

import pytest

from graphlens.diff.alignment import GraphAlignment, Group, Pair
from graphlens.program.argument import Ref
from graphlens.program.graph import Graph, Node
from graphlens.program.value import TensorValue
from graphlens.stages.numerics.plan import own_drops, plan
from graphlens.stages.numerics.units import ABSORB_LIMIT, units

VALUE = TensorValue(shape=(2,), dtype="float32")


def node(name, *inputs, op="call_function", target="aten.op.default"):
    return Node(name=name, op=op, target=target, args=tuple(Ref(i) for i in inputs), value=VALUE)


def random_graph(seed, size):
    rng = random.Random(seed)
    nodes = [node("x", op="placeholder"), node("y", op="placeholder")]
    for i in range(size):
        nodes.append(node(f"n{i}", *rng.sample([n.name for n in nodes], k=min(len(nodes), rng.randint(1, 3)))))
    return [*nodes, node("output", nodes[-1].name, op="output", target="output")]


def shuffled(nodes, seed):
    """The same nodes in another topological order."""
    rng = random.Random(seed)
    done, left, order = set(), list(nodes), []
    while left:
        ready = [n for n in left if set(n.inputs) <= done and (n.op != "output" or len(left) == 1)]
        chosen = rng.choice(ready)
        order.append(chosen)
        done.add(chosen.name)
        left.remove(chosen)
    return order


@pytest.mark.parametrize("seed", range(25))
def test_values_are_there_when_needed_and_gone_at_the_end(seed):
    rng = random.Random(seed)
    nodes = random_graph(seed, 30)
    a, b = Graph(tuple(nodes)), Graph(tuple(shuffled(nodes, seed + 1)))
    kept = [n.name for n in nodes if n.op != "output" and rng.random() < 0.7]
    alignment = GraphAlignment(
        path_a="", path_b="", pairs=tuple(Pair(a=n, b=n, match="same", confidence=1.0) for n in kept)
    )
    found = units(a, b, alignment)
    here = {"a": set(), "b": set()}
    ran = {"a": [], "b": []}
    compared = []
    for step in plan(a, b, found).steps:
        for side, graph, name in (("a", a, step.a), ("b", b, step.b)):
            if name:
                assert set(graph[name].inputs) <= here[side]
                here[side].add(name)
                ran[side].append(name)
        if step.unit is not None:
            unit = step.unit
            compared.append(unit.a)
            assert unit.a in here["a"]
            assert unit.b in here["b"]
            assert set(unit.inputs_a) <= here["a"]
            assert {mate for mate in unit.inputs_b.values() if mate} <= here["a"]
            assert {name for name, mate in unit.inputs_b.items() if mate is None} <= here["b"]
        here["a"] -= set(step.drop_a)
        here["b"] -= set(step.drop_b)
    assert ran["a"] == [n.name for n in a.nodes]
    assert ran["b"] == [n.name for n in b.nodes]
    assert set(compared) >= set(kept)
    assert here == {"a": set(), "b": set()}


def test_a_chain_holds_two_values_on_each_side():
    nodes = [node("x", op="placeholder")]
    for i in range(40):
        nodes.append(node(f"n{i}", nodes[-1].name))
    nodes.append(node("output", nodes[-1].name, op="output"))
    graph = Graph(tuple(nodes))
    pairs = tuple(Pair(a=n.name, b=n.name, match="same", confidence=1.0) for n in nodes[:-1])
    held = {"a": set(), "b": set()}
    most = 0
    for step in plan(graph, graph, units(graph, graph, GraphAlignment(path_a="", path_b="", pairs=pairs))).steps:
        held["a"] |= {step.a} - {""}
        held["b"] |= {step.b} - {""}
        most = max(most, len(held["a"]) + len(held["b"]))
        held["a"] -= set(step.drop_a)
        held["b"] -= set(step.drop_b)
    assert most == 4


def test_what_lies_between_two_pairs_is_absorbed():
    a = Graph((node("x", op="placeholder"), node("f", "x"), node("output", "f", op="output")))
    b = Graph((node("x", op="placeholder"), node("p", "x"), node("q", "p", "x"), node("output", "q", op="output")))
    group = Group(a=("f",), b=("p", "q"), match="group", confidence=0.9)
    alignment = GraphAlignment(
        path_a="", path_b="", pairs=(Pair(a="x", b="x", match="signature", confidence=1.0),), groups=(group,)
    )
    unit = units(a, b, alignment)[-1]
    assert (unit.a, unit.b, unit.nodes_b, dict(unit.inputs_b)) == ("f", "q", ("p", "q"), {"x": "x"})


def test_a_lone_replaced_node_is_a_pair_of_its_own():
    a = Graph((node("x", op="placeholder"), node("f", "x"), node("g", "f"), node("output", "g", op="output")))
    b = Graph((node("x", op="placeholder"), node("h", "x"), node("g", "h"), node("output", "g", op="output")))
    pairs = tuple(Pair(a=n, b=n, match="same", confidence=1.0) for n in ("x", "g"))
    found = {unit.a: unit for unit in units(a, b, GraphAlignment(path_a="", path_b="", pairs=pairs))}
    assert (found["f"].b, found["f"].match) == ("h", "replaced")
    assert found["g"].nodes_b == ("g",)


def test_too_long_a_way_is_not_rerun():
    chain = [node("x", op="placeholder")]
    for i in range(ABSORB_LIMIT + 5):
        chain.append(node(f"n{i}", chain[-1].name))
    a = Graph((node("x", op="placeholder"), node("f", "x"), node("output", "f", op="output")))
    b = Graph((*chain, node("output", chain[-1].name, op="output")))
    pairs = (
        Pair(a="x", b="x", match="signature", confidence=1.0),
        Pair(a="f", b=chain[-1].name, match="similar", confidence=0.5),
    )
    assert units(a, b, GraphAlignment(path_a="", path_b="", pairs=pairs))[-1].local is False


def test_values_that_wait_while_b_writes_are_held():
    a = Graph(
        (
            node("x", op="placeholder"),
            node("f", "x"),
            node("w", "x"),
            node("g", "w"),
            node("output", "f", "g", op="output"),
        )
    )
    b = Graph(
        (
            node("x", op="placeholder"),
            node("g0", "x"),
            node("w", "g0"),
            node("f", "x"),
            node("output", "f", "w", op="output"),
        )
    )
    pairs = tuple(Pair(a=x, b=y, match="same", confidence=1.0) for x, y in (("x", "x"), ("f", "f"), ("g", "g0")))
    found = plan(a, b, units(a, b, GraphAlignment(path_a="", path_b="", pairs=pairs)), frozenset({"w"}))
    assert found.hold_b == {"g0"}


def test_a_graph_alone_drops_each_value_after_its_last_use():
    graph = Graph((node("x", op="placeholder"), node("f", "x"), node("g", "f", "x"), node("output", "g", op="output")))
    assert own_drops(graph) == {"g": ("x", "f"), "output": ("g", "output")}
