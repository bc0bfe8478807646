"""Running the cases: one round trip each, read as four flows."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence

import torch

from graphlens.progress import progress
from graphlens.stages.catalog import PRESETS
from graphlens.stages.conformance.cases import Case, find_cases, registered
from graphlens.stages.conformance.result import CaseRow, Conformance
from graphlens.stages.failure import failure_of
from graphlens.stages.result import RoundTrip
from graphlens.stages.roundtrip import roundtrip
from graphlens.stages.rows import UNEQUAL

STAGES = tuple(dict.fromkeys(stage for preset in PRESETS.values() for stage in preset))


def run(suite: str, only: Sequence[str], earlier: Sequence[CaseRow] | None, device: str) -> Conformance:
    """Run the cases of a suite, with a bar; an interruption keeps what was finished."""
    cases, missing = find_cases(suite, tuple(only), device)
    rows = [
        CaseRow(suite=each.suite, case=each.name, sample=0, flow="", status="unavailable", error=each.why)
        for each in missing
    ]
    seen: set[str] = set()
    interrupted = False
    with progress(len(cases), "conformance") as bar, _quiet(), contextlib.suppress(KeyboardInterrupt):
        interrupted = True
        for case in cases:
            bar.set_postfix_str(case.name)
            found, targets = _run(case)
            rows += found
            seen |= targets
            bar.update()
            if any(row.error == "interrupted" for row in found):
                break
        else:
            interrupted = False
    return Conformance(
        suite=suite,
        torch=str(torch.__version__),
        rows=tuple(rows),
        unseen=tuple(_unseen(cases, seen)) if not only else (),
        baseline=None if earlier is None else tuple(earlier),
        interrupted=interrupted,
    )


def _unseen(cases: Sequence[Case], seen: set[str]) -> Iterator[str]:
    """Yield the registered higher-order ops that no program held and no case is named after."""
    named = {case.name.partition(".")[0] for case in cases}
    return (name for name in registered() if name not in seen and name not in named)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's logs and warnings off the screen: cases that fail are rows, and many are meant to."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _run(case: Case) -> tuple[list[CaseRow], set[str]]:
    """Put one sample through the flows; return their rows and the higher-order ops that were seen on the way."""
    try:
        model, args, kwargs, dynamic_shapes = case.make()
        trip = roundtrip(
            model,
            args,
            kwargs,
            dynamic_shapes=dynamic_shapes,
            strict=True,
            stages=STAGES,
            runtimes=("eager", *STAGES),
            name=case.name,
        )
        rows = [_row(case, flow, stages, trip) for flow, stages in PRESETS.items()]
    except Exception as error:  # noqa: BLE001 - one case must not end the check
        return [_failed(case, flow, str(failure_of(error))) for flow in PRESETS], set()
    targets = {node.target for program in trip.programs.values() for _, node in program.walk()}
    return rows, {target.removeprefix("higher_order.") for target in targets if target.startswith("higher_order.")}


def _failed(case: Case, flow: str, error: str) -> CaseRow:
    return CaseRow(
        suite=case.suite,
        case=case.name,
        sample=case.sample,
        flow=flow,
        status="failed",
        error=error,
        expected=case.expected,
    )


def _row(case: Case, flow: str, stages: Sequence[str], trip: RoundTrip) -> CaseRow:
    error = next(iter(_errors(stages, trip)), "")
    status, why = ("failed", error) if error else _answer(stages, trip)
    rows = {row.stage: row for row in trip.stage_rows}
    return CaseRow(
        suite=case.suite,
        case=case.name,
        sample=case.sample,
        flow=flow,
        status=status,
        error=why,
        lost=_lost(stages, trip),
        seconds=sum(rows[stage].seconds or 0.0 for stage in stages),
        expected=case.expected,
    )


def _errors(stages: Sequence[str], trip: RoundTrip) -> Iterator[str]:
    """What stopped a flow: a stage that did not run, eager, or the run of its last stage."""
    for stage_row in trip.stage_rows:
        if stage_row.stage in stages and stage_row.status != "ok":
            yield f"{stage_row.stage}: {stage_row.error}" if stage_row.error != "interrupted" else stage_row.error
    for row in trip.runtime_rows:
        if row.runtime in ("eager", stages[-1]) and row.status != "ok":
            yield f"running {row.runtime}: {row.error}" if row.error != "interrupted" else row.error


def _answer(stages: Sequence[str], trip: RoundTrip) -> tuple[str, str]:
    """Whether the last stage of a flow answers as eager does, and no stage of it changed the result."""
    for leaf in trip.leaf_rows:
        if leaf.runtime == stages[-1] and leaf.status in UNEQUAL:
            return "wrong", f"{leaf.leaf} {leaf.status}: {leaf.error}"
    for finding in trip.findings:
        if finding.stage in stages and finding.severity == "wrong_result":
            return "wrong", f"{finding.stage}: {finding.field} {finding.b}"
    for stage, diff in trip.diffs.items():
        if stage in stages and diff.worst == "wrong_result":
            return "wrong", f"{stage}: {diff.verdict}"
    return "ok", ""


def _lost(stages: Sequence[str], trip: RoundTrip) -> str:
    """What the stages of a flow took from passes and people: fields and how often, worst first."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for stage, diff in trip.diffs.items():
        if stage in stages:
            for row in diff.rows:
                if row.cause == "root" and row.severity != "cosmetic":
                    counts[row.severity, row.family, row.kind] += 1
    parts = [
        f"{family} {kind} ({count})"
        for (severity, family, kind), count in counts.most_common()
        if severity == "breaks_pass"
    ]
    debug = sum(count for (severity, _, _), count in counts.items() if severity == "debug_info")
    return ", ".join([*parts, *([f"debug_info ({debug})"] if debug else [])])
