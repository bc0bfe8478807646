"""Both programs as tables, inner graphs first, since what a nested graph computes is part of its holder's key."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

from graphlens.diff.effects import Behaviour, behaviour
from graphlens.diff.effects_of_bodies import body_behaviour
from graphlens.diff.search.build import build
from graphlens.diff.search.intern import Interner
from graphlens.diff.search.labels import Token, constant_labels, weak_labels, weight_labels
from graphlens.diff.search.merkle import up_numbers
from graphlens.diff.search.table import Table
from graphlens.program.graph import Graph, Node
from graphlens.program.program import ROOT, Program, child_path
from graphlens.program.state import StateNames
from graphlens.program.value import Value


@dataclass(frozen=True)
class Prepared:
    """A program's graphs by path: their tables, and the number of what each nested graph computes from its inputs."""

    program: Program
    tables: Mapping[str, Table]
    structure: Mapping[str, int]


def prepare(
    program: Program,
    intern: Interner,
    symbol: Callable[[str], str],
    token: Token,
    schemas: Mapping[str, str],
    *,
    spoken: bool = False,
) -> Prepared:
    """Index every graph of a program that can be reached from the root; a shared body once."""
    tables: dict[str, Table] = {}
    structure: dict[str, int] = {}
    summaries: dict[str, Behaviour] = {}
    known: dict[int, str] = {}
    names = StateNames(program)
    for path in reversed(reachable(program)):
        graph = program.graphs[path]
        same = known.setdefault(id(graph), path)
        if same != path:
            tables[path], structure[path], summaries[path] = tables[same], structure[same], summaries[same]
            continue
        does = {node.name: _inner(path, node, summaries) for node in graph.callers}
        bodies = _bodies(path, graph, structure)
        weights = weight_labels(program) if path == ROOT else {}
        full = weights | constant_labels(program, path, graph, token, names) | bodies
        weak = weights | weak_labels(program, path, graph) | dict.fromkeys(bodies, "graph")
        tables[path] = build(graph, intern, symbol, schemas, (full, weak), does, spoken=spoken)
        if path != ROOT:
            structure[path] = intern(("graph", *_structure(tables[path], intern)))
            summaries[path] = _summary(graph, schemas, does)
    return Prepared(program, tables, structure)


def reachable(program: Program) -> list[str]:
    """Return the graph paths that nodes lead to, each before those nested in it."""
    found: list[str] = []
    stack = [ROOT] if ROOT in program.graphs else []
    while stack:
        path = stack.pop()
        found.append(path)
        for node in reversed(program.graphs[path].callers):
            for subgraph in reversed(node.subgraphs):
                child = child_path(path, node.name, subgraph.role)
                if child in program.graphs:
                    stack.append(child)
    return found


def _bodies(path: str, graph: Graph, structure: Mapping[str, int]) -> dict[str, Hashable]:
    """Map each get_attr that holds a nested graph to that graph's structure."""
    found: dict[str, Hashable] = {}
    for node in graph.callers:
        held = {s.attribute: child_path(path, node.name, s.role) for s in node.subgraphs}
        for name in node.inputs:
            if name in graph and graph[name].op == "get_attr" and graph[name].target in held:
                found[name] = ("graph", structure.get(held[graph[name].target], -1))
    return found


def _structure(table: Table, intern: Interner) -> list[int]:
    """Number what a graph computes, its inputs known by position only."""
    anchor = [-1] * len(table)
    inputs = [i for i, node in enumerate(table.nodes) if node.op == "placeholder"]
    for position, i in enumerate(inputs):
        anchor[i] = position
    free = [i for i, number in enumerate(anchor) if number < 0]
    up = up_numbers(table, free, anchor, table.key, intern)
    return [len(inputs), *(up[i] for i in free if table.effect[i])]


def _inner(path: str, node: Node, summaries: Mapping[str, Behaviour]) -> Behaviour:
    unknown = Behaviour(("unknown",), ("?",))
    found = [summaries.get(child_path(path, node.name, s.role), unknown) for s in node.subgraphs]
    kinds = dict.fromkeys(kind for each in found for kind in each.effects)
    return Behaviour(tuple(kinds), tuple(name for each in found for name in each.writes))


def _summary(graph: Graph, schemas: Mapping[str, str], does: Mapping[str, Behaviour]) -> Behaviour:

    def value_of(name: str) -> Value | None:
        return graph[name].value if name in graph else None

    each = {node.name: behaviour(node, schemas, does.get(node.name), value_of) for node in graph.nodes}
    return body_behaviour(graph.nodes, each)
