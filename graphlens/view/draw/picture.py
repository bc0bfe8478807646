"""A laid out scene in one coordinate system: what there is to draw and where."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, structs

from graphlens.view.draw.compose import HEADER, Placed, RegionLayout, SceneLayout
from graphlens.view.draw.content import SMALL
from graphlens.view.draw.geometry import Curve, point_at
from graphlens.view.draw.lift import BORDER, Link
from graphlens.view.draw.walk import Walk
from graphlens.view.measure import text_width

LABEL = SMALL - 1


class Frame(Struct, frozen=True):
    """The frame of an open region."""

    region: int
    depth: int
    x: float
    y: float
    width: float
    height: float


class Label(Struct, frozen=True):
    """The value that a wire carries; `y` is the base line."""

    text: str
    x: float
    y: float


class Wire(Struct, frozen=True):
    """A line with the link that it draws."""

    link: Link
    points: Curve
    label: Label | None


class Pill(Struct, frozen=True):
    """A port that names its value, for no line leads to it."""

    text: str
    x: float
    y: float
    width: float
    height: float


class Picture(Struct, frozen=True):
    """Everything to draw, in one coordinate system; outer frames first."""

    width: float
    height: float
    frames: tuple[Frame, ...]
    shapes: tuple[Placed, ...]
    wires: tuple[Wire, ...]
    pills: tuple[Pill, ...]
    notes: tuple[str, ...]


def picture_of(walk: Walk, laid: SceneLayout) -> Picture:
    """Put every region of a layout where it belongs."""
    frames: list[Frame] = []
    shapes: list[Placed] = []
    wires: list[Wire] = []
    pills: list[Pill] = []
    pending = [(0, 0.0, 0.0)]
    while pending:
        number, x, y = pending.pop()
        region = laid.regions[number]
        if number:
            frames.append(Frame(number, walk.regions[number].depth, x, y, region.width, region.height))
        for member in region.members:
            if member.entity < 0 and -1 - member.entity in laid.regions:
                pending.append((-1 - member.entity, x + member.x, y + member.y))
            else:
                shapes.append(structs.replace(member, x=x + member.x, y=y + member.y))
        pills += [Pill(t.text, x + t.x - t.width / 2, y + HEADER + 3, t.width, 18) for t in region.port_tags]
        wires += _wires(walk, region, x, y)
    root = laid.regions[0]
    frames.sort(key=lambda frame: frame.depth)
    shown = _without_crowded(wires)
    return Picture(root.width, root.height, tuple(frames), tuple(shapes), shown, tuple(pills), laid.notes)


def _wires(walk: Walk, region: RegionLayout, x: float, y: float) -> list[Wire]:
    said: set[tuple[int, int]] = set()
    found = []
    for link, points in region.curves:
        moved = [value + (y if k % 2 else x) for k, value in enumerate(points)]
        maker = (link.tail.at, link.tail.port)
        first = maker not in said and _is_made_by(walk, link)
        found.append(Wire(link, moved, _label(walk, link, moved) if first else None))
        said.add(maker)
    return found


def _is_made_by(walk: Walk, link: Link) -> bool:
    """Say whether a link starts where its value is made, not at a border that it crosses on its way."""
    if link.tail.port < 0 or link.tail.at == BORDER:
        return link.tail.at != BORDER
    return walk.regions[-1 - link.tail.at].kind == "call"


def _label(walk: Walk, link: Link, points: Curve) -> Label | None:
    texts = dict.fromkeys(walk.boxes[box].sub for box in link.values)
    text = next(iter(texts)) if len(texts) == 1 else f"{len(texts)} values"
    if not text:
        return None
    x, y = point_at(points, 0.45 / ((len(points) - 2) // 6))
    left = points[6] > points[0] + 6
    return Label(text, x - 6 - text_width(text, LABEL) if left else x + 6, min(y, points[1] + 18) + 3)


def _without_crowded(wires: Sequence[Wire]) -> tuple[Wire, ...]:
    """Drop labels that would lie on another one."""
    cells: dict[tuple[int, int], list[tuple[float, float, float, float]]] = {}
    found = []
    for wire in wires:
        label = wire.label
        if label is not None:
            x0, y0 = label.x, label.y - LABEL
            rect = (x0, y0, x0 + text_width(label.text, LABEL), y0 + LABEL + 3)
            keys = [
                (cx, cy)
                for cx in range(int(rect[0] // 200), int(rect[2] // 200) + 1)
                for cy in range(int(rect[1] // 40), int(rect[3] // 40) + 1)
            ]
            if any(_overlap(rect, other) for key in keys for other in cells.get(key, ())):
                label = None
            else:
                for key in keys:
                    cells.setdefault(key, []).append(rect)
        found.append(Wire(wire.link, wire.points, label))
    return tuple(found)


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
