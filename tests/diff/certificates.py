"""Alignments made by hand, so that the checker can be asked without a search; and ways to break them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from msgspec.structs import replace

from graphlens.diff.alignment import Alignment, GraphAlignment, Pair
from graphlens.diff.proof import Proof
from graphlens.diff.verify import verify
from graphlens.program.argument import Ref, Seq
from graphlens.program.frozen import freeze
from graphlens.program.graph import Graph, Node, Subgraph
from graphlens.program.parts import InputSpec, OutputSpec
from graphlens.program.program import Program
from graphlens.program.value import TensorValue, value_text

F32 = TensorValue(shape=(4, 4), dtype="float32", stride=(4, 1), storage_offset=0, device="cpu", layout="strided")


def by_name(a: Program, b: Program, names: dict[str, str] | None = None) -> Alignment:
    """Pair what has the same name (or the one that `names` gives, in the root) in graphs of the same path."""
    graphs = []
    for path, graph in a.graphs.items():
        if path not in b.graphs:
            continue
        chosen = names or {} if path == "" else {}
        pairs = [(n.name, chosen.get(n.name, n.name)) for n in graph.nodes]
        graphs.append(aligned(path, [(x, y) for x, y in pairs if y in b.graphs[path]]))
    return Alignment(graphs=tuple(graphs))


def aligned(path: str, pairs: list[tuple[str, str]]) -> GraphAlignment:
    return GraphAlignment(path_a=path, path_b=path, pairs=tuple(pair(x, y) for x, y in pairs))


def pair(a: str, b: str) -> Pair:
    return Pair(a=a, b=b, match="given", confidence=1.0)


def proof(a: Program, b: Program, names: dict[str, str] | None = None, **options: Any) -> Proof:
    return verify(a, b, by_name(a, b, names), **options)


def with_pairs(alignment: Alignment, path: str, pairs: list[Pair]) -> Alignment:
    return replace(
        alignment,
        graphs=tuple(replace(g, pairs=tuple(pairs)) if g.path_a == path else g for g in alignment.graphs),
    )


def twins(program: Program) -> Iterator[tuple[str, str, str]]:
    """Every two nodes of a graph that only their operands and users tell apart, if anything: same op and value."""
    for path, graph in program.graphs.items():
        for x, y in combinations(graph.nodes, 2):
            if (x.op, value_text(x.value)) == (y.op, value_text(y.value)):
                yield path, x.name, y.name


def swapped_partners(alignment: Alignment, path: str, x: str, y: str) -> Alignment:
    """The alignment in which two nodes of one graph have exchanged their partners."""
    pairs = {p.a: p for p in next(g for g in alignment.graphs if g.path_a == path).pairs}
    pairs[x], pairs[y] = replace(pairs[x], b=pairs[y].b), replace(pairs[y], b=pairs[x].b)
    return with_pairs(alignment, path, list(pairs.values()))


def program(*nodes: Node, outputs: tuple[str, ...] = (), **fields: Any) -> Program:
    """A program of these nodes; inputs are what its placeholders are called: ``p_…`` parameters, ``b_…`` buffers."""
    done = [n for n in nodes if n.op == "output"]
    last = () if done else (Node(name="output", op="output", target="output", args=(results(*outputs),)),)
    inputs = tuple(_spec(n.name, i) for i, n in enumerate(nodes) if n.op == "placeholder")
    specs = tuple(OutputSpec(kind="user_output", argument=name) for name in outputs)
    given = {"inputs": inputs, "outputs": specs} | fields
    return Program(graphs=freeze({"": Graph((*nodes, *last))}), **given)


def results(*names: str) -> Seq:
    return Seq("tuple", tuple(Ref(name) for name in names))


def _spec(name: str, index: int) -> InputSpec:
    kind = {"p_": "parameter", "b_": "buffer"}.get(name[:2])
    if kind is None:
        return InputSpec(kind="user_input", argument=name, path=f"args[{index}]")
    return InputSpec(kind=kind, argument=name, target=name[2:])


def given(name: str, value: Any = F32) -> Node:
    return Node(name=name, op="placeholder", target=name, value=value)


def call(name: str, target: str, *args: Any, value: Any = F32, **kwargs: Any) -> Node:
    """A call; texts that start with ``%`` are the nodes of that name."""
    return Node(
        name=name,
        op="call_function",
        target=target,
        args=tuple(map(_argument, args)),
        kwargs=freeze({key: _argument(value) for key, value in kwargs.items()}),
        value=value,
    )


def _argument(argument: Any) -> Any:
    if isinstance(argument, tuple | list):
        return Seq("tuple" if isinstance(argument, tuple) else "list", tuple(map(_argument, argument)))
    return Ref(argument[1:]) if isinstance(argument, str) and argument.startswith("%") else argument


def body(*nodes: Node, outputs: tuple[str, ...]) -> Graph:
    """A nested graph."""
    return Graph((*nodes, Node(name="output", op="output", target="output", args=(results(*outputs),))))


def holds(outer: Program, name: str, inner: Graph, role: str = "f") -> Program:
    """Let a node of the root, whose first operand is called ``body``, hold a nested graph."""
    held = Subgraph(role=role, where="args[0]", attribute="body")
    nodes = [replace(n, subgraphs=(held,)) if n.name == name else n for n in outer.graph.nodes if n.name != "body"]
    at = next(i for i, n in enumerate(nodes) if n.name == name)
    nodes.insert(at, Node(name="body", op="get_attr", target="body"))
    return replace(outer, graphs=freeze({"": Graph(tuple(nodes)), f"{name}.{role}": inner}))
