"""Names of fields that a user gives: a misspelt one selects nothing, which must not look like a program that is the same."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Final, get_args

from graphlens.diff.rows import Kind, Mismatch, family
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


def check_only(selectors: Iterable[Selector], rows: Iterable[Mismatch], programs: Iterable[Program | None]) -> None:
    """Refuse fields that nothing knows: neither the table of severities, nor a row, nor the metadata of a node.

    Raises
    ------
    DiffError
        As in `check_selectors`, or there is no such field; the message lists those that have rows.
    """
    kept, known = tuple(rows), tuple(programs)
    chosen = tuple(selectors)
    check_selectors(chosen, kept, known)
    names = [selector if isinstance(selector, str) else selector[0] for selector in chosen]
    there = {name for row in kept for name in (row.field, row.family)}
    strange = [
        name for name in names if not any(sign in name for sign in "*?") and not {name, family(name)} & (FIELDS | there)
    ]
    if not strange:
        return
    keys = {key for program in known if program is not None for _, node in program.walk() for key in node.meta}
    for name in strange:
        if name not in keys and not any(fnmatchcase(name, field) for field in FIELDS):
            have = ", ".join(sorted({row.family for row in kept})) or "no field"
            raise DiffError(f"there is no field {name!r}; this diff has rows of {have}")
