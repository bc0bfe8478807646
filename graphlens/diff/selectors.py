"""Names of fields that a user gives: a misspelt one selects nothing, which must not look like a program that is the same."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final, get_args

from graphlens.diff.rows import Kind, Mismatch
from graphlens.diff.severity import ANY, TABLE, Selector, check_selector
from graphlens.errors import DiffError
from graphlens.program.program import Program

KINDS: Final = (*get_args(Kind), ANY)
FIELDS: Final = frozenset(
    {field for field, _, _ in TABLE if field != ANY} | {"kwargs", "seq_nr", "tensor_meta", "original_aten"}
)
_ALIKE: Final = 0.8


def check_selectors(
    selectors: Iterable[Selector], rows: Iterable[Mismatch] = (), programs: Iterable[Program | None] = ()
) -> None:
    """Refuse selectors that are misspelt.

    Any metadata key is a field, so a name that nobody knows is taken as it is, unless it is almost that of a field and
    no node has it.

    Raises
    ------
    DiffError
        Something is neither a field nor a pair of field and kind, names no kind, or is almost a field.
    """
    suspects: dict[str, str] = {}
    for selector in selectors:
        check_selector(selector)
        field, kind = (selector, ANY) if isinstance(selector, str) else selector
        if kind not in KINDS:
            raise DiffError(f"{selector!r}: {kind!r} is no kind of difference; choose one of {', '.join(KINDS)}")
        plain = not any(sign in field for sign in "*?[") and field not in FIELDS
        close = difflib.get_close_matches(field, sorted(FIELDS), n=1, cutoff=_ALIKE) if plain else []
        if close:
            suspects[field] = close[0]
    if not suspects:
        return
    there = {row.field for row in rows} | {row.family for row in rows}
    there.update(key for program in programs if program is not None for _, node in program.walk() for key in node.meta)
    for field, close_one in suspects.items():
        if field not in there:
            raise DiffError(f"there is no field {field!r}; did you mean {close_one!r}?")
