"""A round trip in a few lines of English."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from graphlens.stages.rows import UNEQUAL, LeafRow, RuntimeRow

if TYPE_CHECKING:
    from graphlens.stages.result import RoundTrip


def verdict_text(trip: RoundTrip) -> str:
    """Say first whether it is ok, then one line for each stage and runtime."""
    lines = [f"{trip.name}: {_headline(trip)}"]
    lines += [f"  {line}" for line in _stage_lines(trip)]
    lines += [f"  {line}" for line in _runtime_lines(trip)]
    if trip.interrupted:
        lines.append("  interrupted: what was finished is here")
    return "\n".join(lines)


def _headline(trip: RoundTrip) -> str:
    if trip.ok:
        absent = [row.stage for row in trip.stage_rows if row.status == "unavailable"]
        absent += [row.runtime for row in trip.runtime_rows if row.status == "unavailable"]
        note = f" ({' and '.join(absent)} unavailable here)" if absent else ""
        return f"ok, the answer is still the same{note}"
    reasons = [f"{name} failed" for name in trip.failures]
    reasons += [f"{name} answers otherwise" for name in _differing(trip)]
    if trip.worst == "wrong_result":
        stages = [stage for stage, diff in trip.diffs.items() if diff.worst == "wrong_result"]
        stages += [finding.stage for finding in trip.findings if finding.severity == "wrong_result"]
        reasons.append(f"{' and '.join(dict.fromkeys(stages))} changed the result")
    return "not ok: " + (", ".join(reasons) or ("interrupted" if trip.interrupted else "not everything ran"))


def _differing(trip: RoundTrip) -> list[str]:
    return list(dict.fromkeys(row.runtime for row in trip.leaf_rows if row.status in UNEQUAL))


def _stage_lines(trip: RoundTrip) -> Iterator[str]:
    for row in trip.stage_rows:
        if row.status != "ok":
            yield f"{row.stage}: {row.status}: {row.error}" + (f"; {row.hint}" if row.hint else "")
            for problem in trip.problems.get(row.stage, ()):
                yield f"  {problem.where} {problem.consequence}: {problem.reason}; {problem.advice}"
        elif row.stage in trip.diffs:
            yield f"{row.against} → {row.stage}: {trip.diffs[row.stage].verdict}"
        elif row.nodes is not None:
            yield f"{row.stage}: {row.nodes} nodes in {row.graphs} graph{'s' * (row.graphs != 1)}"
        else:
            yield f"{row.stage}: ok; {row.error}"
        for finding in trip.findings:
            if finding.stage == row.stage:
                yield f"  {finding.severity}: {finding.field} was {finding.a}, is {finding.b}"


def _runtime_lines(trip: RoundTrip) -> Iterator[str]:
    for row in trip.runtime_rows:
        leaves = [leaf for leaf in trip.leaf_rows if leaf.runtime == row.runtime]
        others = any(leaf.runtime != row.runtime and leaf.equal is not None for leaf in trip.leaf_rows)
        yield f"{row.runtime}: {_runtime_line(row, leaves, others)}"


def _runtime_line(row: RuntimeRow, leaves: list[LeafRow], others: bool) -> str:
    if row.status != "ok":
        return f"{row.status}: {row.error}" + (f"; {row.hint}" if row.hint else "")
    wrong = [leaf for leaf in leaves if leaf.status in UNEQUAL]
    plural = f"{len(leaves)} {'leaf' if len(leaves) == 1 else 'leaves'}"
    if not wrong:
        if all(leaf.status == "reference" for leaf in leaves):
            return f"{plural}, the reference" if others else f"{plural}, nothing to compare with"
        rounded = [leaf for leaf in leaves if leaf.status == "rounding"]
        return f"{plural} equal, {len(rounded)} of them within rounding" if rounded else f"{plural} bit-equal"
    first = wrong[0]
    size = f", max abs {first.max_abs:.3g}" if first.max_abs is not None else ""
    return f"{len(wrong)} of {plural} differ, first {first.leaf} ({first.status}{size}): {first.error}"
