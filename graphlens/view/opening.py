"""Which regions are open at first."""

from __future__ import annotations

from graphlens.view.roles import FOLDED
from graphlens.view.scene import Scene

BUDGET = 150
"""Boxes and closed regions that a first picture shows at most; reading more at once helps nobody."""


def first_open(scene: Scene, depth: int, *, budget: int = BUDGET) -> list[int]:
    """Return the regions to open: all down to a depth, level by level, while the picture stays small.

    Parameters
    ----------
    scene
        What is drawn.
    depth
        0 opens only the root, 1 the regions in it, and so on. A call counts as one level with its nested graphs.
        A root with nothing but one region in it opens that one too.
    budget
        Stop before a region would bring more boxes and regions than this into the picture.
    """
    children: list[list[int]] = [[] for _ in scene.regions]
    direct = _direct_boxes(scene)
    for number, region in enumerate(scene.regions):
        if region.parent >= 0:
            children[region.parent].append(number)
    shown = direct[0] + len(children[0])
    opened, level = [0], children[0]
    if len(level) == 1 and direct[0] <= 3:
        depth += 1
    for _ in range(depth):
        below: list[int] = []
        for number in level:
            inside = _unit(scene, children, number)
            cost = sum(direct[i] + len(children[i]) for i in inside)
            if shown + cost > budget:
                continue
            shown += cost
            opened += inside
            below += [child for i in inside for child in children[i] if child not in inside]
        level = below
    return sorted(opened)


def _unit(scene: Scene, children: list[list[int]], number: int) -> list[int]:
    """Return a region, and for a call its nested graphs with it."""
    return [number, *children[number]] if scene.regions[number].kind == "call" else [number]


def _direct_boxes(scene: Scene) -> list[int]:
    """Count the boxes drawn directly in each region."""
    used = {edge.src for edge in scene.edges}
    counts = [0] * len(scene.regions)
    for number, box in enumerate(scene.boxes):
        if box.role != "call" and not (box.role in FOLDED and number in used):
            counts[box.region] += 1
    return counts
