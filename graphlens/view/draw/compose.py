"""The layout of a scene: every open region on its own, innermost first, with open children as boxes of known size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from graphlens.errors import ViewError
from graphlens.view.draw.content import SMALL, TITLE, Content, content_of, maker_name
from graphlens.view.draw.dot import DotEnd, DotGraph, DotNode, write_dot
from graphlens.view.draw.geometry import Curve, Geometry, Point, read_geometry, snap
from graphlens.view.draw.lift import BORDER, End, Entity, Link, RegionGraph, lift_flow, open_regions
from graphlens.view.draw.rank_layout import rank_layout
from graphlens.view.draw.row_layout import row_layout
from graphlens.view.draw.tags import Thinned, thin
from graphlens.view.draw.walk import Walk
from graphlens.view.layout import TIME_LIMIT, layout
from graphlens.view.measure import text_width

HEADER = 30.0
PAD = 16.0
STRAIGHT = 3
"""How much straighter lines to the next rank are kept than long ones."""
MOST_MEMBERS = 700
MOST_EDGES = 1600
"""Beyond this many members or edges Graphviz takes seconds; our own layout is linear."""


class Placed(Struct, frozen=True):
    """A member of a region, in the region's coordinates."""

    entity: Entity
    x: float
    y: float
    width: float
    height: float
    content: Content


class PortTag(Struct, frozen=True):
    """A port that stands for a value without a line to it."""

    box: int
    text: str
    x: float
    y: float
    width: float


class RegionLayout(Struct, frozen=True):
    """One open region in its own coordinates, the origin at its top left corner; ports by box, with their x."""

    region: int
    width: float
    height: float
    ins: dict[int, float]
    outs: dict[int, float]
    members: tuple[Placed, ...]
    curves: tuple[tuple[Link, Curve], ...]
    port_tags: tuple[PortTag, ...]


class SceneLayout(Struct, frozen=True):
    """The layouts of the open regions, and what went wrong and was worked around, for people."""

    regions: dict[int, RegionLayout]
    notes: tuple[str, ...]


def compose(walk: Walk, expanded: Iterable[int], *, timeout: float = TIME_LIMIT) -> SceneLayout:
    """Lay out a scene with a set of expanded regions. Equal regions are laid out once per process."""
    opened = open_regions(walk, expanded)
    graphs = lift_flow(walk, opened)
    thinned = {number: thin(walk, graphs[number]) for number in opened}
    done: dict[int, RegionLayout] = {}
    notes: dict[str, None] = {}
    for number in sorted(opened, key=lambda number: -walk.regions[number].depth):
        job = _Job(walk, graphs[number], thinned, done)
        done[number] = job.place(_geometry(job.graph, notes, timeout))
    return SceneLayout(done, tuple(notes))


def _geometry(graph: DotGraph, notes: dict[str, None], timeout: float) -> Geometry:
    if graph.row:
        return row_layout(graph)
    if len(graph.nodes) > MOST_MEMBERS or len(graph.edges) > MOST_EDGES:
        return rank_layout(graph)
    try:
        return read_geometry(layout(write_dot(graph), format="json0", timeout=timeout))
    except ViewError as error:
        notes[f"{error}; drawn with the simple layout instead."] = None
        return rank_layout(graph)


class _Job:
    """One region on its way from graph to layout."""

    def __init__(
        self, walk: Walk, graph: RegionGraph, thinned: Mapping[int, Thinned], inner: Mapping[int, RegionLayout]
    ) -> None:
        self.walk, self.region, self.members, self.inner = walk, graph.region, graph.members, inner
        self.thinned = thinned[graph.region]
        self.contents = [content_of(walk, m, self.thinned.tags.get((m, -1), ())) for m in graph.members]
        self.ins, self.outs = list(graph.ins), list(graph.outs)
        outside = thinned.get(walk.regions[graph.region].parent)
        named = [outside.tags.get((-1 - graph.region, port)) if outside else None for port in self.ins]
        self.port_names = [maker_name(walk, tags[0]) if tags else None for tags in named]
        self.graph = self.dot_graph()

    def dot_graph(self) -> DotGraph:
        index = {member: i for i, member in enumerate(self.members)}
        return DotGraph(
            nodes=tuple(self.dot_node(m, c) for m, c in zip(self.members, self.contents, strict=True)),
            ins=tuple(14 if name is None else _tag_width(name) for name in self.port_names),
            outs=(14,) * len(self.outs),
            edges=tuple(
                (self.dot_end(index, link.tail, out=True), self.dot_end(index, link.head, out=False))
                for link in self.thinned.links
            ),
            weights=tuple(STRAIGHT if span == 1 else 1 for span in self.thinned.spans),
            row=self.walk.regions[self.region].kind == "call",
        )

    def dot_end(self, index: Mapping[Entity, int], end: End, *, out: bool) -> DotEnd:
        if end.at == BORDER:
            return DotEnd(-1, (self.ins if out else self.outs).index(end.port))
        inner = self.layout_of(end.at)
        ports = _sorted_ports(inner.outs if out else inner.ins) if inner else []
        place = next((i for i, (key, _) in enumerate(ports) if key == end.port), -1)
        return DotEnd(index[end.at], place)

    def dot_node(self, member: Entity, content: Content) -> DotNode:
        inner = self.layout_of(member)
        if inner is None:
            return DotNode(content.width, content.height)
        ins, outs = (tuple(x for _, x in _sorted_ports(ports)) for ports in (inner.ins, inner.outs))
        return DotNode(inner.width, inner.height, ins, outs)

    def layout_of(self, member: Entity) -> RegionLayout | None:
        return self.inner.get(-1 - member) if member < 0 else None

    def place(self, geometry: Geometry) -> RegionLayout:
        """Turn the engine's geometry into places inside the region."""
        own = self.walk.regions[self.region]
        root = self.region == 0
        least = 0 if root else text_width(own.label, TITLE, bold=True) + text_width(own.type, SMALL) + 110
        width = max(geometry.width + 2 * PAD, least)
        top = PAD if root else HEADER + (2 if self.ins else PAD)
        height = top + geometry.height + (2 if self.outs else PAD)
        dx = (width - geometry.width) / 2

        def at(name: str) -> Point:
            x, y = geometry.nodes.get(name, (0.0, 0.0))
            return x + dx, y + top

        placed = []
        for i, (entity, node) in enumerate(zip(self.members, self.graph.nodes, strict=True)):
            x, y = at(f"m{i}")
            w, h = node.width, node.height
            placed.append(Placed(entity, x - w / 2, y - h / 2, w, h, self.contents[i]))
        ins = {port: at(f"i{i}")[0] for i, port in enumerate(self.ins)}
        outs = {port: at(f"o{i}")[0] for i, port in enumerate(self.outs)}
        tags = tuple(
            PortTag(port, name, ins[port], HEADER + 12, _tag_width(name))
            for port, name in zip(self.ins, self.port_names, strict=True)
            if name is not None
        )
        curves = self.curves(geometry, placed, ins, outs, (dx, top, height), {tag.box for tag in tags})
        return RegionLayout(self.region, width, height, ins, outs, tuple(placed), curves, tags)

    def curves(
        self,
        geometry: Geometry,
        placed: list[Placed],
        ins: dict[int, float],
        outs: dict[int, float],
        frame: tuple[float, float, float],
        tagged: set[int],
    ) -> tuple[tuple[Link, Curve], ...]:
        dx, top, height = frame
        places = {p.entity: p for p in placed}
        found = []
        for i, link in enumerate(self.thinned.links):
            raw = geometry.edges.get(i, [])
            if len(raw) < 8:
                continue
            moved = [value + (top if k % 2 else dx) for k, value in enumerate(raw)]
            under = HEADER + 21 if link.tail.port in tagged else HEADER
            start = self.anchor(link.tail, places, ins, under, out=True)
            curve = snap(moved, start, self.anchor(link.head, places, outs, height, out=False))
            if link.tail.at == BORDER and under == HEADER:
                x = curve[0]
                curve = [x, 0, x, HEADER / 3, x, HEADER * 2 / 3, *curve]
            found.append((link, curve))
        return tuple(found)

    def anchor(
        self, end: End, places: Mapping[Entity, Placed], border: Mapping[int, float], y: float, *, out: bool
    ) -> Point | None:
        """Return where exactly an end of a link at a port is; None where the engine's own clipping is right."""
        if end.at == BORDER:
            return border.get(end.port, 0.0), y
        inner, place = self.layout_of(end.at), places.get(end.at)
        x = None if inner is None else (inner.outs if out else inner.ins).get(end.port)
        if place is None or x is None:
            return None
        return place.x + x, place.y + (place.height if out else 0)


def _tag_width(text: str) -> float:
    return -(-text_width(text, SMALL) // 1) + 24


def _sorted_ports(ports: Mapping[int, float]) -> list[tuple[int, float]]:
    return sorted(ports.items(), key=lambda item: item[1])
