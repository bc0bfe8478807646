"""Two aligned programs as one scene: what both have stands once, what one has stands where its neighbours are.

Nothing is compared here: which node is which comes from the diff's alignment, what differs from its rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct, structs

from graphlens.diff.alignment import bodies_of_ambiguous
from graphlens.view.drawn import Drawn
from graphlens.view.flow import Edge
from graphlens.view.labels import clip
from graphlens.view.region_hashes import members_of
from graphlens.view.regions import Tree
from graphlens.view.scene import Box, Scene
from graphlens.view.union_regions import union_regions

Status = Literal["same", "changed", "only_a", "only_b", "ambiguous"]


class UnionScene(Struct, frozen=True, kw_only=True):
    """The union: `node_a`, `node_b` (-1 for none) and `match` are per box, `side` is per edge.

    `places_a` and `places_b` give the box of a node by graph path and name.
    """

    scene: Scene
    node_a: tuple[int, ...]
    node_b: tuple[int, ...]
    match: tuple[str, ...]
    side: tuple[Literal["both", "a", "b"], ...]
    places_a: dict[tuple[str, str], int]
    places_b: dict[tuple[str, str], int]

    def place_a(self, graph: str, name: str) -> int:
        """Return the box of a node of a, -1 if there is none."""
        return self.places_a.get((graph, name), -1)

    def place_b(self, graph: str, name: str) -> int:
        """Return the box of a node of b, -1 if there is none."""
        return self.places_b.get((graph, name), -1)


def union_scene(a: Drawn, b: Drawn, alignment: Any) -> UnionScene:
    """Merge the scenes of two programs along an alignment (`graphlens.diff.alignment.Alignment`)."""
    tree_a, tree_b = a.tree, b.tree
    scene_a, scene_b = a.scene, b.scene
    partner, match_a, match_b = _partners(tree_a, tree_b, alignment)
    order = _merge(tree_a, tree_b, partner, alignment)
    box_a, box_b = _places(order, len(tree_a.nodes), len(tree_b.nodes))
    regions, region_b = union_regions(tree_a, tree_b, alignment, partner, box_a, box_b)
    boxes = tuple(_box(scene_a.boxes, i, scene_b.boxes, j, region_b) for i, j in order)
    edges, side = _edges(scene_a, scene_b, box_a, box_b)
    ties = dict.fromkeys((box_a[o], box_a[i]) for o, i in scene_a.ties)
    ties.update(dict.fromkeys((box_b[o], box_b[i]) for o, i in scene_b.ties))
    calls = {region.owner: number for number, region in enumerate(regions) if region.kind == "call"}
    members = members_of(regions, [box.region for box in boxes], calls)
    scene = Scene(
        regions=regions,
        hashes=_hashes(scene_a, scene_b, region_b, members, order),
        sizes=tuple(len(inside) for inside in members),
        boxes=boxes,
        edges=edges,
        ties=tuple(ties),
    )
    return UnionScene(
        scene=scene,
        node_a=tuple(i for i, _ in order),
        node_b=tuple(j for _, j in order),
        match=tuple(match_a.get(i) or match_b.get(j) or "" for i, j in order),
        side=side,
        places_a={key: box_a[i] for key, i in _numbers(tree_a).items()},
        places_b={key: box_b[j] for key, j in _numbers(tree_b).items()},
    )


def _numbers(tree: Tree) -> dict[tuple[str, str], int]:
    return {(tree.graphs[g], node.name): i for i, (g, node) in enumerate(zip(tree.graph_of, tree.nodes, strict=True))}


def _partners(tree_a: Tree, tree_b: Tree, alignment: Any) -> tuple[dict[int, int], dict[int, str], dict[int, str]]:
    """Return which node of b each node of a is, and the evidence for every node of either side."""
    at_a, at_b = _numbers(tree_a), _numbers(tree_b)
    partner: dict[int, int] = {}
    match_a: dict[int, str] = {}
    match_b: dict[int, str] = {}
    inside: dict[str, list[int]] = {}
    for i, g in enumerate(tree_a.graph_of):
        inside.setdefault(tree_a.graphs[g], []).append(i)
    for graph in alignment.graphs:
        for pair in graph.pairs:
            i, j = at_a.get((graph.path_a, pair.a), -1), at_b.get((graph.path_b, pair.b), -1)
            if i >= 0 and j >= 0:
                partner[i] = j
                match_a[i] = pair.match
        for group in graph.groups:
            evidence = group.match.removeprefix("group").strip()
            what = f"group {len(group.a)}:{len(group.b)} {evidence}".strip()
            match_a.update((at_a[graph.path_a, n], what) for n in group.a if (graph.path_a, n) in at_a)
            match_b.update((at_b[graph.path_b, n], what) for n in group.b if (graph.path_b, n) in at_b)
        for ambiguous in graph.ambiguous:
            match_a.update((at_a[graph.path_a, n], "ambiguous") for n in ambiguous.a if (graph.path_a, n) in at_a)
            match_b.update((at_b[graph.path_b, n], "ambiguous") for n in ambiguous.b if (graph.path_b, n) in at_b)
        _pair_rest(graph, inside.get(graph.path_a, ()), at_b, (tree_a, tree_b), partner, match_a, match_b)
    for tree, bodies, match in zip((tree_a, tree_b), bodies_of_ambiguous(alignment), (match_a, match_b), strict=True):
        match.update((i, "ambiguous") for i, g in enumerate(tree.graph_of) if bodies and tree.graphs[g] in bodies)
    return partner, match_a, match_b


def _pair_rest(
    graph: Any,
    inside: Sequence[int],
    at_b: Mapping[tuple[str, str], int],
    trees: tuple[Tree, Tree],
    partner: dict[int, int],
    match_a: Mapping[int, str],
    match_b: Mapping[int, str],
) -> None:
    """Put nodes that no part of an alignment speaks of (dead code) on one place where name and target agree."""
    rest = [i for i in inside if i not in partner and i not in match_a]
    if not rest:
        return
    taken = set(partner.values()) | match_b.keys()
    spoken = {*graph.only_a, *graph.only_b}
    for i in rest:
        node = trees[0].nodes[i]
        j = at_b.get((graph.path_b, node.name), -1)
        if node.name not in spoken and j >= 0 and j not in taken and node.target == trees[1].nodes[j].target:
            partner[i] = j


def _merge(tree_a: Tree, tree_b: Tree, partner: Mapping[int, int], alignment: Any) -> list[tuple[int, int]]:
    """Order the boxes: those of a, and what only b has after what comes before it there."""
    back = {j: i for i, j in partner.items()}
    path_of_b = {graph.path_b: graph.path_a for graph in alignment.graphs}
    after: dict[int, list[int]] = {}
    heads: dict[str, list[int]] = {}
    loose: list[int] = []
    anchor, here = -1, -1
    for j, graph in enumerate(tree_b.graph_of):
        if graph != here:
            here, anchor = graph, -1
        if j in back:
            anchor = back[j]
        elif anchor >= 0:
            after.setdefault(anchor, []).append(j)
        elif tree_b.graphs[graph] in path_of_b:
            heads.setdefault(path_of_b[tree_b.graphs[graph]], []).append(j)
        else:
            loose.append(j)
    order: list[tuple[int, int]] = []
    for i, graph in enumerate(tree_a.graph_of):
        if i == tree_a.starts[graph]:
            order += [(-1, j) for j in heads.pop(tree_a.graphs[graph], ())]
        order.append((i, partner.get(i, -1)))
        order += [(-1, j) for j in after.get(i, ())]
    order += [(-1, j) for rest in heads.values() for j in rest]
    return [*order, *((-1, j) for j in loose)]


def _places(order: Sequence[tuple[int, int]], count_a: int, count_b: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    box_a, box_b = [-1] * count_a, [-1] * count_b
    for box, (i, j) in enumerate(order):
        if i >= 0:
            box_a[i] = box
        if j >= 0:
            box_b[j] = box
    return tuple(box_a), tuple(box_b)


def _box(boxes_a: Sequence[Box], i: int, boxes_b: Sequence[Box], j: int, region_b: Sequence[int]) -> Box:
    """Make the box of a node of one side or of both; texts that differ are shown as `a → b`."""
    if i < 0:
        box = boxes_b[j]
        return structs.replace(box, key=f"+{box.key}", region=region_b[box.region])
    if j < 0:
        return boxes_a[i]
    one, two = boxes_a[i], boxes_b[j]
    return structs.replace(
        one,
        label=_both(one.label, two.label),
        sub=_both(one.sub, two.sub),
        literals=_both(one.literals, two.literals),
    )


def _both(one: str, two: str) -> str:
    return one if one == two else clip(f"{one or '∅'} → {two or '∅'}")


def _edges(
    scene_a: Scene, scene_b: Scene, box_a: Sequence[int], box_b: Sequence[int]
) -> tuple[tuple[Edge, ...], tuple[Literal["both", "a", "b"], ...]]:
    """Merge the uses; one that both programs make of the same values at the same place stands once."""
    uses: dict[tuple[int, int, str], tuple[Edge, Literal["both", "a", "b"]]] = {}
    for edge in scene_a.edges:
        moved = Edge(box_a[edge.src], box_a[edge.dst], edge.slot, edge.port)
        uses[moved.src, moved.dst, moved.slot] = (moved, "a")
    for edge in scene_b.edges:
        moved = Edge(box_b[edge.src], box_b[edge.dst], edge.slot, edge.port)
        key = (moved.src, moved.dst, moved.slot)
        uses[key] = (uses[key][0], "both") if key in uses else (moved, "b")
    ordered = sorted(uses.values(), key=lambda use: use[0].dst)
    return tuple(edge for edge, _ in ordered), tuple(side for _, side in ordered)


def _hashes(
    scene_a: Scene,
    scene_b: Scene,
    region_b: Sequence[int],
    members: Iterable[Sequence[int]],
    order: Sequence[tuple[int, int]],
) -> tuple[str, ...]:
    """Hash the regions: what both programs have in them, and where one has something that the other has not."""
    of_b = {same: number for number, same in enumerate(region_b)}
    found = []
    for number, inside in enumerate(members):
        one = scene_a.hashes[number] if number < len(scene_a.hashes) else ""
        other = scene_b.hashes[of_b[number]] if number in of_b else ""
        sides = "".join("=" if min(order[box]) >= 0 else "-" if order[box][1] < 0 else "+" for box in inside)
        found.append(hashlib.blake2b(f"{one} {other} {sides}".encode(), digest_size=6).hexdigest())
    return tuple(found)
