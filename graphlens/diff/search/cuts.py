"""Groups of what was rewritten: free nodes of both sides that lie between the same matched ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from graphlens.diff.search.evidence import behind, near_operands
from graphlens.diff.search.in_place import rung_between
from graphlens.diff.search.match import Match
from graphlens.diff.search.sites import Free, Sites
from graphlens.diff.search.table import SLOT_BITS, SLOT_MASK, Table, kind_of

_LARGEST = 256


def bundle_cuts(match: Match) -> int:
    """Group free nodes of both sides that lie between the same matched nodes; return how many groups were made.

    A group needs a matched user on both sides that takes the one where the other took the other, and none that takes
    something else there: what came before a layer that is gone, say, was not made from the layer.
    """
    sites = Sites(match)
    apart = {sites.root((0, i)) for i in _passed_by(match.a, sites.nodes[0], match.b, match.mate_a, match.mate_b)}
    apart |= {sites.root((1, j)) for j in _passed_by(match.b, sites.nodes[1], match.a, match.mate_b, match.mate_a)}
    found: dict[Free, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for side, nodes in enumerate(sites.nodes):
        for i in nodes:
            found[sites.root((side, i))][side].append(i)
    made = 0
    for root, (ours, theirs) in found.items():
        notes = ("used by the same rewritten nodes",) if root in sites.shared else ("between the same matched nodes",)
        if len(ours) == len(theirs) == 1 and kind_of(match.a, ours[0]) == kind_of(match.b, theirs[0]):
            if _fed_otherwise(match, ours[0], theirs[0]):
                continue
            made += match.pair(ours[0], theirs[0], rung_between(match, ours[0], theirs[0]), 0.6, notes)
        elif ours and theirs and len(ours) <= _LARGEST and len(theirs) <= _LARGEST and root not in apart:
            size = f"{'1' if len(ours) == 1 else 'n'}:{'1' if len(theirs) == 1 else 'n'}"
            match.bundle(sorted(ours), sorted(theirs), f"group {size}", 0.6, notes)
            made += 1
    return made


def _fed_otherwise(match: Match, i: int, j: int) -> bool:
    """Whether two calls of different functions have no operand in common: one was taken out, the other put in."""
    ours, theirs = match.a.operands[i], match.b.operands[j]
    if match.a.nodes[i].target == match.b.nodes[j].target or not (ours and theirs):
        return False
    if all(match.mate_a[x] < 0 for x in ours) and all(match.mate_b[y] < 0 for y in theirs):
        return False  # nothing is known of what they are called on
    if any(match.mate_a[x] in theirs for x in ours) or near_operands(match, i, j):
        return False
    return not any(behind(match, x, y) for x, y in zip(ours, theirs, strict=False))


def rewritten_with(match: Match, sites: Sites, ours: list[int], theirs: list[int]) -> bool:
    """Whether nodes that nothing else tells apart lie in several places that were rewritten, in each as many of either side."""
    counts: dict[Free, list[int]] = defaultdict(lambda: [0, 0])
    for side, nodes in enumerate((ours, theirs)):
        for i in nodes:
            if (side, i) not in sites.above:
                return False
            counts[sites.root((side, i))][side] += 1
    return len(counts) > 1 and all(x == y and _rewritten(match, sites.members[root]) for root, (x, y) in counts.items())


def _rewritten(match: Match, members: list[Free]) -> bool:
    """Whether the two sides of a site call different functions."""
    keys = [
        sorted(table.key[i] for each, i in members if each == side) for side, table in enumerate((match.a, match.b))
    ]
    return all(0 < len(each) <= _LARGEST for each in keys) and keys[0] != keys[1]


def _passed_by(here: Table, nodes: list[int], there: Table, mate: list[int], back: list[int]) -> Iterator[int]:
    """Yield the nodes in whose place a matched user takes a matched node on the other side."""
    for i in nodes:
        for use in here.users[i]:
            user, slot = use >> SLOT_BITS, use & SLOT_MASK
            operands = there.operands[mate[user]] if mate[user] >= 0 and not here.commutative[user] else []
            if len(operands) == len(here.operands[user]) and back[operands[slot]] >= 0:
                yield i
