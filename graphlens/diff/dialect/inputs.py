"""Graphs whose inputs Dynamo found for itself: nobody passes these by their places."""

from __future__ import annotations

from graphlens.program.graph import DYNAMO_SOURCE, Graph


def told_by_dynamo(*graphs: Graph) -> bool:
    """Whether Dynamo says of the inputs of one of these graphs where it found them, so that their order is its own."""
    return any(
        graph.placeholders and all(DYNAMO_SOURCE in node.meta for node in graph.placeholders) for graph in graphs
    )
