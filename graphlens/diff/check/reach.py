"""What nodes reach that is none of their operands: the state of the modules that they call, and what nested graphs read by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from graphlens.program.graph import Graph
from graphlens.program.program import Program, child_path
from graphlens.program.state import StateNames

MARK = "\0"
"""Stands before the name of a stored tensor where names of nodes are meant, which never start with it."""

Reach = Mapping[str, tuple[str, ...]]
"""Names of stored tensors, marked, by the node that reaches them."""


def reached(program: Program, path: str, names: StateNames) -> Reach:
    """Name the stored tensors that nodes of a graph may read or write without having them as operands."""
    found: dict[str, tuple[str, ...]] = {}
    for node in program.graphs[path].nodes:
        if node.op == "call_module" and not node.subgraphs:
            inside = {_full(path, node.target, inner, names) for inner in names.below(path, node.target)}
        elif node.subgraphs:
            inside = set()
            for sub in node.subgraphs:
                inside.update(_inside(program, child_path(path, node.name, sub.role), names))
        else:
            continue
        if inside:
            found[node.name] = tuple(MARK + name for name in sorted(inside))
    return found


def _inside(program: Program, start: str, names: StateNames) -> Iterator[str]:
    """Yield what a nested graph, and all that are nested in it, read by name."""
    stack = [start]
    while stack:
        path = stack.pop()
        graph = program.graphs.get(path)
        if graph is None:
            continue
        held = _held(graph)
        for node in graph.nodes:
            if node.op == "get_attr" and node.target not in held:
                yield names.name(path, node.target)
            if node.op == "call_module" and not node.subgraphs:
                yield from (_full(path, node.target, inner, names) for inner in names.below(path, node.target))
            stack += [child_path(path, node.name, sub.role) for sub in node.subgraphs]


def _held(graph: Graph) -> set[str]:
    return {sub.attribute for node in graph.callers for sub in node.subgraphs}


def _full(path: str, module: str, inner: str, names: StateNames) -> str:
    return names.name(path, f"{module}.{inner}")
