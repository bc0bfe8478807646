"""Hashes of regions: equal for those that compute the same, up to names and weights, so that one layout serves them all."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from graphlens.view.flow import Edge
from graphlens.view.forms import Form
from graphlens.view.regions import Region, Tree

if TYPE_CHECKING:
    from graphlens.view.scene import Box


def digest(text: str) -> str:
    """Return a short digest of a text."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=6).hexdigest()


def region_hashes(tree: Tree, boxes: Sequence[Box], flow: Sequence[Edge], forms: Sequence[Form]) -> tuple[str, ...]:
    """Hash every region: operators, literals, values and wiring, but no names and no weights."""
    operands: list[list[int]] = [[] for _ in boxes]
    for edge in flow:
        operands[edge.dst].append(edge.src)
    known: dict[tuple[str, str], str] = {}
    texts = []
    for box, form in zip(boxes, forms, strict=True):
        key = (form.template if form.named else f"{form.template} {box.role}", box.sub)
        text = known.get(key)
        if text is None:
            text = known[key] = digest(" ".join(key))
        texts.append(text)
    members = members_of(tree.regions, tree.region_of, tree.calls)
    return tuple(_hash(inside, boxes, operands, texts) for inside in members)


def _hash(inside: Sequence[int], boxes: Sequence[Box], operands: Sequence[Sequence[int]], texts: Sequence[str]) -> str:
    local = {box: f"{i}" for i, box in enumerate(inside)}
    outside: dict[int, str] = {}
    lines = []
    for box in inside:
        wires = [local.get(o) or outside.setdefault(o, f"x{len(outside)} {boxes[o].sub}") for o in operands[box]]
        lines.append(f"{texts[box]}({','.join(wires)})")
    return digest("\n".join(lines))


def members_of(regions: Sequence[Region], region_of: Sequence[int], calls: dict[int, int]) -> list[list[int]]:
    """List the boxes of each region at any depth, in order; the calling node is in its call region too."""
    inside: list[list[int]] = [[] for _ in regions]
    parents = [region.parent for region in regions]
    for box, region in enumerate(region_of):
        if box in calls:
            inside[calls[box]].append(box)
        here = region
        while here >= 0:
            inside[here].append(box)
            here = parents[here]
    return inside


def region_sizes(regions: Sequence[Region], region_of: Sequence[int], calls: dict[int, int]) -> tuple[int, ...]:
    """Count the boxes of each region at any depth; the calling node is in its call region too."""
    sizes = [0] * len(regions)
    for region in region_of:
        sizes[region] += 1
    for number in range(len(regions) - 1, 0, -1):
        sizes[regions[number].parent] += sizes[number]  # a parent precedes its children
    for call in calls.values():
        sizes[call] += 1
    return tuple(sizes)
