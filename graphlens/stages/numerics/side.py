"""One program in its lane, with its random numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx
from torch.utils import _pytree as pytree

from graphlens.program.program import Program
from graphlens.stages.numerics.interpret import run_program
from graphlens.stages.numerics.lane import Entered, Event, Failed, Frame, Lane, Left, Ran
from graphlens.stages.numerics.plan import own_drops
from graphlens.stages.numerics.random_state import State, Stream, set_state
from graphlens.stages.numerics.subject import Subject
from graphlens.stages.numerics.writes import module_draws, written_leaves


class SideFailedError(Exception):
    """A node of one side raised; what came before it is kept."""

    def __init__(self, side: str, event: Failed) -> None:
        super().__init__(str(event.error))
        self.side = side
        self.event = event


@dataclass(eq=False)
class Side:
    """One program in its lane. `written` and `copies` hold what it may write to: placeholders, and tensors of its module."""

    name: str
    program: Program
    root: Frame
    lane: Lane
    stream: Stream
    written: Mapping[str, Any]
    copies: Mapping[str, Any]
    _drops: dict[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    _live: dict[int, Mapping[str, fx.Node]] = field(default_factory=dict)

    def advance(self) -> Event:
        """Run to the next event, with this side's random numbers.

        Raises
        ------
        SideFailedError
            A node raised.
        """
        event: Event = self.stream.run(self.lane.advance)
        if isinstance(event, Failed):
            raise SideFailedError(self.name, event)
        return event

    def run_to(self, name: str) -> Ran:
        """Run the next node of the graph that is being run, which is `name`, and all nested graphs in it unheard."""
        event = self.advance()
        while isinstance(event, Entered):
            self.drain(event)
            event = self.advance()
        if not isinstance(event, Ran) or event.node != name:
            raise TypeError(f"{self.name} is at {event}, not at {name}")
        return event

    def drain(self, event: Entered) -> None:
        """Run a nested graph that nothing is compared in to its end, dropping values as it goes."""
        inside = [event.frame]
        while inside:
            happened = self.advance()
            if isinstance(happened, Entered):
                inside.append(happened.frame)
            elif isinstance(happened, Left):
                inside.pop()
            elif isinstance(happened, Ran):
                for name in self._own_drops(happened.frame.path).get(happened.node, ()):
                    happened.frame.values.pop(name, None)

    def call(self, job: Callable[[], Any], state: State | None = None) -> Any:
        """Run a job where this side stands; with `state`, its random numbers start there. The side's own are left alone."""
        if not self.stream.used and state is None:
            return self.lane.call(job)
        set_state(state or self.stream.state)
        return self.lane.call(job)

    def live(self, frame: Frame, name: str) -> fx.Node:
        """The live node of a graph by name."""
        graph = frame.module.graph
        if id(graph) not in self._live:
            self._live[id(graph)] = {node.name: node for node in graph.nodes}
        return self._live[id(graph)][name]

    def _own_drops(self, path: str) -> Mapping[str, tuple[str, ...]]:
        if path not in self._drops:
            graph = self.program.graphs.get(path)
            self._drops[path] = own_drops(graph) if graph is not None else {}
        return self._drops[path]


def side_of(subject: Subject, name: str, values: Mapping[str, Any], state: State) -> Side:
    """Make a side ready to run."""
    root = Frame("", subject.module)
    names = written_leaves(subject.module)
    copies: dict[str, Any] = {}
    work = run_program(subject.program, root, values, names, copies)
    return Side(
        name=name,
        program=subject.program,
        root=root,
        lane=Lane(f"graphlens {name}", work),
        stream=Stream(module_draws(subject.module), state),
        written={key: value for key, value in values.items() if key in names},
        copies=copies,
    )


def copied(value: Any) -> Any:
    """Copy the tensors in a value."""
    return pytree.tree_map_only(torch.Tensor, lambda tensor: tensor.clone(), value)
