"""What a diff adds to a drawing: a mark per box, and per region what differs in it and how badly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from graphlens.view.draw.walk import Walk

GLYPHS: Final = {
    "grave": "≠",
    "changed": "≠",
    "slight": "≠",
    "inherited": "≈",
    "only_a": "−",
    "only_b": "+",
    "ambiguous": "?",
}
"""Marks of a diff: never colour alone. What changed is ``grave`` where results are wrong, ``slight`` where only people see it."""

_SLIGHT: Final = ("slight", "inherited")
_WHOLE: Final = ("only_a", "only_b", "ambiguous")


class Marks(Struct, frozen=True):
    """What a diff says of its scene: status, worst severity and cause per box, and per edge which side has it (``both a b``)."""

    status: Sequence[str]
    severity: Sequence[str]
    cause: Sequence[str]
    side: Sequence[str]


class Tally(Struct, frozen=True):
    """What differs inside a region: the worst `mark` in it, and how many boxes differ more than slightly.

    Where nothing does, the slight ones are counted; where the whole region is one thing, all of it.
    """

    mark: str = ""
    count: int = 0

    @property
    def whole(self) -> bool:
        """Whether one side has the region as a whole, or all of it is ambiguous."""
        return self.mark in _WHOLE


NOTHING: Final = Tally()


def shown_marks(marks: Marks) -> list[str]:
    """Name the mark of each box, ``""`` for none; what only follows from another difference is told apart."""
    return [_mark(*of) for of in zip(marks.status, marks.severity, marks.cause, strict=True)]


def _mark(status: str, severity: str, cause: str) -> str:
    if status != "changed":
        return "" if status == "same" else status
    if cause == "inherited":
        return "inherited"
    return "grave" if severity == "wrong_result" else "changed" if severity == "breaks_pass" else "slight"


def tallies(walk: Walk, marks: Marks) -> list[Tally]:
    """Count in each region the boxes that differ worst; all of them where the whole region is one thing."""
    inside = [0] * len(walk.regions)
    found: list[Counter[str]] = [Counter() for _ in walk.regions]
    severe: list[Counter[str]] = [Counter() for _ in walk.regions]
    for box, mark in enumerate(shown_marks(marks)):
        grade = "slight" if marks.cause[box] == "inherited" else _grade(mark, marks.severity[box])
        up = walk.call[box] if walk.call[box] >= 0 else walk.around[box]
        while up >= 0:
            inside[up] += 1
            if mark:
                found[up][mark] += 1
                severe[up][grade] += 1
            up = walk.regions[up].parent
    return [_tally(*of) for of in zip(inside, found, severe, strict=True)]


def _grade(mark: str, severity: str) -> str:
    if mark in _SLIGHT:
        return "slight"
    return "grave" if severity == "wrong_result" else "changed"


def _tally(inside: int, found: Counter[str], severe: Counter[str]) -> Tally:
    whole = next((mark for mark in _WHOLE if inside and found[mark] == inside), "")
    if whole:
        return Tally(whole, inside)
    worst = next((grade for grade in ("grave", "changed", "slight") if severe[grade]), "")
    if not worst:
        return NOTHING
    return Tally(worst, severe["slight"] if worst == "slight" else severe["grave"] + severe["changed"])
