"""HTML tables: real ones, with caption and scope, escaped, and with a bound on their rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from graphlens.view.escape import markup
from graphlens.view.payload_scene import Table

MOST_ROWS = 50
LONGEST_CELL = 240


def html_table(table: Table, strings: Sequence[str], *, most: int = MOST_ROWS) -> str:
    """Write a table of a payload as HTML; what is left out is said in the caption.

    Parameters
    ----------
    table
        The table; its cells are indices into `strings`.
    strings
        The payload's texts.
    most
        Rows to show at most.
    """
    columns = table.columns
    count = len(columns[0].cells) if columns else 0
    head = "".join(f'<th scope="col">{markup(column.name)}</th>' for column in columns)
    rows = []
    for cells in islice(zip(*(column.cells for column in columns), strict=True), most):
        texts = ["" if cell < 0 else strings[cell] for cell in cells]
        rows.append(
            "".join(f"<td{_align(column.type)}>{_cell(text)}</td>" for column, text in zip(columns, texts, strict=True))
        )
    note = f". {table.note}" if table.note else ""
    more = f"{'' if note else '.'} The first {most} of {count} rows." if count > most else ""
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    caption = f"<caption>{markup(table.title)}{markup(note + more)}</caption>"
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _align(kind: str) -> str:
    return ' class="number"' if kind == "number" else ""


def _cell(text: str) -> str:
    cut = text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"
    return markup(cut, keep="\n").replace("\n", "<br>")
