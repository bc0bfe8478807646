"""Both programs side by side: each value compared when both sides have it, and dropped when nothing needs it any more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx

from graphlens.diff.alignment import Alignment, GraphAlignment
from graphlens.stages.numerics.lane import Ended, Entered, Frame, Left
from graphlens.stages.numerics.plan import Kind, Plan, Step, plan
from graphlens.stages.numerics.random_state import State
from graphlens.stages.numerics.rows import NodeRow
from graphlens.stages.numerics.side import Side, copied
from graphlens.stages.numerics.units import Unit, units
from graphlens.stages.numerics.writes import draws, writes, written_arguments


@dataclass(eq=False)
class Both:
    """A pair of graphs that are being run: where the plan stands, and what is known of the values.

    `equal` says of nodes of `a` whether their value was bit-equal to its counterpart's; `states` are the random
    numbers before nodes of `a` that draw some; `before` holds copies of what nodes of `a` wrote over; `held` copies of
    values of `b` that wait for `a`; `notes` what happened in the nested graphs of a node, and `began` how many rows there
    were before them; `dtypes` the floating-point dtypes that values have in `b` where they are others than in `a`.
    """

    a: Frame
    b: Frame
    plan: Plan
    at: int = 0
    iteration: str = ""
    equal: dict[str, bool] = field(default_factory=dict)
    states: dict[str, State] = field(default_factory=dict)
    before: dict[str, dict[str, Any]] = field(default_factory=dict)
    held: dict[str, Any] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    began: dict[str, int] = field(default_factory=dict)
    dtypes: dict[str, torch.dtype] = field(default_factory=dict)


@dataclass(eq=False)
class Pairing:
    """Two sides and how their graphs correspond. `rows` grows; the outputs are there when both have ended."""

    a: Side
    b: Side
    alignment: Alignment
    compare: Callable[[Pairing, Both, Unit], NodeRow | None]
    tick: Callable[[int], None] = lambda _total: None
    rows: list[NodeRow] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    _plans: dict[tuple[str, str], Plan | None] = field(default_factory=dict)
    _graphs: dict[tuple[str, str], GraphAlignment] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._graphs = {(graph.path_a, graph.path_b): graph for graph in self.alignment.graphs}

    def run(self, stop: Callable[[Both, Step], bool] = lambda _both, _step: False) -> None:
        """Run both programs to their end, or until `stop` says so before a step.

        Raises
        ------
        SideFailedError
            A node raised.
        """
        root = self._pair(self.a.root, self.b.root, "")
        if root is None:
            raise ValueError("the root graphs are not aligned")
        stack = [root]
        while stack:
            top = stack[-1]
            if top.at >= len(top.plan.steps):
                stack.pop()
                if stack:
                    self._leave()
                continue
            step = top.plan.steps[top.at]
            if stop(top, step):
                return
            child = self._do(top, step)
            if child is not None:
                stack.append(child)
                continue
            _drop(top, step)
            top.at += 1
            if len(stack) == 1:
                self.tick(len(top.plan.steps))
        ends = [side.advance() for side in (self.a, self.b)]
        self.outputs = [event.output for event in ends if isinstance(event, Ended)]

    def _leave(self) -> None:
        for side in (self.a, self.b):
            event = side.advance()
            if not isinstance(event, Left):
                raise TypeError(f"{side.name} is at {event}, not at the end of a nested graph")

    def _pair(self, a: Frame, b: Frame, iteration: str) -> Both | None:
        """Put two frames side by side, if their graphs were aligned; a plan is made once for all iterations."""
        key = (a.path, b.path)
        if key not in self._plans:
            aligned = self._graphs.get(key)
            self._plans[key] = self._make_plan(a, b, aligned) if aligned is not None else None
        found = self._plans[key]
        return None if found is None else Both(a, b, found, iteration=iteration)

    def _make_plan(self, a: Frame, b: Frame, aligned: GraphAlignment) -> Plan:
        left, right = self.a.program.graphs[a.path], self.b.program.graphs[b.path]
        writing = frozenset(node.name for node in b.module.graph.nodes if writes(node))
        return plan(left, right, units(left, right, aligned), writing)

    def _do(self, both: Both, step: Step) -> Both | None:
        """Do one step; return a pair of nested graphs that has to be run before the step is done."""
        if step.unit is not None:
            row = self.compare(self, both, step.unit)
            if row is not None:
                self.rows.append(row)
        elif step.kind is Kind.BOTH:
            if step.a not in both.began:
                both.began[step.a] = len(self.rows)
                self._before(both, step.a)
            return self._together(both, step)
        elif step.kind is Kind.A:
            self._before(both, step.a)
            self.a.run_to(step.a)
            self._after(both, self.a, both.a, step.a)
        else:
            self.b.run_to(step.b)
            self._after(both, self.b, both.b, step.b)
            if step.b in both.plan.hold_b:
                both.held[step.b] = copied(both.b.values[step.b])
        return None

    def _before(self, both: Both, name: str) -> None:
        """Remember what a rerun of this node of `a` needs and its run may change."""
        node = self.a.live(both.a, name)
        if self.a.stream.used and draws(node):
            both.states[name] = self.a.stream.state
        if writes(node):
            both.before[name] = _endangered(both.a, node)

    def _after(self, both: Both, side: Side, frame: Frame, name: str) -> None:
        """A node that wrote to its inputs makes what is known of other values untrue: they may be views of one another."""
        if writes(side.live(frame, name)):
            both.equal.clear()

    def _together(self, both: Both, step: Step) -> Both | None:
        """Go on with a node that has nested graphs on both sides, until both are in one or past the node."""
        event_a, event_b = self.a.advance(), self.b.advance()
        while isinstance(event_a, Entered) or isinstance(event_b, Entered):
            in_a = event_a.frame if isinstance(event_a, Entered) else None
            in_b = event_b.frame if isinstance(event_b, Entered) else None
            if in_a is not None and in_b is not None and in_a.role == in_b.role:
                iteration = f"{both.iteration}.{in_a.call}" if both.iteration else str(in_a.call)
                child = self._pair(in_a, in_b, iteration)
                if child is not None:
                    return child
            both.notes.setdefault(step.a, _parted(in_a, in_b))
            if isinstance(event_a, Entered):
                self.a.drain(event_a)
                event_a = self.a.advance()
            if isinstance(event_b, Entered):
                self.b.drain(event_b)
                event_b = self.b.advance()
        return None


def _endangered(frame: Frame, node: fx.Node) -> dict[str, Any]:
    """Copies of the inputs that a node may write to, or that share storage with one of those."""
    written = {_storage(frame.values[source.name]) for source in written_arguments(node)}
    names = [source.name for source in node.all_input_nodes]
    return {name: copied(frame.values[name]) for name in names if _storage(frame.values[name]) in written - {None}}


def _storage(value: Any) -> int | None:
    try:
        return int(value.untyped_storage().data_ptr()) if isinstance(value, torch.Tensor) else None
    except (RuntimeError, NotImplementedError):
        return None


def _parted(a: Frame | None, b: Frame | None) -> str:
    """Say how the control flow of the two sides parts."""
    if a is not None and b is not None:
        if a.role != b.role:
            return f"a runs {a.role} and b runs {b.role}"
        return f"{a.role} has no counterpart in b that it could be compared with"
    here, there, frame = ("a", "b", a) if a is not None else ("b", "a", b)
    return (
        "" if frame is None else f"{here} runs {frame.role} for the {_ordinal(frame.call + 1)} time, {there} does not"
    )


def _ordinal(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _drop(both: Both, step: Step) -> None:
    for name in step.drop_a:
        both.a.values.pop(name, None)
        both.before.pop(name, None)
        both.states.pop(name, None)
    for name in step.drop_b:
        both.b.values.pop(name, None)
        both.held.pop(name, None)
