"""A diff as plain text, for terminals, logs and reviews. Nothing in it can move the cursor or hide other text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphlens.diff.wording import folded_lines, numbered, plural
from graphlens.program.line import display

if TYPE_CHECKING:
    from graphlens.diff.diff import Diff


def to_text(diff: Diff, limit: int) -> str:
    """Write verdict, proof, then the differences, like ones folded into one line, worst first."""
    lines = [diff.verdict]
    proof = f"proof: {diff.proof}"
    if diff.rows:
        lines.append(proof)
        roots = [row for row in diff.rows if row.cause == "root"]
        inherited = len(diff.rows) - len(roots)
        width = max(len(severity) for severity, _ in folded_lines(roots or diff.rows, limit))
        lines += [f"  {severity:<{width}}  {text}" for severity, text in folded_lines(roots or diff.rows, limit)]
        if inherited and roots:
            lines.append(f"  {'':<{width}}  {plural(inherited, 'row')} more that follow from these")
        repeated = [pattern for pattern in diff.pattern_rows if pattern.count > 1]
        lines += [f"  {p.pattern}: {plural(p.count, 'time')}, in {numbered(p.regions)}" for p in repeated[:10]]
    return "\n".join(map(display, lines))
