"""Which values are read by where their elements lie: for them a copy with the same elements is not the same value."""

from __future__ import annotations

from typing import Final

from graphlens.diff.dialect import called, speaks_python
from graphlens.program.graph import Graph, Node
from graphlens.program.program import ROOT, Program

_READERS: Final = frozenset(
    "aten." + name
    for name in (
        "as_strided", "as_strided_", "as_strided_copy", "as_strided_scatter", "_reshape_alias", "_reshape_alias_copy", "resize",
        "resize_", "resize_as", "resize_as_", "set", "set_", "set_data", "stride", "sym_stride", "storage_offset",
        "sym_storage_offset", "is_contiguous", "sym_is_contiguous",
    )
) | {"prims.as_strided", "prims.as_strided_scatter", "prims.resize", "mkldnn.data_ptr"}  # fmt: skip
"""Their results depend on strides, on offsets, or on elements of the storage that are none of the tensor's."""

_KEEPING: Final = frozenset({"aten.alias", "aten.detach", "aten.detach_", "aten.view_as"})
"""Hand on their operand as it lies."""


def packet(node: Node) -> str:
    """Return the operator without its overload, of a function or method of Python's torch too."""
    return f"aten.{called(node)}" if speaks_python(node.op, node.target) else node.target.rpartition(".")[0]


def moves(node: Node) -> bool:
    """Whether the elements of a node's value may lie elsewhere than those of its first operand."""
    return packet(node) not in _KEEPING


Readers = frozenset[tuple[str, str]]
"""Graph paths and names of nodes that read where elements lie."""


def readers_of_places(program: Program) -> Readers:
    """Find the nodes of all graphs of a program that read where elements lie."""
    calls = {(node.op, node.target): node for graph in program.graphs.values() for node in graph.nodes}
    reading = {key for key, node in calls.items() if packet(node) in _READERS}
    if not reading:
        return frozenset()
    return frozenset((path, node.name) for path, node in program.walk() if (node.op, node.target) in reading)


def read_by_place(program: Program, path: str, readers: Readers) -> frozenset[str]:
    """Name the nodes of a graph of whose values anything is made that is read by where its elements lie.

    Of a nested graph these are all that its results are made of, where any graph of the program reads so.
    """
    if not readers:
        return frozenset()
    graph = program.graphs[path]
    found = [name for at, name in readers if at == path]
    found += [node.name for node in graph.nodes if node.subgraphs and _inside(node, path, readers)]
    if path != ROOT and graph.output is not None:
        found.append(graph.output.name)
    return _above(graph, found)


def _inside(node: Node, path: str, readers: Readers) -> bool:
    start = f"{path}/{node.name}." if path else f"{node.name}."
    return any(at.startswith(start) for at, _ in readers)


def _above(graph: Graph, names: list[str]) -> frozenset[str]:
    """Name the nodes that some nodes are made of."""
    found: set[str] = set()
    stack = list(names)
    while stack:
        for name in graph[stack.pop()].inputs:
            if name not in found:
                found.add(name)
                stack.append(name)
    return frozenset(found)
