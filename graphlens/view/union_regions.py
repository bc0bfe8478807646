"""The regions of two aligned programs as one tree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import structs

from graphlens.view.regions import Region, Tree


def union_regions(
    tree_a: Tree,
    tree_b: Tree,
    alignment: Any,
    partner: Mapping[int, int],
    box_a: Sequence[int],
    box_b: Sequence[int],
) -> tuple[tuple[Region, ...], tuple[int, ...]]:
    """Merge the trees of regions; return them, and which of them each region of b is."""
    regions = [structs.replace(r, owner=box_a[r.owner]) if r.owner >= 0 else r for r in tree_a.regions]
    by_call = {r.owner: n for n, r in enumerate(regions) if r.kind == "call"}
    by_graph = {r.path: n for n, r in enumerate(regions) if r.kind == "graph"}
    by_module = {(r.parent, r.path): n for n, r in enumerate(regions) if r.kind == "module"}
    path_a = {graph.path_b: graph.path_a for graph in alignment.graphs}
    votes = _votes(tree_a, tree_b, partner)
    found: list[int] = []
    for number, region in enumerate(tree_b.regions):
        parent = found[region.parent] if region.parent >= 0 else -1
        owner = box_b[region.owner] if region.owner >= 0 else -1
        same = -1
        if region.kind == "graph":
            same = by_graph.get(path_a.get(region.path, "\0"), 0 if number == 0 else -1)
        elif region.kind == "call":
            same = by_call.get(owner, -1)
        else:
            same = by_module.get((parent, region.path), -1)
            if same < 0 and votes.get(number, -1) >= 0 and regions[votes[number]].parent == parent:
                same = votes[number]
        if same < 0:
            same = len(regions)
            regions.append(structs.replace(region, key=f"+{region.key}", parent=parent, owner=owner))
        found.append(same)
    return tuple(regions), tuple(found)


def _votes(tree_a: Tree, tree_b: Tree, partner: Mapping[int, int]) -> dict[int, int]:
    """Say for each module of b in which module of a most of its nodes are."""
    counts: dict[int, Counter[int]] = {}
    for i, j in partner.items():
        here, there = tree_a.region_of[i], tree_b.region_of[j]
        if tree_a.regions[here].kind == tree_b.regions[there].kind == "module":
            counts.setdefault(there, Counter())[here] += 1
    return {there: count.most_common(1)[0][0] for there, count in counts.items()}
