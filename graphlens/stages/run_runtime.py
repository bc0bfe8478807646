"""Running one runtime: preparing it, calling it, and a row that says what became of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from graphlens.stages.failure import Failure, failure_of
from graphlens.stages.part import MODEL, Runtime, Subject
from graphlens.stages.rows import RuntimeRow
from graphlens.stages.run_stage import StageOutcome


class RuntimeOutcome(Struct, frozen=True, kw_only=True):
    """What became of a runtime: the row always, the answer where it ran."""

    row: RuntimeRow
    runtime: Runtime
    answer: Any = None
    failure: Failure | None = None


def run_runtime(
    subject: Subject, runtime: Runtime, stages: Mapping[str, StageOutcome], *, stateful: bool = False
) -> RuntimeOutcome:
    """Load and call one runtime, twice. Never raises, but for an interruption.

    `stateful` says that the model changes its own state; a runtime whose state cannot be put back is then called once.
    """
    from graphlens.stages.execute import execute
    from graphlens.stages.state import holder

    status, reason = _why_not(subject, runtime, stages)
    if reason:
        return outcome(runtime, status, reason)
    start = time.perf_counter()
    try:
        product = subject.model if runtime.needs == MODEL else stages[runtime.needs].product
        function = runtime.load(subject, product)
        prepared = time.perf_counter() - start
        reason = _hollow(function)
        if reason:
            return outcome(runtime, "unavailable", reason)
        answer = execute(function, *_inputs(subject), twice=holder(function) is not None or not stateful)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it raises is its row
        failure = failure_of(error)
        return RuntimeOutcome(
            runtime=runtime,
            failure=failure,
            row=RuntimeRow(runtime=runtime.name, status="failed", error=str(failure), hint=failure.hint),
        )
    lost = f"changed the parameters {', '.join(answer.lost)}, which are too large to be put back" if answer.lost else ""
    row = RuntimeRow(
        runtime=runtime.name,
        status="ok",
        prepare=prepared,
        seconds=answer.seconds,
        leaves=len(answer.leaves),
        deterministic=not answer.unstable,
        error=lost,
    )
    return RuntimeOutcome(runtime=runtime, row=row, answer=answer)


def outcome(runtime: Runtime, status: str, reason: str) -> RuntimeOutcome:
    """The outcome of a runtime that was not run."""
    return RuntimeOutcome(runtime=runtime, row=RuntimeRow(runtime=runtime.name, status=status, error=reason))


def _why_not(subject: Subject, runtime: Runtime, stages: Mapping[str, StageOutcome]) -> tuple[str, str]:
    reason = runtime.probe()
    if reason:
        return "unavailable", reason
    if runtime.needs == MODEL:
        return (
            ("unavailable", "an ExportedProgram was given, so there is no module to run")
            if subject.exported
            else ("", "")
        )
    if runtime.needs not in stages:
        return "skipped", f"it needs the stage {runtime.needs}, which was not asked for"
    status = stages[runtime.needs].row.status
    return ("", "") if status == "ok" else ("skipped", f"it needs the stage {runtime.needs}, which is {status}")


def _inputs(subject: Subject) -> tuple[tuple[Any, ...], dict[str, Any]]:
    from graphlens.stages.tree import realize

    args, kwargs = realize((subject.args, dict(subject.kwargs)))
    return args, kwargs


def _hollow(function: Any) -> str:
    """Say why there is nothing to compute with: weights without elements."""
    import torch

    from graphlens.stages.tree import is_hollow

    if not isinstance(function, torch.nn.Module):
        return ""
    hollow = next(
        (name for name, tensor in [*function.named_parameters(), *function.named_buffers()] if is_hollow(tensor)), None
    )
    return f"its weights are fake ({hollow} has no elements), so there is nothing to compute with" if hollow else ""
