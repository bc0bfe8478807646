"""Data flow between the nodes of a program: which operand comes from where, and what nested placeholders stand for."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from graphlens.program.argument import Argument, Map, Ref, Seq, Slice, argument_text, children
from graphlens.program.graph import Node
from graphlens.program.program import Program, child_path
from graphlens.view.regions import Tree


class Edge(Struct, frozen=True):
    """A use of a value. Numbers are those of the `Tree`; `port` is the output a getitem takes, else -1."""

    src: int
    dst: int
    slot: str
    port: int


def named_arguments(node: Node) -> Iterator[tuple[str, Argument]]:
    """Yield the arguments of a node by schema name (`arg2` where unknown), kwargs last."""
    for i, argument in enumerate(node.args):
        yield (node.arg_names[i] if i < len(node.arg_names) else f"arg{i}"), argument
    yield from node.kwargs.items()


def operands(node: Node) -> Iterator[tuple[str, str]]:
    """Yield `(slot, node name)` for each use of another node, left to right, without recursion."""
    for name, argument in named_arguments(node):
        stack = [(name, argument)]
        while stack:
            slot, top = stack.pop()
            if isinstance(top, Ref):
                yield slot, top.node
            elif isinstance(top, Seq | Map | Slice):
                stack.extend(reversed(list(_steps(slot, top))))


def _steps(slot: str, top: Seq | Map | Slice) -> Iterator[tuple[str, Argument]]:
    if isinstance(top, Seq):
        for i, item in enumerate(top.items):
            yield f"{slot}[{i}]", item
    elif isinstance(top, Map):
        for key, item in top.items:
            yield f"{slot}[{argument_text(key)}]", item
    else:
        yield from zip((f"{slot}.start", f"{slot}.stop", f"{slot}.step"), children(top), strict=True)


def edges(program: Program, tree: Tree) -> list[Edge]:
    """Return the uses of all nodes, sorted by user; a use of a node that does not exist is left out."""
    found = []
    for number, node in enumerate(tree.nodes):
        graph = tree.graph_of[number]
        for slot, name in operands(node):
            maker = tree.number(program, graph, name)
            if maker >= 0:
                found.append(Edge(maker, number, slot, _port(node)))
    return found


def _port(node: Node) -> int:
    if node.target == "_operator.getitem" and len(node.args) > 1:
        index = node.args[1]
        if isinstance(index, int) and not isinstance(index, bool):
            return index
    return -1


def ties(program: Program, tree: Tree) -> list[tuple[int, int]]:
    """Return `(operand, placeholder)` pairs of every nested graph whose operands can be told.

    No list of ops: the operands of a call are what follows its last subgraph argument. Where their number is that of
    the placeholders they are tied in order; else nothing is, rather than something wrong.
    """
    found = []
    numbers = {path: i for i, path in enumerate(tree.graphs)}
    for number in tree.calls:
        node, graph = tree.nodes[number], tree.graph_of[number]
        given = _operands_after_subgraphs(node)
        for subgraph in node.subgraphs:
            path = child_path(tree.graphs[graph], node.name, subgraph.role)
            child = program.graphs.get(path)
            if child is None:
                continue
            inner = [p.name for p in child.placeholders]
            matched = _match(given, len(inner))
            for argument, name in zip(matched, inner, strict=False):
                outer = tree.number(program, graph, argument.node) if isinstance(argument, Ref) else -1
                here = tree.number(program, numbers[path], name)
                if outer >= 0 and here >= 0:
                    found.append((outer, here))
    return found


def _match(given: list[Argument], count: int) -> list[Argument]:
    if len(given) == count:
        return given
    refs: list[Argument] = [argument for argument in given if isinstance(argument, Ref)]
    return refs if len(refs) == count else []


def _operands_after_subgraphs(node: Node) -> list[Argument]:
    held = {subgraph.where for subgraph in node.subgraphs}
    last = max((i for i in range(len(node.args)) if any(w.startswith(f"args[{i}]") for w in held)), default=-1)
    flat: list[Argument] = []
    stack: list[Argument] = list(reversed(node.args[last + 1 :]))
    while stack:
        top = stack.pop()
        if isinstance(top, Seq):
            stack.extend(reversed(top.items))
        else:
            flat.append(top)
    return flat
