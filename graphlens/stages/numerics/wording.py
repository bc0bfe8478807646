"""What a run side by side found, in words."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from graphlens.stages.numerics.rows import Difference, NodeRow

if TYPE_CHECKING:
    from graphlens.stages.numerics.result import Numerics

_LISTED = 4


def verdict_text(result: Numerics) -> str:
    """Say where two programs part."""
    counts = Counter(row.status for row in result.rows)
    lines = [_headline(result), _outputs(result)]
    if result.first is not None and result.first.status != "failed":
        lines.append(_tally(counts))
    covered = result.coverage
    alone = covered["calls"] - covered["compared"]
    if alone and result.failure is None and not result.interrupted:
        lines.append(f"{alone} of {covered['calls']} calls of a have no counterpart to compare with")
    if result.failure is not None and result.first is not None and result.first.status != "failed":
        lines.append(f"{place_text(result.rows[-1])} failed: {result.rows[-1].note}")
    unstable = sum(row.deterministic is False for row in result.rows)
    if unstable:
        lines.append(f"{unstable} of the nodes that depart do not give the same twice")
    if result.interrupted:
        lines.append("interrupted: what comes after was not run")
    return "\n".join(line for line in lines if line)


def _headline(result: Numerics) -> str:
    first = result.first
    if first is None:
        number = len(result.rows)
        if any(not row.error.equal for row in result.output_rows):
            return f"all {number} values that both programs have are bit-equal, but what they leave behind is not"
        return f"bit-equal: all {number} values that both programs have" if number else "nothing was compared"
    place = place_text(first)
    if first.status == "failed":
        return f"{place} failed: {first.note}"
    if first.status == "departs":
        return f"they part at {place}: {_size(first.local or first.error)}"
    if first.status == "random":
        return f"they draw other random numbers, first at {place}: {_size(first.local or first.error)}"
    if first.status == "rounding":
        return f"they differ by rounding, first at {place}: {_size(first.local or first.error)}"
    return f"they differ, first at {place} ({first.note or first.status}): {_size(first.error)}"


def place_text(row: NodeRow) -> str:
    """Name a row: its nodes, targets, module and the user's line."""
    name = " / ".join(dict.fromkeys(text for text in (row.node_a, row.node_b) if text))
    target = " / ".join(dict.fromkeys(text for text in (row.target_a, row.target_b) if text))
    parts = [target]
    if row.graph:
        parts.append(f"in {row.graph}, iteration {row.iteration}")
    parts += [text for text in (row.module, row.source) if text]
    absorbed = (*row.absorbed_a, *row.absorbed_b)
    through = ", ".join(absorbed[-_LISTED:]) + (
        f" and {len(absorbed) - _LISTED} more" if len(absorbed) > _LISTED else ""
    )
    return f"{name} ({'; '.join(parts)})" + (f" with {through}" if through else "")


def _size(error: Difference) -> str:
    if error.note:
        return error.note
    parts = []
    if error.max_abs is not None:
        parts.append(f"max abs {error.max_abs:.3g}")
    if error.rms_rel is not None:
        parts.append(f"relative {error.rms_rel:.3g}")
    if error.max_ulp:
        parts.append(f"{error.max_ulp} ulp")
    parts += [
        f"{number} {what} on one side only" for number, what in ((error.nan, "NaN"), (error.inf, "inf")) if number
    ]
    return ", ".join([f"{error.differ} of {error.numel} elements differ", *parts])


def _outputs(result: Numerics) -> str:
    wrong = [row for row in result.output_rows if not row.error.equal]
    if not result.output_rows:
        return ""
    total = len(result.output_rows)
    if not wrong:
        return "" if result.first is None else f"all {total} outputs are bit-equal all the same"
    worst = max(wrong, key=lambda row: row.error.rms_rel if row.error.rms_rel is not None else float("inf"))
    return f"{len(wrong)} of {total} outputs differ, {worst.leaf}: {_size(worst.error)}"


def _tally(counts: Counter[str]) -> str:
    words = {
        "departs": "depart on their own",
        "random": "draw other random numbers",
        "rounding": "round differently",
        "inherited": "only inherit",
        "unknown": "differ for an unknown reason",
        "incomparable": "cannot be compared",
        "equal": "are bit-equal",
    }
    return "of the values, " + ", ".join(f"{counts[key]} {text}" for key, text in words.items() if counts[key])
