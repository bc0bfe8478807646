"""A diff as JUnit XML, which CI systems show as test results."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeAlias
from typing import Literal as OneOf
from xml.sax.saxutils import escape, quoteattr

from graphlens.diff.folds import fold, fold_text
from graphlens.diff.rows import SEVERITIES, Mismatch, Severity, rank
from graphlens.errors import DiffError
from graphlens.program.line import display

if TYPE_CHECKING:
    from graphlens.diff.diff import Diff

NEVER: Final = "never"
Never: TypeAlias = OneOf["never"]

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_junit(diff: Diff, fail_on: Severity | Never) -> str:
    """Write one test for the verdict and one for each graph and field with rows; with ``"never"`` none of them fails.

    Raises
    ------
    DiffError
        `fail_on` is no severity.
    """
    if fail_on != NEVER and fail_on not in SEVERITIES:
        raise DiffError(f"fail_on={fail_on!r} is not a severity; choose one of {', '.join((*SEVERITIES, NEVER))}")
    limit = -1 if fail_on == NEVER else rank(fail_on)
    groups: dict[tuple[str, str], list[Mismatch]] = {}
    for row in diff.rows:
        groups.setdefault((row.graph, row.family), []).append(row)
    cases = [_case(graph or "root", field, rows, limit) for (graph, field), rows in groups.items()]
    worst = diff.worst
    failed = rank(worst) <= limit if worst is not None else not diff.ok and fail_on != NEVER
    told = [diff.verdict, *diff.to_text().split("\n")[1:]]
    cases.insert(0, _written("graphlens", "verdict", told if failed else [], told, worst or "unknown"))
    failures = sum("<failure" in case for case in cases)
    head = f'<testsuite name="graphlens diff" tests="{len(cases)}" failures="{failures}" errors="0" skipped="0">'
    return "\n".join(['<?xml version="1.0" encoding="utf-8"?>', head, *cases, "</testsuite>"]) + "\n"


def _case(graph: str, field: str, rows: list[Mismatch], limit: int) -> str:
    bad = [row for row in rows if row.cause == "root" and rank(row.severity) <= limit]
    lines = [f"{one.example.severity}: {fold_text(one)}" for one in fold(bad)]
    worst = min((row.severity for row in bad), key=rank, default="")
    return _written(graph, field, lines, [fold_text(one) for one in fold(rows)], worst)


def _written(graph: str, name: str, failure: list[str], output: list[str], kind: str) -> str:
    head = f"<testcase classname={_attribute(graph)} name={_attribute(name)}>"
    inner = f"<system-out>{_text(output)}</system-out>"
    if failure:
        inner = f"<failure type={_attribute(kind)} message={_attribute(failure[0])}>{_text(failure)}</failure>"
    return f"  {head}{inner}</testcase>"


def _text(lines: list[str]) -> str:
    return escape("\n".join(_NOT_XML.sub("?", display(line)) for line in lines))


def _attribute(text: str) -> str:
    return quoteattr(_NOT_XML.sub("?", display(text)))
