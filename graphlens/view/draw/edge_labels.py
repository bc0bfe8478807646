"""Where along its lines a value is named: beside a line, clear of boxes, other lines and other names."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from msgspec import Struct

from graphlens.view.draw.content import SMALL
from graphlens.view.draw.geometry import Curve, Point, point_at
from graphlens.view.draw.lift import BORDER, Link
from graphlens.view.draw.walk import Walk
from graphlens.view.measure import fit_text, text_width

LABEL = SMALL - 1
WIDEST = 170
GAP = 5
CELL = 48
MARGIN = 3
STEP = 7
MOST_SAMPLES = 100_000
"""Points of all lines together: the lines of a node with thousands of operands are as long as the picture is wide."""

Area = tuple[float, float, float, float]
"""x, y, width, height."""


class Label(Struct, frozen=True):
    """The value that a line carries; `y` is the base line."""

    text: str
    x: float
    y: float


def place_labels(
    walk: Walk, lines: Sequence[tuple[Link, Curve]], blocked: Sequence[Area], width: float
) -> list[Label | None]:
    """Find a place for the name of each value, on one of the lines from its maker; none where all are crowded.

    No name reaches over the sides of its region, 0 and `width`.
    """
    grid = _Grid()
    for area in blocked:
        grid.add(area)
    step = max(STEP, sum(_length(points) for _, points in lines) / MOST_SAMPLES)
    for _, points in lines:
        for x, y in _samples(points, step):
            grid.add((x, y, 0, 0))
    labels: list[Label | None] = [None] * len(lines)
    makers: dict[tuple[int, int], list[int]] = {}
    for i, (link, _) in enumerate(lines):
        if _is_made_by(walk, link):
            makers.setdefault((link.tail.at, link.tail.port), []).append(i)
    for group in makers.values():
        text = fit_text(_value_text(walk, lines[group[0]][0]), LABEL, WIDEST)
        if not text:
            continue
        found = ((k, label) for k in group[:4] for label in _candidates(lines[k][1], text))
        free = next(((k, label) for k, label in found if _inside(label, width) and grid.is_free(_area(label))), None)
        if free is not None:
            labels[free[0]] = free[1]
            grid.add(_area(free[1]))
    return labels


def _is_made_by(walk: Walk, link: Link) -> bool:
    """Say whether a link starts where its value is made, not at a border that it crosses on its way."""
    if link.tail.port < 0 or link.tail.at == BORDER:
        return link.tail.at != BORDER
    return walk.regions[-1 - link.tail.at].kind == "call"


def _value_text(walk: Walk, link: Link) -> str:
    texts = dict.fromkeys(walk.boxes[box].sub for box in link.values)
    return next(iter(texts)) if len(texts) == 1 else f"{len(texts)} values"


def _length(points: Curve) -> float:
    return abs(points[-2] - points[0]) + abs(points[-1] - points[1])


def _samples(points: Curve, step: float) -> Iterator[Point]:
    count = max(3, math.ceil(_length(points) / step))
    for i in range(count + 1):
        yield point_at(points, i / count)


def _candidates(points: Curve, text: str) -> Iterator[Label]:
    width, length = text_width(text, LABEL), abs(points[-1] - points[1])
    for down in (15, 22, 30, 44, 60):
        if down <= length + 4:
            x, y = point_at(points, min(0.95, down / max(length, 1)))
            yield Label(text, x + GAP, y + 3)
            yield Label(text, x - GAP - width, y + 3)


def _area(label: Label) -> Area:
    return (label.x - 1, label.y - LABEL + 1, text_width(label.text, LABEL) + 2, LABEL + 1)


def _inside(label: Label, width: float) -> bool:
    return label.x >= MARGIN and label.x + text_width(label.text, LABEL) <= width - MARGIN


class _Grid:
    """Areas by the cells of a grid that they touch."""

    def __init__(self) -> None:
        self._cells: dict[tuple[int, int], list[Area]] = {}

    def add(self, area: Area) -> None:
        for key in _keys(area):
            self._cells.setdefault(key, []).append(area)

    def is_free(self, area: Area) -> bool:
        x, y, width, height = area
        return not any(
            not (x + width < ox or ox + ow < x or y + height < oy or oy + oh < y)
            for key in _keys(area)
            for ox, oy, ow, oh in self._cells.get(key, ())
        )


def _keys(area: Area) -> Iterator[tuple[int, int]]:
    x, y, width, height = area
    for i in range(math.floor(x / CELL), math.floor((x + width) / CELL) + 1):
        for j in range(math.floor(y / CELL), math.floor((y + height) / CELL) + 1):
            yield i, j
