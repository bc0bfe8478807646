"""Data flow between the nodes of a program: which operand comes from where, and what nested placeholders stand for."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from graphlens.program.argument import Argument, Ref, Seq
from graphlens.program.graph import Node
from graphlens.program.program import Program, child_path
from graphlens.view.forms import Form, used
from graphlens.view.regions import Tree


class Edge(Struct, frozen=True):
    """A use of a value. Numbers are those of the `Tree`; `port` is the output a getitem takes, else -1."""

    src: int
    dst: int
    slot: str
    port: int


def edges(program: Program, tree: Tree, forms: Sequence[Form]) -> list[Edge]:
    """Return the uses of all nodes, sorted by user; a use of a node that does not exist is left out."""
    found = []
    places = [program.graphs[path].index for path in tree.graphs]
    for number, (node, graph, form) in enumerate(zip(tree.nodes, tree.graph_of, forms, strict=True)):
        if not form.slots:
            continue
        place, start, port = places[graph], tree.starts[graph], form.port
        for slot, name in zip(form.slots, used(node, form), strict=True):
            position = place.get(name)
            if position is not None:
                found.append(Edge(start + position, number, slot, port))
    return found


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
