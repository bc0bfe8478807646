"""Running one stage: its product, its Program, and a row that says what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct, structs

from graphlens.errors import GraphLensError
from graphlens.program.frames import source_text
from graphlens.program.program import Program
from graphlens.stages.failure import Failure, failure_of
from graphlens.stages.part import MODEL, Judged, Stage, Subject
from graphlens.stages.preflight.result import Problem
from graphlens.stages.rows import Finding, StageRow

INTERRUPTED = "interrupted"


class StageOutcome(Struct, frozen=True, kw_only=True):
    """What became of a stage: the row always, the rest where it ran."""

    row: StageRow
    product: Any = None
    program: Program | None = None
    failure: Failure | None = None
    findings: tuple[Finding, ...] = ()
    judge: Callable[[Program, Program], Judged] | None = None
    problems: tuple[Problem, ...] = ()


def run_stage(subject: Subject, stage: Stage, done: Mapping[str, StageOutcome]) -> StageOutcome:
    """Run a stage on the product of the one it needs. Never raises, but for an interruption."""
    missing = _why_not(stage, done)
    if missing:
        return missing
    before = subject.model if stage.needs == MODEL else done[stage.needs].product
    held = _watch(subject)
    start = time.perf_counter()
    try:
        product = stage.run(subject, before)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it raises is its row
        failure = _located(failure_of(error), done.get(stage.needs))
        row = _failed(stage, failure, time.perf_counter() - start)
        return StageOutcome(row=row, failure=failure, problems=_explained(stage, before))
    seconds = time.perf_counter() - start
    findings = (
        *_state_findings(stage, held),
        *_value_findings(stage, before, product),
        *_grad_findings(stage, before, product),
    )
    program, unread = _read(product)
    row = StageRow(
        stage=stage.name,
        status="ok",
        seconds=seconds,
        graphs=len(program.graphs) if program else None,
        nodes=sum(map(len, program.graphs.values())) if program else None,
        error=unread,
        against=_against(stage),
    )
    judge = stage.judge(before, product) if stage.judge is not None else None
    return StageOutcome(row=row, product=product, program=program, findings=findings, judge=judge)


def skipped_stage(stage: Stage, reason: str) -> StageOutcome:
    """The outcome of a stage that was not run."""
    return StageOutcome(row=StageRow(stage=stage.name, status="skipped", error=reason, against=_against(stage)))


def _against(stage: Stage) -> str:
    return "" if stage.needs == MODEL else stage.needs


def _why_not(stage: Stage, done: Mapping[str, StageOutcome]) -> StageOutcome | None:
    reason = stage.probe()
    if reason:
        row = StageRow(stage=stage.name, status="unavailable", error=reason, against=_against(stage))
        return StageOutcome(row=row)
    if stage.needs != MODEL and done[stage.needs].row.status != "ok":
        return skipped_stage(stage, f"it starts from {stage.needs}, which is {done[stage.needs].row.status}")
    return None


def _located(failure: Failure, start: StageOutcome | None) -> Failure:
    """Find the user's line of the guilty node in the program that the stage started from."""
    if failure.where or not failure.node or start is None or start.program is None:
        return failure
    node = next((node for _, node in start.program.walk() if node.name == failure.node), None)
    return failure if node is None else structs.replace(failure, where=source_text(node.stack_trace))


def _explained(stage: Stage, before: Any) -> tuple[Problem, ...]:
    try:
        return stage.explain(before) if stage.explain is not None else ()
    except Exception:  # noqa: BLE001 - an explanation that fails must not hide what it was to explain
        return ()


def _failed(stage: Stage, failure: Failure, seconds: float) -> StageRow:
    return StageRow(
        stage=stage.name,
        status="failed",
        seconds=seconds,
        error=str(failure),
        hint=failure.hint,
        against=_against(stage),
    )


def _read(product: Any) -> tuple[Program | None, str]:
    """Read the product at once, for later stages and runs may change it. A form without a graph is none."""
    from graphlens.read import read

    try:
        return read(product), ""
    except GraphLensError as error:
        return None, f"no graph to show: {error}"


def _watch(subject: Subject) -> Any:
    from graphlens.stages.state import snapshot

    return snapshot(subject.model)


def _state_findings(stage: Stage, held: Any) -> tuple[Finding, ...]:
    """Say which tensors of the user's own module the stage changed, and put them back."""
    from graphlens.stages.state import changes, restore

    names = [name.removeprefix("state ") for name in changes(held)]
    restore(held)
    return tuple(
        Finding(
            stage=stage.name,
            field=f"constants[{name}]",
            kind="changed",
            severity="wrong_result",
            a="value before",
            b=f"changed in place by {stage.name} itself",
        )
        for name in names
    )


def _value_findings(stage: Stage, before: Any, product: Any) -> tuple[Finding, ...]:
    """Say which tensors had no elements (fake, meta) and were given some by the stage."""
    from graphlens.stages.tree import is_hollow

    ours, theirs = _stored(before), _stored(product)
    return tuple(
        Finding(
            stage=stage.name,
            field=f"weights[{name}]",
            kind="changed",
            severity="wrong_result",
            a="fake, no elements",
            b=_elements_text(theirs[name]),
        )
        for name, tensor in ours.items()
        if is_hollow(tensor) and name in theirs and not is_hollow(theirs[name])
    )


def _grad_findings(stage: Stage, before: Any, product: Any) -> tuple[Finding, ...]:
    """Say which buffers came to hang on a parameter: gradients flow into them, and writing to them raises."""
    ours, theirs = _stored(before), _stored(product)
    return tuple(
        Finding(
            stage=stage.name,
            field=f"weights[{name}]",
            kind="changed",
            severity="wrong_result",
            a="a buffer of its own that shares memory with a parameter",
            b="a view of the parameter: it requires grad, and writing to it raises",
        )
        for name, tensor in ours.items()
        if name in theirs and not tensor.requires_grad and theirs[name].requires_grad and not theirs[name].is_leaf
    )


def _stored(product: Any) -> dict[str, Any]:
    """The tensors that an ExportedProgram holds, by name."""
    held = {**product.state_dict, **product.constants} if _exported(product) else {}
    return {name: value for name, value in held.items() if hasattr(value, "requires_grad")}


def _exported(product: Any) -> bool:
    return hasattr(product, "graph_signature") and isinstance(getattr(product, "constants", None), dict)


def _elements_text(tensor: Any) -> str:
    return "all zeros" if not bool(tensor.detach().to_dense().any()) else "real elements"
