"""A diff as GitHub-flavoured Markdown, to paste into a review. Names are text: they open no link, tag or code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from graphlens.diff.rows import PATTERN_COLUMNS
from graphlens.diff.verdict import roots
from graphlens.diff.wording import fold, fold_text, plural
from graphlens.program.line import display

if TYPE_CHECKING:
    from graphlens.diff.diff import Diff

_SPECIAL = re.compile(r"([\\`*\[\]|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
_AUTOLINK = re.compile(r"(?i)\b(https?|ftp|mailto|www)([:.])|([@#])(?=\w)")
_APART = "&#8203;"
"""A space of no width: GitHub makes no mention and no reference to an issue of what it divides."""


def escape(text: str) -> str:
    """Write text so that Markdown shows it as it is: no markup, no HTML, no link, no mention, no reference."""
    text = _SPECIAL.sub(r"\\\1", display(text))
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _AUTOLINK.sub(_unlinked, text)


def _unlinked(found: re.Match[str]) -> str:
    return found[3] + _APART if found[3] else f"{found[1]}&#{ord(found[2])};"


def to_markdown(diff: Diff, limit: int) -> str:
    """Write the verdict, a table of folded differences, and a table of repeated edits."""
    mark = "✅" if diff.ok else "❌" if diff.worst == "wrong_result" else "⚠️"
    lines = [f"{mark} **{escape(diff.verdict)}**", "", f"Proof: {escape(str(diff.proof))}", ""]
    if diff.rows:
        lines += ["| severity | field | kind | rows | what |", "| --- | --- | --- | ---: | --- |"]
        folds = fold(roots(diff.rows), diff.lone_modules)
        for one in folds[:limit]:
            row = one.example
            cells = (row.severity, row.family, row.kind, f"{len(one.rows):,}", fold_text(one))
            lines.append(f"| {' | '.join(map(escape, cells))} |")
        if len(folds) > limit:
            left = sum(len(one.rows) for one in folds[limit:])
            lines += ["", f"and {plural(left, 'row')} more of {plural(len(folds) - limit, 'kind')}"]
        inherited = sum(row.cause == "inherited" for row in diff.rows)
        if inherited:
            lines += ["", f"{plural(inherited, 'row')} more follow from these."]
    repeated = [pattern for pattern in diff.pattern_rows if pattern.count > 1]
    if repeated:
        columns = PATTERN_COLUMNS[:2] + PATTERN_COLUMNS[3:8]
        lines += ["", f"| {' | '.join(map(escape, columns))} |", f"|{' --- |' * len(columns)}"]
        for pattern in repeated[:10]:
            lines.append(f"| {' | '.join(escape(str(getattr(pattern, name))) for name in columns)} |")
    return "\n".join(lines) + "\n"
