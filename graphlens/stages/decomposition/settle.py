"""What is no part of a decomposition, taken out of both programs before they are compared."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import structs

from graphlens.program.argument import Argument, Const, Map, Ref, Seq, Slice
from graphlens.program.frozen import freeze
from graphlens.program.graph import Graph, Node
from graphlens.program.value import ContainerValue, SymValue, TensorValue, Value

ASSUMED = "symbolic sizes are what their recorded expressions say"

_NAMED_NODE = re.compile(r" on node '\w+'")
"""What torch adds to the message of a runtime assertion."""


def settled(graphs: Mapping[str, Graph]) -> Mapping[str, Graph]:
    """Forget which values share storage, and write each symbolic size as its expression.

    A piece that stands for several ops brings one set of values, so storages say nothing; and each op computes its sizes
    anew where the whole program computes them once. The results of higher-order ops lose their offsets too, which tracing
    makes up anew each time.
    """
    done: dict[int, Graph] = {}
    for graph in graphs.values():
        if id(graph) not in done:
            sizes = {node.name: node.value.expr for node in graph.nodes if isinstance(node.value, SymValue)}
            hops = _results_of_hops(graph)
            done[id(graph)] = Graph(tuple(_settled(node, sizes, node.name in hops) for node in graph.nodes), graph.meta)
    return freeze((path, done[id(graph)]) for path, graph in graphs.items())


def _results_of_hops(graph: Graph) -> set[str]:
    found = {node.name for node in graph.nodes if node.target.startswith("higher_order.")}
    return found | {
        node.name
        for node in graph.nodes
        if node.target == "_operator.getitem" and node.inputs[:1] and node.inputs[0] in found
    }


def _settled(node: Node, sizes: Mapping[str, str], of_a_hop: bool) -> Node:
    value = _bare(node.value, of_a_hop)
    if node.target == "aten._assert_scalar.default" and len(node.args) == 2 and isinstance(node.args[1], str):
        node = structs.replace(node, args=(node.args[0], _NAMED_NODE.sub("", node.args[1])))
    if node.op == "output" or not any(name in sizes for name in node.inputs):
        return structs.replace(node, value=value)
    args = tuple(_with_sizes(argument, sizes) for argument in node.args)
    kwargs = freeze((key, _with_sizes(argument, sizes)) for key, argument in node.kwargs.items())
    return structs.replace(node, args=args, kwargs=kwargs, value=value)


def _with_sizes(argument: Argument, sizes: Mapping[str, str]) -> Argument:
    """Replace references to symbolic sizes by their expressions; arguments of live graphs nest a few levels at most."""
    if isinstance(argument, Ref):
        return Const("sym", sizes[argument.node]) if argument.node in sizes else argument
    if isinstance(argument, Seq):
        return Seq(argument.kind, tuple(_with_sizes(item, sizes) for item in argument.items))
    if isinstance(argument, Map):
        return Map(tuple((key, _with_sizes(item, sizes)) for key, item in argument.items))
    if isinstance(argument, Slice):
        parts = (argument.start, argument.stop, argument.step)
        return Slice(*(_with_sizes(part, sizes) for part in parts))
    return argument


def _bare(value: Value | None, of_a_hop: bool) -> Value | None:
    if isinstance(value, TensorValue):
        return structs.replace(value, storage=None, storage_offset=None if of_a_hop else value.storage_offset)
    if isinstance(value, ContainerValue):
        return structs.replace(value, items=tuple(_bare(item, of_a_hop) for item in value.items))
    return value
