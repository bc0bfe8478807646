"""A diff as GitHub-flavoured Markdown, to paste into a review. Names are text: they open no link, tag or code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from graphlens.diff.folds import fold, fold_text
from graphlens.diff.layers_text import numbered
from graphlens.diff.text import worth_telling
from graphlens.diff.verdict import roots
from graphlens.diff.wording import following, plural
from graphlens.program.line import display

if TYPE_CHECKING:
    from graphlens.diff.diff import Diff

_SPECIAL = re.compile(r"([\\`*\[\]|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
_AUTOLINK = re.compile(r"(?i)\b(https?|ftp|mailto|www)([:.])|([@#])(?=\w)")
_MOST_REPEATED = 10
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
    level, colon, rest = diff.verdict.partition(":")
    lines = [f"{mark} **{escape(level)}**{colon}{escape(rest)}", "", f"Proof: {escape(str(diff.proof))}", ""]
    if diff.rows:
        lines += ["| severity | rows | what |", "| --- | ---: | --- |"]
        counted = roots(diff.rows)
        folds = fold(counted, diff.lone_modules)
        for one in folds[:limit]:
            cells = (one.example.severity, f"{len(one.rows):,}", fold_text(one))
            lines.append(f"| {' | '.join(map(escape, cells))} |")
        if len(folds) > limit:
            left = sum(len(one.rows) for one in folds[limit:])
            lines += ["", f"and {plural(left, 'row')} more of {plural(len(folds) - limit, 'kind')}"]
        if len(counted) < len(diff.rows):
            lines += ["", f"{following(len(diff.rows) - len(counted), len(counted))}."]
    repeated = worth_telling(diff.pattern_rows)
    if repeated:
        lines += ["", "Edits that repeat:", "", "| severity | times | in | edit |", "| --- | ---: | --- | --- |"]
        for pattern in repeated[:_MOST_REPEATED]:
            told = (pattern.severity, f"{pattern.count:,}", numbered(pattern.regions), pattern.pattern)
            lines.append(f"| {' | '.join(map(escape, told))} |")
        if len(repeated) > _MOST_REPEATED:
            lines += ["", f"and {len(repeated) - _MOST_REPEATED:,} more"]
    return "\n".join(lines) + "\n"
