"""A diff as plain text, for terminals, logs and reviews. Nothing in it can move the cursor or hide other text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from graphlens.diff.folds import fold, folded_lines
from graphlens.diff.layers_text import numbered
from graphlens.diff.rows import Pattern, rank
from graphlens.diff.wording import following
from graphlens.program.line import display

if TYPE_CHECKING:
    from graphlens.diff.diff import Diff


_MOST_REPEATED: Final = 10


def worth_telling(patterns: Iterable[Pattern]) -> list[Pattern]:
    """Return the edits that were made in several layers; of debug information and looks the folded lines say enough."""
    return [pattern for pattern in patterns if pattern.count > 1 and rank(pattern.severity) <= rank("breaks_pass")]


def to_text(diff: Diff, limit: int) -> str:
    """Write verdict, proof, then the differences, like ones folded into one line, worst first."""
    lines = [diff.verdict]
    if diff.rows:
        lines.append(f"proof: {diff.proof}")
        roots = [row for row in diff.rows if row.cause == "root"]
        told = list(folded_lines(fold(roots or diff.rows, diff.lone_modules), limit))
        width = max(len(severity) for severity, _ in told)
        lines += [f"  {severity:<{width}}  {text}" for severity, text in told]
        inherited = len(diff.rows) - len(roots)
        if inherited and roots:
            lines.append(f"  {'':<{width}}  {following(inherited, len(roots))}")
        lines += _repeated(diff)
    return "\n".join(map(display, lines))


def _repeated(diff: Diff) -> list[str]:
    """List the edits that were made in several layers, with those layers."""
    repeated = worth_telling(diff.pattern_rows)
    lines = [f"  {p.count:,} times, in {numbered(p.regions)}: {p.pattern}" for p in repeated[:_MOST_REPEATED]]
    left = len(repeated) - len(lines)
    lines += [f"  and {left:,} more"] if left else []
    return ["edits that repeat:", *lines] if lines else []
