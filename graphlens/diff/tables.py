"""The tables of a diff. The only module of the diff that imports pandas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import pandas as pd
from msgspec import Struct

from graphlens.diff.rows import MISMATCH_COLUMNS, NODE_COLUMNS, PATTERN_COLUMNS, SEVERITIES, Mismatch, NodeRow, Pattern

SUMMARY_COLUMNS = ("by", "value", "rows", "roots", "nodes")


def _frame(rows: Iterable[Struct], columns: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame([[getattr(row, name) for name in columns] for row in rows], columns=list(columns), dtype=object)


def mismatch_table(rows: Sequence[Mismatch]) -> pd.DataFrame:
    """One row per difference."""
    return _frame(rows, MISMATCH_COLUMNS)


def node_table(rows: Sequence[NodeRow]) -> pd.DataFrame:
    """One row per matched node, group or unmatched node."""
    table = _frame(rows, NODE_COLUMNS)
    return table.astype({"confidence": float})


def pattern_table(rows: Sequence[Pattern]) -> pd.DataFrame:
    """One row per distinct edit."""
    return _frame(rows, PATTERN_COLUMNS).astype(dict.fromkeys(("count", "changed", "only_a", "only_b", "rewired"), int))


def summary_table(rows: Sequence[Mismatch]) -> pd.DataFrame:
    """Counts by severity (worst first), then by kind, field and module (most rows first)."""
    found = []
    for by in ("severity", "kind", "field", "module"):
        groups: dict[str, list[Mismatch]] = {}
        for row in rows:
            groups.setdefault(row.family if by == "field" else getattr(row, by), []).append(row)
        names = sorted(
            groups, key=lambda name: (SEVERITIES.index(name) if by == "severity" else 0, -len(groups[name]), name)
        )
        found += [
            (
                by,
                name,
                len(groups[name]),
                sum(row.cause == "root" for row in groups[name]),
                len({(row.graph, row.node_a, row.node_b) for row in groups[name]}),
            )
            for name in names
        ]
    return pd.DataFrame(found, columns=list(SUMMARY_COLUMNS))


def module_table(rows: Sequence[Mismatch]) -> pd.DataFrame:
    """One row per module with the number of rows of each severity; those with the worst roots first."""
    modules: dict[str, Counter[str]] = {}
    counted: dict[str, Counter[str]] = {}
    for row in rows:
        modules.setdefault(row.module, Counter())[row.severity] += 1
        counted.setdefault(row.module, Counter())[row.severity] += row.cause == "root"

    def worst_first(name: str) -> tuple[tuple[int, ...], str]:
        return tuple(-counts[name][severity] for counts in (counted, modules) for severity in SEVERITIES), name

    found = [
        (name, *(modules[name][severity] for severity in SEVERITIES), modules[name].total(), counted[name].total())
        for name in sorted(modules, key=worst_first)
    ]
    return pd.DataFrame(found, columns=["module", *SEVERITIES, "rows", "roots"])
