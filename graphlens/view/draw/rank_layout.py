"""A layout in linear time, for regions too large for Graphviz and for when it fails.

Ranks by longest path, order by two sweeps of barycentres, straight-ended curves between ranks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from graphlens.view.draw.dot import DotGraph
from graphlens.view.draw.geometry import Curve, Geometry

GAP_X = 24.0
GAP_Y = 34.0
WIDEST = 3200.0
"""A rank is broken into rows of this width, so that hundreds of unconnected boxes stay readable."""


class _Item(Struct):
    name: str
    width: float
    height: float
    rank: int = 1
    x: float = 0.0
    y: float = 0.0


def rank_layout(graph: DotGraph) -> Geometry:
    """Lay out a region graph; the result has the same shape as Graphviz's."""
    items = [
        *(_Item(f"i{i}", width, 2) for i, width in enumerate(graph.ins)),
        *(_Item(f"m{i}", node.width, node.height) for i, node in enumerate(graph.nodes)),
        *(_Item(f"o{i}", width, 2) for i, width in enumerate(graph.outs)),
    ]
    index = {item.name: i for i, item in enumerate(items)}
    ends = [
        (
            index[f"i{tail.port}" if tail.member < 0 else f"m{tail.member}"],
            index[f"o{head.port}" if head.member < 0 else f"m{head.member}"],
        )
        for tail, head in graph.edges
    ]
    _rank(items, ends, row=graph.row)
    width, height = _place(_rows(items, ends))
    edges = {i: _curve(items[a], items[b]) for i, (a, b) in enumerate(ends)}
    return Geometry(width, height, {item.name: (item.x, item.y) for item in items}, edges)


def _rank(items: Sequence[_Item], ends: Sequence[tuple[int, int]], *, row: bool) -> None:
    into: list[list[int]] = [[] for _ in items]
    for tail, head in ends:
        if tail < head:
            into[head].append(tail)
    for i, item in enumerate(items):
        if item.name[0] == "i":
            item.rank = 0
        elif not row:
            item.rank = 1 + max((items[tail].rank for tail in into[i]), default=0)
    last = max((item.rank for item in items if item.name[0] != "o"), default=0) + 1
    for item in items:
        if item.name[0] == "o":
            item.rank = last


def _rows(items: Sequence[_Item], ends: Sequence[tuple[int, int]]) -> list[list[_Item]]:
    ranks: dict[int, list[int]] = {}
    for i, item in enumerate(items):
        ranks.setdefault(item.rank, []).append(i)
    filled = [ranks[rank] for rank in sorted(ranks)]
    into: list[list[int]] = [[] for _ in items]
    out_of: list[list[int]] = [[] for _ in items]
    for tail, head in ends:
        into[head].append(tail)
        out_of[tail].append(head)
    place = [0.0] * len(items)
    for rank in filled:
        _number(rank, place)
    for order, near in ((filled, into), (filled[::-1], out_of)):
        for rank in order:
            rank.sort(key=_barycentre(rank, near, place))
            _number(rank, place)
    return [row for rank in filled for row in _break_row([items[i] for i in rank])]


def _number(rank: Sequence[int], place: list[float]) -> None:
    for k, i in enumerate(rank):
        place[i] = (k + 0.5) / len(rank)


def _barycentre(
    rank: Sequence[int], near: Sequence[Sequence[int]], place: Sequence[float]
) -> Callable[[int], tuple[float, int]]:
    means = {i: sum(place[j] for j in near[i]) / len(near[i]) if near[i] else place[i] for i in rank}
    return lambda i: (means[i], i)


def _break_row(rank: Sequence[_Item]) -> list[list[_Item]]:
    rows: list[list[_Item]] = [[]]
    width = 0.0
    for item in rank:
        if width > 0 and width + item.width > WIDEST:
            rows.append([])
            width = 0.0
        rows[-1].append(item)
        width += item.width + GAP_X
    return rows


def _place(rows: Sequence[Sequence[_Item]]) -> tuple[float, float]:
    widths = [sum(item.width + GAP_X for item in row) - GAP_X for row in rows]
    width, y = max([0.0, *widths]), 0.0
    for row, used in zip(rows, widths, strict=True):
        height = max(item.height for item in row)
        x = (width - used) / 2
        for item in row:
            item.x, item.y = x + item.width / 2, y + height / 2
            x += item.width + GAP_X
        y += height + GAP_Y
    return width, max(0.0, y - GAP_Y)


def _curve(tail: _Item, head: _Item) -> Curve:
    x0, y0 = tail.x, tail.y + tail.height / 2
    x1, y1 = head.x, head.y - head.height / 2
    bend = max(12.0, min(60.0, abs(y1 - y0) / 2))
    return [x0, y0, x0, y0 + bend, x1, y1 - bend, x1, y1]
