"""Which regions are open at first."""

from __future__ import annotations

from collections.abc import Collection

from graphlens.view.draw.walk import runs, walk_regions
from graphlens.view.scene import Scene

BUDGET = 150
"""Boxes and closed regions that a first picture shows at most; reading more at once helps nobody."""


def first_open(
    scene: Scene, depth: int, *, budget: int = BUDGET, towards: int = -1, closed: Collection[int] = ()
) -> list[int]:
    """Return the regions to open: all down to a depth, level by level, while the picture stays small.

    Of a long run of equal modules only the first is opened.

    Parameters
    ----------
    scene
        What is drawn.
    depth
        0 opens only the root, 1 the regions in it, and so on. A call counts as one level with its nested graphs.
        A root with nothing but one region in it opens that one too.
    budget
        Stop before a region would bring more boxes and regions than this into the picture.
    towards
        A box that is to be seen: what is around it is opened first, from the outside in; -1 for none.
    closed
        Regions that stay closed on the way there.
    """
    regions = walk_regions(scene).regions[: len(scene.regions)]
    children: list[list[int]] = [[] for _ in regions]
    for number, region in enumerate(scene.regions):
        if region.parent >= 0:
            children[region.parent].append(number)
    repeated = {i for siblings in children for run in runs(regions, siblings) for i in run[1:]}
    costs = [len(r.boxes) + sum(i not in repeated for i in children[number]) for number, r in enumerate(regions)]
    shown, opened, level = costs[0], [0], children[0]
    for number in _way(scene, towards):
        if number in closed or shown + costs[number] > budget:
            break
        shown += costs[number]
        opened.append(number)
    if len(level) == 1 and len(regions[0].boxes) <= 3:
        depth += 1
    for _ in range(depth):
        below: list[int] = []
        for number in level:
            inside = _unit(scene, children, number)
            cost = sum(costs[i] for i in inside if i not in opened)
            if number not in opened and (number in repeated or number in closed or shown + cost > budget):
                continue
            shown += cost
            opened += [i for i in inside if i not in opened]
            below += [child for i in inside for child in children[i] if child not in inside]
        level = below
    return sorted(opened)


def _way(scene: Scene, box: int) -> list[int]:
    """Return the regions around a box below the root, outermost first."""
    found: list[int] = []
    up = scene.boxes[box].region if box >= 0 else 0
    while up > 0:
        found.append(up)
        up = scene.regions[up].parent
    return found[::-1]


def _unit(scene: Scene, children: list[list[int]], number: int) -> list[int]:
    """Return a region, and for a call its nested graphs with it."""
    return [number, *children[number]] if scene.regions[number].kind == "call" else [number]
