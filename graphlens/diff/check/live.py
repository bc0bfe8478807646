"""What is alive in a graph, what each node does, and in which order effects happen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from operator import attrgetter

from graphlens.diff.effects import PURE, STATE, Behaviour, behaviour, hands_on_first, sole_effect, trivial
from graphlens.diff.effects_of_bodies import body_behaviour
from graphlens.diff.opinfo import lookup
from graphlens.program.argument import CONTAINERS, Const, Ref, Seq, refs
from graphlens.program.graph import Graph, Node
from graphlens.program.program import ROOT, Program, child_path
from graphlens.program.value import ContainerValue, TensorValue, Value

GETITEM = "_operator.getitem"
DETACH = "aten.detach_.default"
_DEEPEST = 1000
_LEAVES = frozenset({Ref, int, Const})
_WORST_BODY = Behaviour(("unknown",), ("?",), ())


@dataclass(frozen=True)
class Facts:
    """One graph, read once: `does` holds the nodes that are not plainly pure; `picks` says what a getitem picks.

    `bodies` are the get_attr nodes of nested graphs, `holders` the nodes that hold these. `copy_of` are the facts of a graph
    whose nodes, and those of its nested graphs, are equal as Python compares: `1` to `True`, keywords in any order.
    """

    graph: Graph
    nodes: Mapping[str, Node]
    does: Mapping[str, Behaviour]
    live: frozenset[str]
    picks: Mapping[str, tuple[str, int]]
    bodies: frozenset[str]
    holders: tuple[Node, ...] = ()
    copy_of: Facts | None = None

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


def all_facts(
    program: Program, schemas: Mapping[str, str] | None = None, like: Mapping[str, Facts] | None = None
) -> dict[str, Facts]:
    """Read every graph that can be reached from the root, inner graphs before the graphs that hold them.

    `schemas` are those of custom operators, the program's own unless others are given. `like` are facts found under the same
    schemas: what does the same in the same graph is not worked out again.
    """
    like = {} if like is None else like
    schemas = program.schemas if schemas is None else schemas
    facts: dict[str, Facts] = {}
    by_object: dict[tuple[int, ...], Facts] = {}
    held: dict[int, list[tuple[str, str]]] = {}
    for path in reversed(_reachable(program)):
        graph = program.graphs[path]
        if id(graph) not in held:
            held[id(graph)] = [(node.name, sub.role) for node in graph.callers for sub in node.subgraphs]
        key = (id(graph), *(id(facts.get(child_path(path, *place))) for place in held[id(graph)]))
        known = by_object.get(key)
        if known is None:
            inner = [child_path(path, *place) for place in held[id(graph)]]
            twin = like.get(path)
            if twin is not None and all(_copied(child, facts, like) for child in inner) and twin.graph.copies(graph):
                nodes = {node.name: node for node in graph.nodes}
                holders = tuple(nodes[node.name] for node in twin.holders)
                known = replace(twin, graph=graph, nodes=nodes, holders=holders, copy_of=twin)
            else:
                known = _facts(schemas, path, graph, facts)
            by_object[key] = known
        facts[path] = known
    return facts


def _copied(path: str, facts: Mapping[str, Facts], like: Mapping[str, Facts]) -> bool:
    """Whether a nested graph is a copy of the one at the same path, or neither is there."""
    return facts[path].copy_of is like.get(path, False) if path in facts else path not in like


def _reachable(program: Program) -> list[str]:
    """Graph paths, each before those nested in it."""
    found, stack = [], [ROOT] if ROOT in program.graphs else []
    while stack:
        path = stack.pop()
        found.append(path)
        for node in program.graphs[path].callers:
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

    quiet = {target for target in {n.target for n in graph.nodes if n.op == "call_function"} if trivial(target)}
    for node in graph.nodes:
        if node.target in quiet and node.op == "call_function" and not node.subgraphs:
            continue
        if node.op == "call_function" and not node.subgraphs:
            if node.target == GETITEM and _picks(node, nodes):
                picks[node.name] = (node.args[0].node, node.args[1])  # type: ignore[union-attr,assignment]
            sole = sole_effect(node.target)
            if sole is not None:
                does[node.name] = sole
                continue
            if node.args and hands_on_first(node.target) and type(node.args[0]) is Ref:
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
    changed = _altered_lists(nodes, does) if picks else ()
    if changed:
        picks = {name: picked for name, picked in picks.items() if not _altered(nodes[picked[0]], changed)}
    return Facts(graph, nodes, does, _live(graph.nodes, nodes, does), picks, frozenset(bodies), tuple(holders))


def _altered_lists(nodes: Mapping[str, Node], does: Mapping[str, Behaviour]) -> Collection[str]:
    """Name what other items may be put into, if it is a list: operators only write the tensors in it."""
    writing = {name: found.writes for name, found in does.items() if found.writes}
    return {written for name, writes in writing.items() if lookup(nodes[name].target) is None for written in writes}


def _altered(source: Node, changed: Collection[str]) -> bool:
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
    """Take away what nothing uses and what need not happen, then what only that used; in whatever order nodes stand.

    Nodes that only use each other stay: no graph that runs has any, and what is alive is looked at more closely.
    """
    kept = {node.name for node in ordered if node.op in ("placeholder", "output")}
    kept.update(name for name, found in does.items() if not found.pure)
    uses = Counter(_operands(ordered))
    waiting = [name for name in nodes if name not in uses and name not in kept]
    dead: set[str] = set()
    while waiting:
        name = waiting.pop()
        dead.add(name)
        for operand in nodes[name].inputs:
            uses[operand] -= 1
            if not uses[operand] and operand not in kept and operand in nodes:
                waiting.append(operand)
    return frozenset(nodes.keys() - dead) if dead else frozenset(nodes)


def _operands(ordered: tuple[Node, ...]) -> list[str]:
    """Name what every node uses, each as often as it is used."""
    arguments = list(chain.from_iterable(map(attrgetter("args"), ordered)))
    arguments += chain.from_iterable([node.kwargs.values() for node in ordered if node.kwargs])
    names = [argument.node for argument in arguments if type(argument) is Ref]
    for argument in [argument for argument in arguments if type(argument) in CONTAINERS]:
        items = argument.items if type(argument) is Seq else ()
        if not items or not _LEAVES.issuperset(map(type, items)):
            names += refs(argument)
        else:
            names += [item.node for item in items if type(item) is Ref]
    return names


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
