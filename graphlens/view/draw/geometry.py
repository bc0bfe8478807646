"""What Graphviz says (`json0`) as numbers: y runs down, lengths are points."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from graphlens.errors import ViewError

Point = tuple[float, float]
Curve = list[float]
"""A cubic Bézier curve: x0 y0, then six numbers per piece."""

_ENDS = re.compile(r"[se],\S+ ")


class Geometry(Struct, frozen=True):
    """Where things are: centres by DOT name, curves by edge number; an edge that was not routed is missing."""

    width: float
    height: float
    nodes: dict[str, Point]
    edges: dict[int, Curve]


class _Item(Struct):
    name: str = ""
    id: str | None = None
    pos: str | None = None


class _Json0(Struct):
    bb: str = "0,0,0,0"
    objects: list[_Item] = []
    edges: list[_Item] = []


def read_geometry(text: str) -> Geometry:
    """Read the output of a layout.

    Raises
    ------
    ViewError
        It is not what Graphviz writes.
    """
    try:
        data = msgspec.json.decode(text, type=_Json0)
        left, bottom, right, top = _numbers(data.bb)
        nodes = {o.name: (p[0] - left, top - p[1]) for o in data.objects if o.pos and (p := _numbers(o.pos))}
        edges = {
            int(e.id): [top - v if i % 2 else v - left for i, v in enumerate(_numbers(_ENDS.sub("", e.pos)))]
            for e in data.edges
            if e.id is not None and e.pos
        }
    except (ValueError, msgspec.MsgspecError) as error:
        raise ViewError(f"the layout engine answered something unreadable: {error}") from error
    return Geometry(right - left, top - bottom, nodes, edges)


def _numbers(text: str) -> list[float]:
    return [float(part) for part in re.split(r"[\s,]+", text)]


def snap(curve: Sequence[float], start: Point | None, end: Point | None) -> Curve:
    """Move the start and the end of a curve to exact places, and the handles there with them."""
    found = list(curve)
    last = len(found) - 2
    for at, handle, target in ((0, 2, start), (last, last - 2, end)):
        if target is not None:
            dx, dy = target[0] - found[at], target[1] - found[at + 1]
            found[at], found[at + 1] = target
            found[handle] += dx
            found[handle + 1] += dy
    return found


def point_at(curve: Sequence[float], fraction: float) -> Point:
    """Return a point on a curve at a fraction of its pieces."""
    pieces = (len(curve) - 2) // 6
    place = min(pieces - 1e-9, max(0.0, fraction * pieces))
    base, t = int(place) * 6, place - int(place)
    weights = ((1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3)
    x = sum(w * curve[base + 2 * k] for k, w in enumerate(weights))
    y = sum(w * curve[base + 2 * k + 1] for k, w in enumerate(weights))
    return x, y


def number(value: float) -> str:
    """Write a length with at most one decimal."""
    rounded = round(value, 1)
    return str(int(rounded)) if rounded == int(rounded) else str(rounded)


def path_data(curve: Sequence[float]) -> str:
    """Write a curve as SVG path data."""
    pieces = (curve[i : i + 6] for i in range(2, len(curve) - 5, 6))
    return f"M{number(curve[0])} {number(curve[1])}" + "".join("C" + " ".join(map(number, p)) for p in pieces)
