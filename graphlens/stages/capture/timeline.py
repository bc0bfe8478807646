"""A capture in order of time, and in words."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from graphlens.stages.capture.recording import Recording
from graphlens.stages.capture.rows import TIMELINE_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

    from graphlens.stages.capture.result import Capture

_LISTED = 5

Event = tuple[float, float | None, str, str, str, str, str, str]


def timeline_table(record: Recording) -> pd.DataFrame:
    """Make the timeline; what began at the same time keeps the order compile, frame, break, recompile."""
    import pandas as pd

    events: list[Event] = [
        (span.at, span.seconds, "compile", span.compile_id, "", "done" if span.seconds is not None else "open", span.trigger, span.thread)
        for span in record.spans
    ]  # fmt: skip
    events += [
        (row.at, row.seconds, "frame", row.compile_id, row.function, row.status, row.error, row.thread)
        for row in record.frames
    ]
    events += [
        (row.at, None, "break", row.compile_id, row.function, row.outcome, f"{row.reason} at {row.source}", row.thread)
        for row in record.breaks
    ]
    events += [
        (row.at, None, "recompile", row.compile_id, row.function, f"not {row.against}", row.guard, row.thread)
        for row in record.recompiles
    ]
    events += [(at, None, "reset", "", "", "", "torch._dynamo.reset()", thread) for at, thread in record.resets]
    events.sort(key=lambda event: event[0])
    return pd.DataFrame(events, columns=list(TIMELINE_COLUMNS))


def verdict_text(capture: Capture, record: Recording) -> str:
    """Say what torch.compile did."""
    counts = capture.counts
    if not record.frames and not record.graphs:
        return (
            "nothing was compiled: no compiled function ran, or its code was there already "
            "(torch._dynamo.reset() before the block makes it compile again)"
        )
    seconds = sum(row.seconds or 0.0 for row in record.frames)
    backends = ", ".join(sorted({row.backend for row in record.graphs if row.backend}))
    lines = [
        f"{_count(counts['graphs'], 'graph')} with {_count(counts['ops'], 'op')} captured from "
        f"{_count(counts['frames'], 'frame')} in {seconds:.2f} s" + (f", compiled by {backends}" if backends else "")
    ]
    lines += _breaks(record)
    lines += _recompiles(record, counts["recompiles"])
    failed = [row for row in record.frames if row.status == "failed"]
    if failed:
        lines.append(
            f"{_count(len(failed), 'frame')} failed: {failed[0].function} at {failed[0].source}: {failed[0].error}"
        )
    return "\n".join([*lines, *(f"note: {notice}" for notice in record.notices)])


def _breaks(record: Recording) -> list[str]:
    if not record.breaks:
        return ["no graph breaks"]
    kinds = Counter((row.reason, row.source, row.line, row.outcome) for row in record.breaks)
    lines = [f"{_count(len(record.breaks), 'graph break')}:"]
    for (reason, source, line, outcome), times in kinds.most_common(_LISTED):
        again = f" ({times} times)" if times > 1 else ""
        lines.append(f"  {source} {line}".rstrip(" :") + f": {reason}; {outcome}{again}")
    return lines + _more(len(kinds))


def _recompiles(record: Recording, count: int) -> list[str]:
    if not record.recompiles:
        return []
    lines = [f"{_count(count, 'recompile')}:"]
    lines += [
        f"  {row.function} {row.compile_id} instead of {row.against or '?'}: {row.guard.splitlines()[0]}"
        for row in record.recompiles[:_LISTED]
    ]
    return lines + _more(len(record.recompiles))


def _more(found: int) -> list[str]:
    return [f"  and {found - _LISTED} more"] if found > _LISTED else []


def _count(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")
