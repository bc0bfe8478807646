"""Running a graph node by node in its lane, nested graphs included, whichever op calls them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import fx

from graphlens.errors import GraphLensError
from graphlens.program.program import Program
from graphlens.program.roles import Where
from graphlens.read.live_graph import attribute, nested
from graphlens.stages.numerics.lane import Ended, Entered, Event, Failed, Frame, Lane, Left, Ran
from graphlens.stages.numerics.subject import settled


class NodeError(GraphLensError):
    """A node raised; the cause is `__cause__`."""

    def __init__(self, frame: Frame, node: str) -> None:
        super().__init__(f"{node} of graph {frame.path!r} raised")
        self.frame = frame
        self.node = node


def run_program(
    program: Program, root: Frame, values: Mapping[str, Any], written: frozenset[str], copies: dict[str, Any]
) -> Callable[[Lane], Event]:
    """Make the work of a lane: run the root graph on the values of its placeholders.

    `copies` takes the copies of the module's own tensors that the graph may write to (those in `written`), by name.
    """
    bound = dict(values)

    def work(lane: Lane) -> Event:
        try:
            return Ended(Runner(lane, program, written, copies).run(root, bound))
        except NodeError as error:
            return Failed(error.frame, error.node, error.__cause__ or error)

    return work


class Runner:
    """One side's interpreter. Its state is the lane; everything else is in the frames."""

    def __init__(self, lane: Lane, program: Program, written: frozenset[str], copies: dict[str, Any]) -> None:
        self._lane = lane
        self._program = program
        self._written = written
        self._copies = copies

    def run(self, frame: Frame, bound: dict[str, Any]) -> Any:
        """Run one graph to its end and return its output; values are dropped by whoever listens to the lane."""
        output = None
        for node in frame.module.graph.nodes:
            try:
                output = self._node(frame, node, bound)
            except NodeError:
                raise
            except Exception as error:
                raise NodeError(frame, node.name) from error
            frame.values[node.name] = output
            self._lane.tell(Ran(frame, node.name))
        return output

    def _node(self, frame: Frame, node: fx.Node, bound: dict[str, Any]) -> Any:
        if node.op == "placeholder":
            return bound.pop(node.name)
        if node.op == "get_attr":
            return self._attribute(frame, node)
        args, kwargs = fill(node, frame.values)
        if node.op == "output":
            return args[0]
        plain = self._program.graphs.get(frame.path)
        if plain is not None and plain[node.name].subgraphs:
            args, kwargs, target = self._with_bodies(frame, node, args, kwargs)
            return target(*args, **kwargs)
        return execute(node, frame.module, args, kwargs)

    def _attribute(self, frame: Frame, node: fx.Node) -> Any:
        """A weight or constant; a copy, one for all its uses, where the graph may write to it."""
        held = attribute(frame.module, node.target)
        if frame.path or node.name not in self._written:
            return settled(held, copy=False)
        name = str(node.target)
        if name not in self._copies:
            self._copies[name] = settled(held, copy=True)
        return self._copies[name]

    def _with_bodies(
        self, frame: Frame, node: fx.Node, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any], Callable[..., Any]]:
        """Put a stand-in for each nested graph among the arguments; it runs the graph here when it is called."""
        target: Callable[..., Any] = node.target if callable(node.target) else attribute(frame.module, node.target)
        plain = self._program.graphs[frame.path][node.name]
        for found, sub in zip(list(nested(node, frame.module)), plain.subgraphs, strict=False):
            module = found.body.owner
            if not isinstance(module, fx.GraphModule):
                continue
            stand_in = self._stand_in(frame, node.name, sub.role, module)
            if found.where == ("module",):
                target = stand_in
            elif isinstance(found.where[0], int):
                args = tuple(replaced(args, found.where, stand_in))
            else:
                kwargs = dict(replaced(kwargs, found.where, stand_in))
        return args, kwargs, target

    def _stand_in(self, frame: Frame, node: str, role: str, module: fx.GraphModule) -> Any:
        def forward(*args: Any, **kwargs: Any) -> Any:
            child = frame.child(node, role, module)
            names = [n.name for n in module.graph.nodes if n.op == "placeholder"]
            given = list(args[0]) if len(args) == 1 and len(names) != 1 and isinstance(args[0], list) else list(args)
            given += [kwargs[name] for name in names[len(given) :] if name in kwargs]
            if len(given) != len(names):
                raise TypeError(f"{child.path} takes {len(names)} values, and {len(given)} are given")
            self._lane.tell(Entered(child))
            output = self.run(child, dict(zip(names, given, strict=True)))
            child.values.clear()
            self._lane.tell(Left(child))
            return output

        return with_forward(module, forward)


def with_forward(module: fx.GraphModule, forward: Callable[..., Any]) -> fx.GraphModule:
    """A stand-in for a GraphModule: as many inputs, its attributes and metadata, but all it does is call `forward`.

    Ops may call it, or take its graph and interpret that (activation checkpointing does); the module itself is left alone.
    """
    graph = fx.Graph()
    inputs = [graph.placeholder(node.name) for node in module.graph.nodes if node.op == "placeholder"]
    graph.output(graph.call_function(forward, tuple(inputs)))
    twin = fx.GraphModule(torch.nn.Module(), graph)
    twin.__dict__.update({key: value for key, value in module.__dict__.items() if key not in twin.__dict__})
    twin.meta = module.meta
    twin.__dict__["forward"] = forward
    return twin


def fill(node: fx.Node, values: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Put values in the place of nodes among a node's arguments."""
    args = fx.map_arg(node.args, lambda n: values[n.name])
    kwargs = fx.map_arg(node.kwargs, lambda n: values[n.name])
    return tuple(args), dict(kwargs)


def execute(node: fx.Node, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run one call node."""
    if node.op == "call_method":
        return getattr(args[0], str(node.target))(*args[1:], **kwargs)
    if node.op == "call_module":
        return attribute(module, node.target)(*args, **kwargs)
    if node.target is operator.getitem:
        return args[0][args[1]]
    return node.target(*args, **kwargs)


def replaced(container: Any, where: Where, new: Any) -> Any:
    """Return a nested container with the item at a place exchanged; what lies on the way is copied."""
    if not where:
        return new
    step, rest = where[0], where[1:]
    if isinstance(container, Mapping):
        return {key: replaced(item, rest, new) if str(key) == step else item for key, item in container.items()}
    items = [replaced(item, rest, new) if i == step else item for i, item in enumerate(container)]
    return tuple(items) if isinstance(container, tuple) else items
