"""What each open region has to draw: its members, the ports on its border, and the links between them.

A use of a value that crosses borders becomes one link per region on its way. Inside the innermost region that holds both
ends it goes from member to member; in each open region on the way down it goes from or to a port.

An *entity* is a box (its number) or a region (-1 - number); `BORDER` stands for the border of the region itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from msgspec import Struct

from graphlens.view.draw.walk import Walk

Entity: TypeAlias = int
BORDER: Entity = -(2**53) + 1
NO_PORT = -1


class End(Struct, frozen=True):
    """One end of a link: a member, and the port of it (the box whose value passes) if it is an open region."""

    at: Entity
    port: int


class Link(Struct):
    """A line between two ends: the uses that run along it and the boxes whose values it carries, in order."""

    tail: End
    head: End
    uses: list[int] = []
    values: dict[int, None] = {}


class RegionGraph(Struct):
    """One open region. Ports are named by the maker of the value, or by the placeholder that takes it."""

    region: int
    members: list[Entity]
    ins: dict[int, None] = {}
    outs: dict[int, None] = {}
    links: dict[tuple[int, int, int, int], Link] = {}


def open_regions(walk: Walk, expanded: Iterable[int]) -> list[int]:
    """Find the regions that are open: they and everything around them are in `expanded`, or are the root."""
    wanted, found, pending = set(expanded), [], [0]
    while pending:
        region = pending.pop()
        found.append(region)
        pending.extend(child for child in walk.regions[region].children if child in wanted)
    return found


def lift_flow(walk: Walk, opened: Sequence[int]) -> dict[int, RegionGraph]:
    """Lift the flow of a scene to its open regions."""
    lifter = _Lifter(walk, opened)
    for use, (src, dst) in enumerate(zip(walk.flow.src, walk.flow.dst, strict=True)):
        if not (walk.folded[src] or walk.folded[dst]):
            lifter.lift(use, src, dst)
    for region in opened:
        if walk.regions[region].kind == "call":
            lifter.feed_call(region)
    return lifter.graphs


def members_of(walk: Walk, number: int) -> list[Entity]:
    """Return the boxes and regions directly inside a region, in the program's order."""
    region = walk.regions[number]
    return sorted([*region.boxes, *(-1 - child for child in region.children)], key=walk.order)


class _Lifter:
    """The graphs that `lift_flow` fills."""

    def __init__(self, walk: Walk, opened: Sequence[int]) -> None:
        self.walk, self.opened = walk, frozenset(opened)
        self.graphs = {number: RegionGraph(number, members_of(walk, number)) for number in opened}
        self._chains: dict[int, list[Entity]] = {}

    def lift(self, use: int, src: int, dst: int) -> None:
        """Add the links of one use of a value."""
        down, up = self.chain(src), self.chain(dst)
        fork = 0
        while fork < len(down) and fork < len(up) and down[fork] == up[fork]:
            fork += 1
        if fork in (len(down), len(up)):
            return
        tie = use >= self.walk.flow.ties

        def in_port(entity: Entity) -> int:
            return dst if tie and self.walk.regions[-1 - entity].kind == "graph" else src

        def end(entity: Entity, *, into: bool) -> End:
            return End(entity, (in_port(entity) if into else src) if self.is_open(entity) else NO_PORT)

        self.link(-1 - down[fork - 1] if fork else 0, end(down[fork], into=False), end(up[fork], into=True), use, src)
        for i in range(fork, len(down)):
            if not self.is_open(down[i]):
                break
            self.graphs[-1 - down[i]].outs[src] = None
            if i + 1 < len(down):
                self.link(-1 - down[i], end(down[i + 1], into=False), End(BORDER, src), use, src)
        for i in range(fork, len(up)):
            if not self.is_open(up[i]):
                break
            port = in_port(up[i])
            self.graphs[-1 - up[i]].ins[port] = None
            if i + 1 < len(up):
                self.link(-1 - up[i], End(BORDER, port), end(up[i + 1], into=True), use, src)

    def feed_call(self, call: int) -> None:
        """Lead the outputs of nested graphs to the result of the node that calls them."""
        region, boxes = self.walk.regions[call], self.walk.boxes
        self.graphs[call].outs[region.owner] = None
        for child in region.children:
            output = next((b for b in self.walk.regions[child].boxes if boxes[b].role == "output"), None)
            if output is None:
                continue
            inside = self.graphs.get(child)
            if inside is not None:
                inside.outs[output] = None
                self.link(child, End(output, NO_PORT), End(BORDER, output), -1, output)
            tail = End(-1 - child, NO_PORT if inside is None else output)
            self.link(call, tail, End(BORDER, region.owner), -1, output)

    def link(self, region: int, tail: End, head: End, use: int, value: int) -> None:
        links = self.graphs[region].links
        link = links.setdefault((tail.at, tail.port, head.at, head.port), Link(tail, head))
        if use >= 0:
            link.uses.append(use)
        link.values[value] = None

    def chain(self, box: int) -> list[Entity]:
        """Return what stands for a box, from outside in: open regions, then a closed region or the box; no root."""
        known = self._chains.get(box)
        if known is not None:
            return known
        call, regions = self.walk.call[box], []
        up = call if call >= 0 else self.walk.around[box]
        while up > 0:
            regions.append(up)
            up = self.walk.regions[up].parent
        chain: list[Entity] = []
        closed = False
        for number in reversed(regions):
            chain.append(-1 - number)
            if number not in self.opened:
                closed = True
                break
        if not closed and call < 0:
            chain.append(box)
        self._chains[box] = chain
        return chain

    def is_open(self, entity: Entity) -> bool:
        return entity < 0 and -1 - entity in self.opened
