"""A laid out scene in one coordinate system: what there is to draw and where."""

from __future__ import annotations

from msgspec import Struct, structs

from graphlens.view.draw.compose import HEADER, Placed, RegionLayout, SceneLayout
from graphlens.view.draw.edge_labels import Area, Label, place_labels
from graphlens.view.draw.geometry import Curve
from graphlens.view.draw.lift import BORDER, Link
from graphlens.view.draw.walk import Walk


class Frame(Struct, frozen=True):
    """The frame of an open region."""

    region: int
    depth: int
    x: float
    y: float
    width: float
    height: float


class Wire(Struct, frozen=True):
    """A line with the link that it draws. It has a head where nothing goes on; `depth` is that of its region."""

    link: Link
    points: Curve
    label: Label | None
    head: bool
    depth: int


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
        wires += _wires(walk, laid, region, x, y)
    root = laid.regions[0]
    frames.sort(key=lambda frame: frame.depth)
    return Picture(root.width, root.height, tuple(frames), tuple(shapes), tuple(wires), tuple(pills), laid.notes)


def _wires(walk: Walk, laid: SceneLayout, region: RegionLayout, x: float, y: float) -> list[Wire]:
    header: Area = (0, 0, region.width, HEADER if region.region else 0)
    blocked: list[Area] = [header, *((m.x, m.y, m.width, m.height) for m in region.members)]
    blocked += [(t.x - t.width / 2, HEADER + 3, t.width, 18) for t in region.port_tags]
    depth = walk.regions[region.region].depth
    labels = place_labels(walk, region.curves, blocked, region.width)
    found = []
    for (link, points), label in zip(region.curves, labels, strict=True):
        moved = [value + (y if k % 2 else x) for k, value in enumerate(points)]
        shifted = label and Label(label.text, label.x + x, label.y + y)
        found.append(Wire(link, moved, shifted, not _goes_on(laid, link), depth))
    return found


def _goes_on(laid: SceneLayout, link: Link) -> bool:
    """Say whether a line continues beyond its head: out of its region, or inside the open region that it enters."""
    if link.head.at == BORDER:
        return True
    inner = laid.regions.get(-1 - link.head.at) if link.head.at < 0 else None
    return inner is not None and any(
        other.tail.at == BORDER and other.tail.port == link.head.port for other, _ in inner.curves
    )
