"""Which regions a program folds into: module calls and nested graphs, as one tree.

A nested graph is a region inside the node that calls it. A module call is a region inside the graph, keyed by its full
path with call index (`shared@1` is not `shared`), minus what already stands around the calling node.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from graphlens.program.graph import ModuleCall, Node
from graphlens.program.program import ROOT, Program, child_path
from graphlens.view.labels import op_label

Kind = Literal["graph", "module", "call"]


class Region(Struct, frozen=True, kw_only=True):
    """One region. `owner` is the index of the node that calls (`call`) or holds (nested `graph`) it; -1 elsewhere."""

    key: str
    kind: Kind
    parent: int
    label: str
    type: str = ""
    path: str = ""
    owner: int = -1


class Tree(Struct, frozen=True, kw_only=True):
    """The regions of a program, its nodes numbered graph by graph, and which region each node is in.

    `graphs` are the graph paths in the order of the numbering, parents first; `starts` the number of each one's first
    node; `nodes` every node; `graph_of` and `region_of` are per node; `calls` maps a node to its `call` region.
    """

    regions: tuple[Region, ...]
    graphs: tuple[str, ...]
    starts: tuple[int, ...]
    nodes: tuple[Node, ...]
    graph_of: tuple[int, ...]
    region_of: tuple[int, ...]
    calls: dict[int, int]

    def number(self, program: Program, graph: int, name: str) -> int:
        """Return the number of a node by graph and name, -1 if there is none."""
        position = program.graphs[self.graphs[graph]].index.get(name)
        return -1 if position is None else self.starts[graph] + position


def node_key(path: str, name: str) -> str:
    """Return the key of a node: graph path and name."""
    return f"{path}/{name}" if path else name


def region_tree(program: Program) -> Tree:
    """Find the regions of a program, without recursion; a graph that no node calls hangs under the root."""
    builder = _Builder(program)
    pending: list[tuple[str, int, str, int, tuple[str, ...]]] = [(ROOT, -1, "", -1, ())]
    seen: set[str] = set()
    orphans: Iterator[str] = iter(program.graphs)
    while True:
        while pending:
            path, parent, role, owner, around = pending.pop()
            if path in seen or path not in program.graphs:
                continue
            seen.add(path)
            pending.extend(reversed(builder.add_graph(path, parent, role, owner, around)))
        orphan = next((path for path in orphans if path not in seen), None)
        if orphan is None:
            return builder.tree()
        pending.append((orphan, 0, orphan, -1, ()))


class _Builder:
    """The lists that `region_tree` fills."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.regions: list[Region] = []
        self.graphs: list[str] = []
        self.starts: list[int] = []
        self.nodes: list[Node] = []
        self.graph_of: list[int] = []
        self.region_of: list[int] = []
        self.calls: dict[int, int] = {}

    def add_graph(
        self, path: str, parent: int, role: str, owner: int, around: tuple[str, ...]
    ) -> list[tuple[str, int, str, int, tuple[str, ...]]]:
        """Add a graph, its module calls and its calling nodes; return the nested graphs still to add."""
        graph_number, here = len(self.graphs), len(self.regions)
        self.graphs.append(path)
        self.starts.append(len(self.nodes))
        self.regions.append(
            Region(key=f"{path}#", kind="graph", parent=parent, label=role or "graph", path=path, owner=owner)
        )
        modules: dict[tuple[str, ...], int] = {}
        nested: list[tuple[str, int, str, int, tuple[str, ...]]] = []
        known: dict[int, int] = {}
        for node in self.program.graphs[path].nodes:
            number, stack = len(self.nodes), id(node.meta.get("nn_module_stack"))
            region = known.get(stack, -1)
            if region < 0:
                calls = module_calls(node)
                region = known[stack] = self.module_region(modules, here, path, calls[_common(around, calls) :])
            self.nodes.append(node)
            self.graph_of.append(graph_number)
            self.region_of.append(region)
            inner = [(s.role, child_path(path, node.name, s.role)) for s in node.subgraphs]
            inner = [(role, child) for role, child in inner if child in self.program.graphs]
            if inner:
                self.calls[number] = len(self.regions)
                names = tuple(call.call for call in module_calls(node))
                nested.extend((child, len(self.regions), role, number, names) for role, child in inner)
                key = node_key(path, node.name)
                self.regions.append(Region(key=key, kind="call", parent=region, label=op_label(node), owner=number))
        return nested

    def module_region(
        self, modules: dict[tuple[str, ...], int], here: int, path: str, calls: tuple[ModuleCall, ...]
    ) -> int:
        """Return the region of a chain of module calls in a graph, adding what is new of it."""
        region, outer = here, ""
        chain: tuple[str, ...] = ()
        for call in calls:
            chain = (*chain, call.call)
            if chain not in modules:
                modules[chain] = len(self.regions)
                self.regions.append(
                    Region(
                        key=f"{path}#{'>'.join(chain)}",
                        kind="module",
                        parent=region,
                        label=_relative(call.call, outer),
                        type=call.type.rpartition(".")[2],
                        path=call.call,
                    )
                )
            region, outer = modules[chain], call.path
        return region

    def tree(self) -> Tree:
        """Freeze what was found."""
        return Tree(
            regions=tuple(self.regions),
            graphs=tuple(self.graphs),
            starts=tuple(self.starts),
            nodes=tuple(self.nodes),
            graph_of=tuple(self.graph_of),
            region_of=tuple(self.region_of),
            calls=self.calls,
        )


def module_calls(node: Node) -> tuple[ModuleCall, ...]:
    """Return the module calls around a node, outermost first, without the root module."""
    return tuple(call for call in node.module_stack if call.call)


def _common(around: tuple[str, ...], calls: tuple[ModuleCall, ...]) -> int:
    count = 0
    for name, call in zip(around, calls, strict=False):
        if name != call.call:
            break
        count += 1
    return count


def _relative(name: str, outer: str) -> str:
    """Write a module path relative to the one around it."""
    return name[len(outer) + 1 :] if outer and name.startswith(f"{outer}.") else name
