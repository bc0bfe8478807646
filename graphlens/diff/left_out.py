"""Rows that are left out on request: what followed from them does not go with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import structs

from graphlens.diff.rows import Mismatch, rank


def keep(rows: Iterable[Mismatch], wanted: Callable[[Mismatch], bool]) -> tuple[Mismatch, ...]:
    """Return the rows that are wanted.

    One that follows from a row that is left out, and from no root that is as bad, becomes a root: somebody has to tell it.
    """
    kept: list[Mismatch] = []
    gone: set[str] = set()
    for row in rows:
        if wanted(row):
            kept.append(row)
        else:
            gone.update(_about(row))
    if not gone:
        return tuple(kept)
    told: dict[str, int] = {}
    for row in kept:
        if row.cause == "root":
            _tell(told, row)
    return tuple(_rooted(row, gone, told) for row in kept)


def _rooted(row: Mismatch, gone: set[str], told: dict[str, int]) -> Mismatch:
    """Make a root of a row whose reason is gone. What is cosmetic needs no other reason than that something was there."""
    source = row.inherited_from
    if source not in gone or row.severity == "cosmetic" or told.get(source, rank("cosmetic")) <= rank(row.severity):
        return row
    _tell(told, row)
    return structs.replace(row, cause="root", inherited_from="")


def _tell(told: dict[str, int], row: Mismatch) -> None:
    for name in _about(row):
        told[name] = min(rank(row.severity), told.get(name, rank("cosmetic")))


def _about(row: Mismatch) -> set[str]:
    """Name what a row is about, as rows that follow from it do."""
    return {name for name in (row.node_a, row.node_b, row.field) if name}
