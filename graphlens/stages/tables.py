"""Rows to DataFrames and to JSON-ready data, for all results of this room."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from graphlens.stages.rows import SEVERITIES

if TYPE_CHECKING:
    import pandas as pd


def frame(rows: Iterable[Struct], columns: Sequence[str]) -> pd.DataFrame:
    """One row per struct, the named fields as columns."""
    import pandas as pd

    return pd.DataFrame([[getattr(row, column) for column in columns] for row in rows], columns=list(columns))


def joined(column: str, parts: Mapping[str, pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    """Put tables of the same columns below each other, with the name of each in a first column."""
    import pandas as pd

    tables = []
    for name, part in parts.items():
        table = part.copy()
        table.insert(0, column, name)
        tables.append(table)
    full = [table for table in tables if len(table)]
    empty = pd.DataFrame(columns=[column, *columns])
    return pd.concat(full, ignore_index=True) if full else (tables[0] if tables else empty)


def below(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Put one table of the same columns below another."""
    import pandas as pd

    if not len(first) or not len(second):
        return second if len(second) else first
    return pd.concat([first, second], ignore_index=True)


def worst_first(table: pd.DataFrame) -> pd.DataFrame:
    """Sort mismatches by severity, root causes before what follows from them, else as they were."""
    rank = table["severity"].map({severity: i for i, severity in enumerate(SEVERITIES)}).astype("float")
    inherited = (table["cause"] != "root").astype("int")
    order = (rank * 2 + inherited).sort_values(kind="stable").index
    return table.loc[order].reset_index(drop=True)


def plain(row: Struct) -> dict[str, Any]:
    """Return the fields of a struct, with non-finite numbers as text."""
    return {field: _plain_value(getattr(row, field)) for field in row.__struct_fields__}


def _plain_value(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
