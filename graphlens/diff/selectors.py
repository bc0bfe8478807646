"""Names of fields that a user gives: a misspelt one selects nothing, which must not look like a program that is the same."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Final, get_args

from graphlens.diff.rows import Kind, Mismatch, family
from graphlens.diff.severity import ANY, TABLE, Selector, check_selector
from graphlens.errors import DiffError
from graphlens.program.program import Program

KINDS: Final = (*get_args(Kind), ANY)
FIELDS: Final = frozenset(
    {field for field, _, _ in TABLE if field != ANY} | {"kwargs", "meta", "seq_nr", "tensor_meta", "original_aten"}
)
_ALIKE: Final = 0.8


def check_selectors(selectors: Iterable[Selector], programs: Iterable[Program | None]) -> None:
    """Refuse selectors that are misspelt.

    Any metadata key of either program is a field; a pattern may select nothing.

    Raises
    ------
    DiffError
        Something is neither a field nor a pair of field and kind, names no kind, or is a field that nothing has.
    """
    for field in _strange(selectors, (), programs):
        raise DiffError(
            f"there is no field {field!r}{_meant(field)}, and no node of either program has such metadata; "
            f"write '{field}*' for what only some programs have"
        )


def check_only(selectors: Iterable[Selector], rows: Iterable[Mismatch], programs: Iterable[Program | None]) -> None:
    """Refuse fields that nothing knows: neither the table of severities, nor a row, nor the metadata of a node.

    Raises
    ------
    DiffError
        As in `check_selectors`; the message lists the fields that have rows.
    """
    kept = tuple(rows)
    for field in _strange(selectors, kept, programs):
        have = ", ".join(sorted({row.family for row in kept})) or "no field"
        raise DiffError(f"there is no field {field!r}{_meant(field)}; this diff has rows of {have}")


def _strange(
    selectors: Iterable[Selector], rows: Iterable[Mismatch], programs: Iterable[Program | None]
) -> Iterator[str]:
    """Yield the fields that nothing knows, after a look at the form of all selectors."""
    fields = [_field(selector) for selector in selectors]
    unknown = [f for f in fields if not any(sign in f for sign in "*?") and not {f, family(f)} & FIELDS]
    if not unknown:
        return
    there = {name for row in rows for name in (row.field, row.family)}
    there.update(key for program in programs if program is not None for _, node in program.walk() for key in node.meta)
    yield from (field for field in unknown if field not in there)


def _field(selector: Selector) -> str:
    check_selector(selector)
    field, kind = (selector, ANY) if isinstance(selector, str) else selector
    if kind not in KINDS:
        raise DiffError(f"{selector!r}: {kind!r} is no kind of difference; choose one of {', '.join(KINDS)}")
    return field


def _meant(field: str) -> str:
    """Say which field may have been meant."""
    close = difflib.get_close_matches(field, sorted(FIELDS), n=1, cutoff=_ALIKE)
    return f" (did you mean {close[0]!r}?)" if close else ""
