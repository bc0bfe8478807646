"""Graphs whose inputs Dynamo found, or AOTAutograd made of these: nobody passes them by their places."""

from __future__ import annotations

from graphlens.program.graph import DYNAMO_SOURCE, Graph, Node


def told_by_dynamo(*graphs: Graph) -> bool:
    """Whether Dynamo or AOTAutograd describes the inputs of one of these graphs, so that their order is its own."""
    return any(graph.placeholders and all(map(_described, graph.placeholders)) for graph in graphs)


def _described(node: Node) -> bool:
    return DYNAMO_SOURCE in node.meta or "desc" in node.meta
