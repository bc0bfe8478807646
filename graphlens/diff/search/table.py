"""One graph as arrays of small integers: what the search works on."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping

from graphlens.diff.effects import Behaviour, behaviour
from graphlens.diff.search.intern import Interner
from graphlens.diff.search.keys import Shape, literals, mask, shape_for
from graphlens.program.argument import Ref
from graphlens.program.graph import Graph, Node
from graphlens.program.value import TensorValue

SLOTS = 1 << 32
"""A use is one number: user times `SLOTS` plus the operand's slot."""


class Table:
    """One graph, indexed.

    `operands[i]` are the indices of what node `i` uses, by slot; `users[i]` its uses as ``user * SLOTS + slot``;
    `key[i]` its full match key; `effect[i]` whether dropping it could be noticed; `live[i]` whether anything that can be
    noticed depends on it; `twin[i]` is the first getitem of the same item where `i` is a later one, else ``-1``.
    `commutative[i]`: its operands are matched in any order. `children[i]` are the ids of its nested graphs by role.
    """

    __slots__ = (
        "commutative", "effect", "graph", "index", "key", "live", "module", "nodes", "operands", "parts", "shapes", "twin",
        "users",
    )  # fmt: skip

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes = graph.nodes
        self.index = {node.name: i for i, node in enumerate(graph.nodes)}
        self.key: list[int] = []
        self.parts: list[list[Hashable]] = []
        self.shapes: list[Shape] = []
        self.operands: list[list[int]] = []
        self.users: list[list[int]] = []
        self.effect = bytearray(len(graph.nodes))
        self.live = bytearray(len(graph.nodes))
        self.commutative = bytearray(len(graph.nodes))
        self.twin: dict[int, int] = {}
        self.module: list[int] = []

    def __len__(self) -> int:
        return len(self.nodes)


def build(
    graph: Graph,
    intern: Interner,
    symbol: Callable[[str], str],
    schemas: Mapping[str, str],
    bodies: Mapping[str, Hashable],
    does: Mapping[str, Behaviour],
) -> Table:
    """Index a graph.

    `bodies` names the structure of the nested graph that a get_attr holds, `does` what the nested graphs of a call do,
    both by node name.
    """
    table = Table(graph)
    index, twin = table.index, table.twin
    numbers = intern.numbers
    picked: dict[tuple[int, int], int] = {}
    keys, parts, shapes, all_operands = table.key, table.parts, table.shapes, table.operands
    commutative, effect = table.commutative, table.effect
    shape_cache: dict[str, Shape] = {}
    i = -1
    for node in graph.nodes:
        i += 1
        target = node.target
        shape = shape_cache.get(target)
        if shape is None:
            shape = shape_cache[target] = shape_for(target, schemas)
        names: list[str] = []
        found = literals(node.args, node.kwargs, shape, names, symbol)
        operands = [index[name] for name in names if name in index]
        if twin:
            operands = [twin.get(p, p) for p in operands]
        if node.op != "call_function":
            head = _head(node, bodies)
            found.insert(0, head)
            effect[i] = node.op in ("placeholder", "output", "call_method", "call_module")
        else:
            if shape.commutative:
                commutative[i] = _unordered(node)
            if not shape.pure or node.subgraphs:
                effect[i] = not behaviour(node, schemas, does.get(node.name)).pure
            elif (
                target == "_operator.getitem"
                and len(operands) == 1
                and len(node.args) == 2
                and type(node.args[1]) is int
            ):
                first = picked.setdefault((operands[0], node.args[1]), i)
                if first != i and not isinstance(graph.nodes[operands[0]].value, TensorValue):
                    twin[i] = first
        keys.append(numbers.setdefault((target if node.op == "call_function" else node.op, *found), len(numbers)))
        parts.append(found)
        shapes.append(shape)
        all_operands.append(operands)
    _link(table)
    return table


def _head(node: Node, bodies: Mapping[str, Hashable]) -> Hashable:
    if node.op == "get_attr":
        return bodies.get(node.name, node.target)
    return node.target if node.op in ("call_method", "call_module") else node.op


def _unordered(node: Node) -> bool:
    alpha = node.kwargs.get("alpha", 1) if node.kwargs else 1
    return alpha == 1 and len(node.args) == 2 and isinstance(node.args[0], Ref) and isinstance(node.args[1], Ref)


def _link(table: Table) -> None:
    """Fill users and liveness from the operands."""
    users: list[list[int]] = [[] for _ in table.nodes]
    for i, operands in enumerate(table.operands):
        if i in table.twin:
            continue
        base = i * SLOTS
        if table.commutative[i]:
            for p in operands:
                users[p].append(base)
        else:
            for slot, p in enumerate(operands):
                users[p].append(base + slot)
    table.users = users
    live = table.live
    stack = [i for i, noticed in enumerate(table.effect) if noticed]
    for i in stack:
        live[i] = 1
    while stack:
        for p in table.operands[stack.pop()]:
            if not live[p]:
                live[p] = 1
                stack.append(p)


def weaker_key(table: Table, i: int, rung: int, intern: Interner) -> int:
    """Return the match key of a node on a weaker rung of the ladder."""
    node = table.nodes[i]
    head = node.target if node.op == "call_function" else node.op
    return intern((rung, head, *mask(table.parts[i], table.shapes[i], rung)))
