"""Which links are named at their head ("↑ cos") rather than drawn as lines.

A value that many far members use, such as a mask that goes into each of 126 layers, would be a bundle of lines through
the whole drawing, and Graphviz's work grows with the ranks that lines span.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from graphlens.view.draw.lift import BORDER, Entity, Link, RegionGraph
from graphlens.view.draw.walk import Walk

FAR = 5
MANY = 4
BUDGET = 3000


class Tag(Struct, frozen=True):
    """A value that a member or port uses without a line; `at` is the member that makes it, or BORDER for a port."""

    at: Entity
    values: tuple[int, ...]


class Thinned(Struct, frozen=True):
    """The links that are lines, how many ranks each spans, and the tags by head: `(entity, port)`."""

    links: tuple[Link, ...]
    spans: tuple[int, ...]
    tags: dict[tuple[Entity, int], list[Tag]]


def thin(walk: Walk, graph: RegionGraph) -> Thinned:
    """Decide for one region which links are lines and which are tags."""
    links = list(graph.links.values())
    rank = _ranks(walk, graph, links)
    spans = [0 if link.head.at == BORDER else rank(link.head.at) - rank(link.tail.at) for link in links]
    named: set[int] = set()
    for group in _by_maker(links):
        if sum(spans[i] >= FAR for i in group) >= MANY:
            named.update(i for i in group if spans[i] > 1)
    left = [i for i in range(len(links)) if i not in named]
    cost = sum(max(0, spans[i]) for i in left)
    for i in sorted(left, key=lambda i: -spans[i]):
        if cost <= BUDGET or spans[i] < FAR:
            break
        named.add(i)
        cost -= spans[i]
    tags: dict[tuple[Entity, int], list[Tag]] = {}
    for i in sorted(named):
        link = links[i]
        tags.setdefault((link.head.at, link.head.port), []).append(Tag(link.tail.at, tuple(link.values)))
    kept = [i for i in range(len(links)) if i not in named]
    return Thinned(tuple(links[i] for i in kept), tuple(spans[i] for i in kept), tags)


def _by_maker(links: Sequence[Link]) -> list[list[int]]:
    groups: dict[tuple[Entity, int], list[int]] = {}
    for i, link in enumerate(links):
        if link.head.at != BORDER:
            groups.setdefault((link.tail.at, link.tail.port), []).append(i)
    return list(groups.values())


def _ranks(walk: Walk, graph: RegionGraph, links: Sequence[Link]) -> Callable[[Entity], int]:
    """Rank the members by longest path; the border is 0. Links against the program's order are left out."""
    found = {BORDER: 0, **dict.fromkeys(graph.members, 1)}
    forward = [
        link
        for link in links
        if link.head.at != BORDER and (link.tail.at == BORDER or walk.order(link.tail.at) < walk.order(link.head.at))
    ]
    for link in sorted(forward, key=lambda link: walk.order(link.head.at)):
        found[link.head.at] = max(found.get(link.head.at, 0), found.get(link.tail.at, 0) + 1)
    return lambda entity: found.get(entity, 0)
