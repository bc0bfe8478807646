"""A scene as the layout walks it: a tree of regions with their members, and the flow of values between boxes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec import Struct

from graphlens.view.roles import FOLDED
from graphlens.view.scene import Box, Scene

SHORTEST_RUN = 12


class Region(Struct):
    """A region of a `Walk`. `first` is the first box inside, which gives the order among siblings."""

    kind: str
    parent: int
    label: str
    type: str
    owner: int
    hash: str
    size: int
    depth: int = 0
    first: int = 2**53 - 1
    children: list[int] = []
    boxes: list[int] = []


class Flow(Struct, frozen=True):
    """Uses of values: `src[i]` is used by `dst[i]`; ties of nested placeholders follow the edges, from index `ties`."""

    src: tuple[int, ...]
    dst: tuple[int, ...]
    slot: tuple[str, ...]
    ties: int
    into: tuple[tuple[int, ...], ...]
    out_of: tuple[tuple[int, ...], ...]


class Walk(Struct, frozen=True):
    """What the layout works on.

    Per box: `around` is the region that it is drawn in, `call` the region that it is, `wrapper` the module that it is all
    of (-1 for none); `folded` boxes stand in their users.
    """

    regions: tuple[Region, ...]
    boxes: tuple[Box, ...]
    flow: Flow
    around: tuple[int, ...]
    call: tuple[int, ...]
    wrapper: tuple[int, ...]
    folded: tuple[bool, ...]

    def order(self, entity: int) -> int:
        """Return the place of a box, or of a region (-1 - number), in the program's order."""
        return entity if entity >= 0 else self.regions[-1 - entity].first


class Tree(Struct, frozen=True):
    """The regions of a scene with what is directly in them; per box as in a `Walk`."""

    regions: list[Region]
    around: list[int]
    call: tuple[int, ...]
    wrapper: list[int]
    folded: tuple[bool, ...]


def walk_regions(scene: Scene, expanded: Collection[int] = ()) -> Tree:
    """Prepare the regions of a scene; of a run of equal regions those in `expanded` stand by themselves."""
    regions = [
        Region(r.kind, r.parent, r.label, r.type, r.owner, hash_, size)
        for r, hash_, size in zip(scene.regions, scene.hashes, scene.sizes, strict=True)
    ]
    for number, region in enumerate(regions):
        if region.parent >= 0:
            regions[region.parent].children.append(number)
    calls = {region.owner: number for number, region in enumerate(regions) if region.kind == "call"}
    call = tuple(calls.get(i, -1) for i in range(len(scene.boxes)))
    folded = tuple(box.role in FOLDED for box in scene.boxes)
    around, wrapper = [box.region for box in scene.boxes], [-1] * len(scene.boxes)
    for i, box in enumerate(scene.boxes):
        if not folded[i] and call[i] < 0:
            regions[box.region].boxes.append(i)
    _dissolve_wrappers(regions, around, wrapper)
    _fold_runs(regions, frozenset(expanded))
    return Tree(regions, around, call, wrapper, folded)


def walk_scene(scene: Scene, expanded: Collection[int] = ()) -> Walk:
    """Prepare a scene for layout; of a run of equal regions those in `expanded` stand by themselves."""
    tree = walk_regions(scene, expanded)
    for region in tree.regions:
        region.depth = _depth(tree.regions, region)
    _set_first(tree.regions, tree.around, tree.call)
    around, wrapper = tuple(tree.around), tuple(tree.wrapper)
    return Walk(tuple(tree.regions), scene.boxes, _flow(scene), around, tree.call, wrapper, tree.folded)


def _flow(scene: Scene) -> Flow:
    src = (*(edge.src for edge in scene.edges), *(outer for outer, _ in scene.ties))
    dst = (*(edge.dst for edge in scene.edges), *(inner for _, inner in scene.ties))
    into: list[list[int]] = [[] for _ in scene.boxes]
    out_of: list[list[int]] = [[] for _ in scene.boxes]
    for use, (maker, user) in enumerate(zip(src, dst, strict=True)):
        out_of[maker].append(use)
        into[user].append(use)
    slots = tuple(edge.slot for edge in scene.edges)
    return Flow(src, dst, slots, len(slots), tuple(map(tuple, into)), tuple(map(tuple, out_of)))


def _depth(regions: Sequence[Region], region: Region) -> int:
    depth, up = 0, region.parent
    while up >= 0:
        depth, up = depth + 1, regions[up].parent
    return depth


def _dissolve_wrappers(regions: Sequence[Region], around: list[int], wrapper: list[int]) -> None:
    """Give a module's only box to the region around it: `q_proj` around one `linear` is one box."""
    inside: list[list[int]] = [[] for _ in regions]
    for box, region in enumerate(around):
        inside[region].append(box)
    for number, own in enumerate(regions):
        if own.kind != "module" or len(own.boxes) != 1 or own.children:
            continue
        outer = regions[own.parent]
        outer.children.remove(number)
        wrapper[own.boxes[0]] = number
        outer.boxes.append(own.boxes.pop())
        for box in inside[number]:
            around[box] = own.parent
        inside[own.parent] += inside[number]


def _set_first(regions: Sequence[Region], around: Sequence[int], call: Sequence[int]) -> None:
    for number, region in enumerate(around):
        up = call[number] if call[number] >= 0 else region
        while up >= 0 and regions[up].first > number:
            regions[up].first = number
            up = regions[up].parent


def _fold_runs(regions: list[Region], alone: Collection[int]) -> None:
    """Put long runs of equal sibling modules into a region of kind `repeat`; one that differs stands alone."""
    for number, parent in enumerate(list(regions)):
        for run in runs(regions, parent.children, alone):
            first, last = regions[run[0]], regions[run[-1]]
            repeat = Region(
                kind="repeat",
                parent=number,
                label=range_label(first.label, last.label),
                type=first.type,
                owner=-1,
                hash=f"{first.hash}×{len(run)}",
                size=sum(regions[i].size for i in run),
                first=first.first,
                children=list(run),
            )
            for i in run:
                regions[i].parent = len(regions)
            at = parent.children.index(run[0])
            parent.children[at : at + len(run)] = [len(regions)]
            regions.append(repeat)


def runs(regions: Sequence[Region], children: Sequence[int], alone: Collection[int] = ()) -> list[list[int]]:
    """Find long runs of equal modules among siblings."""
    found: list[list[int]] = []
    for child in children:
        region, head = regions[child], regions[found[-1][0]] if found else None
        alike = head is not None and region.kind == "module" and head.hash == region.hash and head.type == region.type
        if alike and child not in alone and found[-1][0] not in alone:
            found[-1].append(child)
        else:
            found.append([child])
    return [run for run in found if len(run) >= SHORTEST_RUN]


def range_label(first: str, last: str) -> str:
    """Name a run: `layers.0` and `layers.125` give `layers.0 – 125`."""
    stem = first[: first.rfind(".") + 1]
    return f"{first} – {last[len(stem) :]}" if stem and last.startswith(stem) else f"{first} – {last}"
