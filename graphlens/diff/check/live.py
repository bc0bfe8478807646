"""What is alive in a graph, what each node does, and in which order effects happen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from graphlens.diff.effects import PURE, STATE, Behaviour, behaviour, hands_on_first, trivial
from graphlens.diff.effects_of_bodies import body_behaviour
from graphlens.diff.opinfo import lookup
from graphlens.program.argument import CONTAINERS, Argument, Ref, children
from graphlens.program.graph import Graph, Node
from graphlens.program.program import ROOT, Program, child_path
from graphlens.program.value import ContainerValue, TensorValue, Value

GETITEM = "_operator.getitem"
DETACH = "aten.detach_.default"
_DEEPEST = 1000
_WORST_BODY = Behaviour(("unknown",), ("?",), ())


@dataclass(frozen=True)
class Facts:
    """One graph, read once: `does` holds the nodes that are not plainly pure; `picks` says what a getitem picks.

    `bodies` are the get_attr nodes of nested graphs, `holders` the nodes that hold these.
    """

    graph: Graph
    nodes: Mapping[str, Node]
    does: Mapping[str, Behaviour]
    live: frozenset[str]
    picks: Mapping[str, tuple[str, int]]
    bodies: frozenset[str]
    holders: tuple[Node, ...] = ()

    def pure(self, name: str) -> bool:
        """Whether dropping the node changes nothing but its result."""
        return self.does.get(name, PURE).pure and self.nodes[name].op not in ("placeholder", "output")

    def value_of(self, name: str) -> Value | None:
        """Return the recorded value of a node."""
        node = self.nodes.get(name)
        return node.value if node is not None else None

    def source(self, name: str) -> tuple[str, tuple[int, ...]]:
        """Follow getitems back to the node that made the container: its name and the positions picked."""
        path: list[int] = []
        while name in self.picks and len(path) < _DEEPEST:  # nodes that pick from each other have no end
            name, position = self.picks[name]
            path.append(position)
        return name, tuple(path)


def all_facts(program: Program, schemas: Mapping[str, str] | None = None) -> dict[str, Facts]:
    """Read every graph that can be reached from the root, inner graphs before the graphs that hold them.

    `schemas` are those of custom operators, the program's own unless others are given.
    """
    schemas = program.schemas if schemas is None else schemas
    facts: dict[str, Facts] = {}
    by_object: dict[tuple[int, ...], Facts] = {}
    held: dict[int, list[tuple[str, str]]] = {}
    for path in reversed(_reachable(program)):
        graph = program.graphs[path]
        if id(graph) not in held:
            held[id(graph)] = [(n.name, sub.role) for n in graph.nodes if n.subgraphs for sub in n.subgraphs]
        key = (id(graph), *(id(facts.get(child_path(path, *place))) for place in held[id(graph)]))
        known = by_object.get(key)
        if known is None:
            known = by_object[key] = _facts(schemas, path, graph, facts)
        facts[path] = known
    return facts


def _reachable(program: Program) -> list[str]:
    """Graph paths, each before those nested in it."""
    found, stack = [], [ROOT] if ROOT in program.graphs else []
    while stack:
        path = stack.pop()
        found.append(path)
        for node in program.graphs[path].nodes:
            for subgraph in node.subgraphs:
                child = child_path(path, node.name, subgraph.role)
                if child in program.graphs:
                    stack.append(child)
    return found


def _facts(schemas: Mapping[str, str], path: str, graph: Graph, facts: Mapping[str, Facts]) -> Facts:
    nodes = {node.name: node for node in graph.nodes}
    does: dict[str, Behaviour] = {}
    picks: dict[str, tuple[str, int]] = {}
    bodies: set[str] = set()
    holders: list[Node] = []

    def value_of(name: str) -> Value | None:
        return nodes[name].value if name in nodes else None

    for node in graph.nodes:
        if node.op == "call_function":
            if node.target == GETITEM and _picks(node, nodes):
                picks[node.name] = (node.args[0].node, node.args[1])  # type: ignore[union-attr,assignment]
            if not node.subgraphs and trivial(node.target):
                continue
            if not node.subgraphs and node.args and hands_on_first(node.target) and type(node.args[0]) is Ref:
                does[node.name] = Behaviour((), (), (node.args[0].node,))
                continue
        if node.op not in ("placeholder", "get_attr", "output"):
            inner = _bodies(node, path, facts) if node.subgraphs else None
            found = behaviour(node, schemas, inner, value_of)
            if node.target == DETACH and _needs_no_gradient(node, nodes):
                found = Behaviour((), (), found.shares)
            if found is not PURE:
                does[node.name] = found
        if node.subgraphs:
            holders.append(node)
            held = {subgraph.attribute for subgraph in node.subgraphs}
            bodies.update(name for name in node.inputs if name in nodes and _holds(nodes[name], held))
    changed = {name for node in graph.nodes if _alters_lists(node, does) for name in does[node.name].writes}
    picks = (
        {name: picked for name, picked in picks.items() if not _altered(nodes[picked[0]], changed)}
        if changed
        else picks
    )
    return Facts(graph, nodes, does, _live(graph.nodes, nodes, does), picks, frozenset(bodies), tuple(holders))


def _alters_lists(node: Node, does: Mapping[str, Behaviour]) -> bool:
    """Whether a node may put other items into a list: operators only write the tensors in it."""
    return node.name in does and bool(does[node.name].writes) and lookup(node.target) is None


def _altered(source: Node, changed: set[str]) -> bool:
    return source.name in changed and isinstance(source.value, ContainerValue) and source.value.kind == "list"


def _holds(node: Node, attributes: set[str]) -> bool:
    return node.op == "get_attr" and node.target in attributes


def _picks(node: Node, nodes: Mapping[str, Node]) -> bool:
    """Whether a getitem picks from a tuple or list, which only hands its item on, and not from a tensor."""
    if len(node.args) != 2 or not isinstance(node.args[0], Ref) or type(node.args[1]) is not int or node.kwargs:
        return False
    source = nodes.get(node.args[0].node)
    return source is not None and isinstance(source.value, ContainerValue) and source.value.kind != "dict"


def _needs_no_gradient(node: Node, nodes: Mapping[str, Node]) -> bool:
    """Whether the operand is known to need no gradient, so that detaching it in place changes nothing."""
    values = [nodes[name].value for name in node.inputs if name in nodes]
    return bool(values) and all(isinstance(value, TensorValue) and value.requires_grad is False for value in values)


def _bodies(node: Node, path: str, facts: Mapping[str, Facts]) -> Behaviour:
    kinds: dict[str, None] = {}
    writes: dict[str, None] = {}
    for subgraph in node.subgraphs:
        inner = facts.get(child_path(path, node.name, subgraph.role))
        found = body_behaviour(inner.graph.nodes, inner.does) if inner is not None else _WORST_BODY
        kinds |= dict.fromkeys(found.effects)
        writes |= dict.fromkeys(found.writes)
        if (
            found.writes
            and inner is not None
            and any(n.op == "get_attr" and n.name not in inner.bodies for n in inner.graph.nodes)
        ):
            kinds[STATE] = None  # it may write what other graphs read by its name
    return Behaviour(tuple(kinds), tuple(writes), ())


def _live(ordered: tuple[Node, ...], nodes: Mapping[str, Node], does: Mapping[str, Behaviour]) -> frozenset[str]:
    """Follow operands back from what must happen: in one pass where every node stands before its users, as it should."""
    live = {node.name for node in ordered if node.op in ("placeholder", "output")}
    live.update(name for name, found in does.items() if not found.pure)
    followed = 0
    for node in reversed(ordered):
        if node.name in live:
            followed += 1
            waiting: list[Iterable[Argument]] = [node.args, node.kwargs.values()] if node.kwargs else [node.args]
            for arguments in waiting:
                for argument in arguments:
                    kind = type(argument)
                    if kind is Ref:
                        live.add(argument.node)  # type: ignore[union-attr]
                    elif kind in CONTAINERS:
                        waiting.append(children(argument))
    if followed == len(live) and len(nodes) == len(ordered):
        return frozenset(live)
    return _live_in_any_order(live, nodes)


def _live_in_any_order(live: set[str], nodes: Mapping[str, Node]) -> frozenset[str]:
    """Follow operands where one pass did not meet every name: some stand after their users, or name no node."""
    found = live.intersection(nodes)
    waiting = list(found)
    while waiting:
        fresh = [name for name in nodes[waiting.pop()].inputs if name not in found and name in nodes]
        found.update(fresh)
        waiting += fresh
    return frozenset(found)


def epochs(facts: Facts) -> Mapping[str, int]:
    """Count, for each call, the changes before it of how everything runs (autocast, gradients on or off)."""
    if not any(STATE in found.effects for found in facts.does.values()):
        return {}
    found: dict[str, int] = {}
    passed = 0
    for node in facts.graph.nodes:
        if node.op not in ("placeholder", "get_attr", "output"):
            found[node.name] = passed
            passed += STATE in facts.does.get(node.name, PURE).effects
    return found
