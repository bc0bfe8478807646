"""The round trip: a model through its stages and runtimes, each of which may fail without bringing down the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any, TypeVar

from graphlens.errors import MissingDependencyError
from graphlens.program.frozen import freeze
from graphlens.progress import progress
from graphlens.stages.catalog import RuntimeLike, StageLike, plan_runtimes, plan_stages, subject_of
from graphlens.stages.part import Runtime, Stage, Subject
from graphlens.stages.result import RoundTrip
from graphlens.stages.rows import LeafRow
from graphlens.stages.run_runtime import RuntimeOutcome, outcome, run_runtime
from graphlens.stages.run_stage import INTERRUPTED, StageOutcome, run_stage, skipped_stage

R = TypeVar("R")


def roundtrip(
    model: Any,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    dynamic_shapes: Any = None,
    strict: bool = False,
    stages: StageLike | Sequence[StageLike] = ("export", "decompose", "reload"),
    runtimes: RuntimeLike | Sequence[RuntimeLike] = ("eager", "exported", "reloaded"),
    name: str | None = None,
) -> RoundTrip:
    """Put a model through export, decompositions and save/load, and say whether the answer is still the same.

    Parameters
    ----------
    model
        An `nn.Module`, or an ExportedProgram (then the export stage is what was given).
    args, kwargs
        Inputs of one call. They are copied for every run. Fake tensors are replaced by real ones when something runs.
    dynamic_shapes, strict
        As for `torch.export.export`.
    stages
        Names, presets, functions, ``(name, function)`` or ``(name, decomposition table)``; see
        `graphlens.stages.catalog.plan_stages`.
    runtimes
        Names of runtimes, or of stages whose product is to be run.
    name
        What the result is called in reports; the class of the model by default.

    Returns
    -------
    RoundTrip
        ``str(result)`` is the verdict. A stage or runtime that raises is a row with the cause; Ctrl-C keeps what was
        finished.

    Raises
    ------
    StageError
        A stage or runtime that does not exist was asked for, or `model` is neither module nor ExportedProgram.
    MissingDependencyError
        torch is not installed.
    """
    require_torch()
    planned = plan_stages(stages)
    ways = plan_runtimes(runtimes, planned)
    subject = subject_of(model, args, kwargs, dynamic_shapes, strict)
    return _result(name or type(model).__name__, subject, *_run_all(subject, planned, ways))


def _run_all(
    subject: Subject, planned: Sequence[Stage], ways: Sequence[Runtime]
) -> tuple[dict[str, StageOutcome], list[RuntimeOutcome], bool]:
    """Run stages, then runtimes; say whether the user stopped it."""
    done: dict[str, StageOutcome] = {}
    ran: list[RuntimeOutcome] = []
    stopped = False
    with progress(len(planned) + len(ways), "roundtrip") as bar:
        for stage in planned:
            bar.set_postfix_str(stage.name)
            done[stage.name], stopped = _unless_stopped(
                stopped, partial(run_stage, subject, stage, done), partial(skipped_stage, stage, INTERRUPTED)
            )
            bar.update()
        for runtime in ways:
            bar.set_postfix_str(runtime.name)
            result, stopped = _unless_stopped(
                stopped,
                partial(run_runtime, subject, runtime, done, stateful=_stateful(ran)),
                partial(outcome, runtime, "skipped", INTERRUPTED),
            )
            ran.append(result)
            bar.update()
    return done, ran, stopped


def _result(
    name: str, subject: Subject, done: Mapping[str, StageOutcome], ran: Sequence[RuntimeOutcome], stopped: bool
) -> RoundTrip:
    return RoundTrip(
        name=name,
        stage_rows=tuple(each.row for each in done.values()),
        runtime_rows=tuple(each.row for each in ran),
        leaf_rows=tuple(_leaf_rows(subject, ran)),
        programs=freeze((key, each.program) for key, each in done.items() if each.program is not None),
        findings=tuple(finding for each in done.values() for finding in each.findings),
        failures=freeze(_failures(done, ran)),
        judges=freeze((key, each.judge) for key, each in done.items() if each.judge is not None),
        problems=freeze((key, each.problems) for key, each in done.items() if each.problems),
        interrupted=stopped,
    )


def require_torch() -> None:
    """Say what to install where torch is missing.

    Raises
    ------
    MissingDependencyError
        torch cannot be imported.
    """
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            f"running a model needs torch >= 2.9 ({error}); pip install 'graphlens[torch]'"
        ) from error


def _unless_stopped(stopped: bool, run: Callable[[], R], skip: Callable[[], R]) -> tuple[R, bool]:
    """Run, unless the user has pressed Ctrl-C before or does so now."""
    if stopped:
        return skip(), True
    try:
        return run(), False
    except KeyboardInterrupt:
        return skip(), True


def _failures(done: Mapping[str, StageOutcome], ran: Iterable[RuntimeOutcome]) -> Iterator[tuple[str, Any]]:
    yield from ((name, each.failure) for name, each in done.items() if each.failure is not None)
    yield from ((each.row.runtime, each.failure) for each in ran if each.failure is not None)


def _stateful(ran: Sequence[RuntimeOutcome]) -> bool:
    """Whether any answer so far changed the state of its module."""
    return any(leaf.startswith("state ") for each in ran if each.answer is not None for leaf in each.answer.leaves)


def _leaf_rows(subject: Subject, ran: Sequence[RuntimeOutcome]) -> Iterator[LeafRow]:
    """Compare all answers with the first one, which is eager's unless that failed or was not asked for."""
    from graphlens.stages.judge import answer_rows, reference_rows
    from graphlens.stages.precision import precise_answer

    precise = cache(partial(precise_answer, subject.model, subject.args, subject.kwargs))

    answered = [each for each in ran if each.answer is not None]
    first = next((each for each in answered if each.runtime.name == "eager"), answered[0] if answered else None)
    for each in ran:
        if first is None or each.answer is None:
            yield LeafRow(runtime=each.row.runtime, leaf="", status=each.row.status, error=each.row.error)
        elif each is first:
            yield from reference_rows(each.row.runtime, each.answer)
        else:
            yield from answer_rows(
                each.row.runtime,
                each.answer,
                first.answer,
                first.row.runtime,
                None if each.runtime.exact else precise,
            )
