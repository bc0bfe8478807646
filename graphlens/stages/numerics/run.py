"""The run as a whole: two programs read, aligned, run side by side, and what came of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from msgspec import Struct

from graphlens.diff.align import align
from graphlens.diff.alignment import Alignment
from graphlens.program.frames import source_text
from graphlens.progress import progress
from graphlens.stages.failure import Failure, failure_of
from graphlens.stages.numerics.compare import compare_unit
from graphlens.stages.numerics.lane import Frame
from graphlens.stages.numerics.lockstep import Both, Pairing
from graphlens.stages.numerics.outputs import output_rows, results_of, unchanged_state
from graphlens.stages.numerics.plan import Step
from graphlens.stages.numerics.random_state import get_state, set_state
from graphlens.stages.numerics.rows import Difference, NodeRow, OutputRow
from graphlens.stages.numerics.side import SideFailedError, side_of
from graphlens.stages.numerics.subject import Subject, placeholder_values
from graphlens.stages.numerics.traceback_state import traceback_kept
from graphlens.stages.numerics.units import Unit


class Inputs(Struct, frozen=True, kw_only=True):
    """One call of both programs."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    seed: int = 0


class Outcome(Struct, frozen=True, kw_only=True):
    """What a run left behind."""

    rows: tuple[NodeRow, ...]
    outputs: tuple[OutputRow, ...] = ()
    failure: Failure | None = None
    failed_side: str = ""
    interrupted: bool = False


def run_both(a: Subject, b: Subject, inputs: Inputs, pins: Sequence[tuple[str, str]] = ()) -> Outcome:
    """Run two programs in step and compare every value that both have. Ctrl-C keeps what was compared."""
    with _pairing(a, b, inputs, pins, compare_unit) as pairing, progress(1, "numerics") as bar:
        pairing.tick = _ticker(bar)
        try:
            pairing.run()
        except SideFailedError as error:
            failure = failure_of(error.event.error)
            rows = (*pairing.rows, _failed_row(pairing, error, failure))
            return Outcome(rows=rows, failure=failure, failed_side=error.side)
        except KeyboardInterrupt:
            return Outcome(rows=tuple(pairing.rows), interrupted=True)
        left = results_of(a, pairing.outputs[0], pairing.a.written, pairing.a.copies)
        right = results_of(b, pairing.outputs[1], pairing.b.written, pairing.b.copies)
        return Outcome(rows=tuple(pairing.rows), outputs=tuple(output_rows(left, right, unchanged_state(a))))


def run_until(
    a: Subject, b: Subject, inputs: Inputs, pins: Sequence[tuple[str, str]], row: NodeRow, take: Callable[..., None]
) -> bool:
    """Run again up to the comparison that made a row, and hand `take(pairing, both, unit)` what is there."""

    def stop(both: Both, step: Step) -> bool:
        unit = step.unit
        if unit is None or (unit.a, unit.b) != (row.node_a, row.node_b):
            return False
        if both.a.path != row.graph or both.iteration != row.iteration:
            return False
        take(pairing, both, unit)
        found.append(True)
        return True

    found: list[bool] = []
    with _pairing(a, b, inputs, pins, _no_comparison) as pairing:
        pairing.run(stop)
    return bool(found)


def _no_comparison(_pairing: Pairing, _both: Both, _unit: Unit) -> None:
    return None


@contextlib.contextmanager
def _pairing(
    a: Subject, b: Subject, inputs: Inputs, pins: Sequence[tuple[str, str]], compare: Callable[..., NodeRow | None]
) -> Iterator[Pairing]:
    """Two sides ready to run, closed at the end; random numbers and torch's switches are left as they were."""
    aligned: Alignment = align(a.program, b.program, pins=pins)
    values_a = placeholder_values(a, inputs.args, inputs.kwargs, "a")
    values_b = placeholder_values(b, inputs.args, inputs.kwargs, "b")
    users = get_state()
    torch.manual_seed(inputs.seed)
    start = get_state()
    sides = side_of(a, "a", values_a, start), side_of(b, "b", values_b, start)
    del values_a, values_b
    with traceback_kept():
        try:
            yield Pairing(*sides, aligned, compare)
        finally:
            for side in sides:
                side.lane.close()
            set_state(users)


def _ticker(bar: Any) -> Callable[[int], None]:
    def tick(total: int) -> None:
        bar.total = total
        bar.update()

    return tick


def _failed_row(pairing: Pairing, error: SideFailedError, failure: Failure) -> NodeRow:
    """A row for the node that raised."""
    side = pairing.a if error.side == "a" else pairing.b
    frame: Frame = error.event.frame
    graph = side.program.graphs.get(frame.path)
    node = graph[error.event.node] if graph is not None else None
    target = node.target if node is not None else ""
    return NodeRow(
        graph=frame.path,
        node_a=error.event.node if error.side == "a" else "",
        node_b=error.event.node if error.side == "b" else "",
        target_a=target if error.side == "a" else "",
        target_b=target if error.side == "b" else "",
        module=node.module if node is not None else "",
        source=source_text(node.stack_trace) if node is not None else "",
        iteration=str(frame.call) if frame.path else "",
        match="",
        status="failed",
        error=Difference(equal=False, comparable=False),
        note=f"{error.side} raised {failure.type}: {failure.cause}",
    )
