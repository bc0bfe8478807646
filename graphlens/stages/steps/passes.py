"""Stages of the user's own: a function that rewrites a captured program."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from graphlens.program.program import Program
from graphlens.stages.part import Judged, Stage, Subject

PREVIOUS = "previous"
"""What a pass needs: the product of the stage before it, whichever that is."""


def user_pass(name: str, function: Callable[..., Any]) -> Stage:
    """Make a stage of `function`, which takes the product of the stage before it.

    It may return an ExportedProgram, GraphModule, module, or `PassResult`; or change what it was given and return
    nothing. It is given a copy, so the stage before it stays what it was.
    """

    def run(_subject: Subject, product: Any) -> Any:
        own = copied(product)
        result = function(own)
        if result is None:
            return _settled(own)
        return _settled(getattr(result, "graph_module", result) if type(result).__name__ == "PassResult" else result)

    return Stage(name=name, needs=PREVIOUS, run=run, exact=False, judge=judged)


def judged(start: Any, product: Any) -> Callable[[Program, Program], Judged]:
    """Run what the pass rewrote side by side with what it was, on random inputs."""
    modules = getattr(start, "graph_module", start), getattr(product, "graph_module", product)

    def judge(a: Program, b: Program) -> Judged:
        from graphlens.diff import compare
        from graphlens.stages.groups import by_testing

        return by_testing(*modules, compare(a, b))

    return judge


def copied(product: Any) -> Any:
    """Copy the graphs of a captured program; weights are shared, for a pass replaces and does not write them.

    So are the fake tensors and symbols that values are recorded as: torch cannot copy them (an unflattened module copies its
    nodes with all their metadata).
    """
    memo = {id(tensor): tensor for tensor in (*_tensors(product), *_recorded(product))}
    return copy.deepcopy(product, memo)


def _tensors(product: Any) -> list[Any]:
    import torch

    if isinstance(product, torch.export.ExportedProgram):
        held = [*product.state_dict.values(), *product.constants.values()]
    elif isinstance(product, torch.nn.Module):
        held = [*product.parameters(), *product.buffers()]
    else:
        held = []
    return [tensor for tensor in held if isinstance(tensor, torch.Tensor)]


def _recorded(product: Any) -> list[Any]:
    """Find the tensors and symbols in the metadata of all nodes of a module and of the modules in it."""
    import torch
    from torch.utils._pytree import tree_leaves

    modules = product.modules() if isinstance(product, torch.nn.Module) else ()
    graphs = [graph for module in modules if isinstance(graph := getattr(module, "graph", None), torch.fx.Graph)]
    recorded = [value for graph in graphs for node in graph.nodes for value in node.meta.values()]
    shared = (torch.Tensor, torch.SymInt, torch.SymFloat, torch.SymBool)
    return [leaf for leaf in tree_leaves(recorded) if isinstance(leaf, shared)]


def _settled(product: Any) -> Any:
    """Check the graph that a pass left and compile its code anew."""
    graph_module = getattr(product, "graph_module", product)
    if hasattr(graph_module, "graph"):
        graph_module.graph.lint()
        if hasattr(graph_module, "recompile"):
            graph_module.recompile()
    return product
