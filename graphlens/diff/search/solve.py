"""Match one pair of graphs: strongest evidence first, each step on what the steps before left over."""

from __future__ import annotations

from collections import defaultdict

from graphlens.diff.search.intern import Interner
from graphlens.diff.search.keys import BARE, SIZES
from graphlens.diff.search.match import Match
from graphlens.diff.search.merkle import down_numbers, unique_pairs, up_numbers
from graphlens.diff.search.propagate import ONE, TWO, propagate
from graphlens.diff.search.table import Table, weaker_key


def solve(match: Match, intern: Interner) -> None:
    """Extend a match that holds the anchors as far as evidence goes."""
    keys = (match.a.key, match.b.key)
    merkle_step(match, intern)
    if match.complete():
        return
    propagate(match, keys, list(match.order), TWO, "propagated")
    name_step(match)
    propagate(match, keys, list(match.order), ONE, "propagated")
    for rung, label in ((SIZES, " up to sizes"), (BARE, " up to literals")):
        weaker = (_weaker(match.a, match.mate_a, rung, intern), _weaker(match.b, match.mate_b, rung, intern))
        propagate(match, weaker, list(match.order), TWO, "propagated" + label)
        propagate(match, keys, list(match.order), ONE, "propagated")


def _weaker(table: Table, mate: list[int], rung: int, intern: Interner) -> list[int]:
    return [-1 if j >= 0 else weaker_key(table, i, rung, intern) for i, j in enumerate(mate)]


def merkle_step(match: Match, intern: Interner) -> None:
    """Pair nodes that compute the same from what is matched, and of which the same is computed."""
    anchor_a, anchor_b = match.anchors()
    up_a, up_b = up_numbers(match.a, anchor_a, intern), up_numbers(match.b, anchor_b, intern)
    down_a, down_b = down_numbers(match.a, anchor_a, intern), down_numbers(match.b, anchor_b, intern)
    both_a: dict[tuple[int, int], list[int]] = defaultdict(list)
    both_b: dict[tuple[int, int], list[int]] = defaultdict(list)
    for numbers, up, down, mate, twin in (
        (both_a, up_a, down_a, match.mate_a, match.a.twin),
        (both_b, up_b, down_b, match.mate_b, match.b.twin),
    ):
        for i, key in enumerate(zip(up, down, strict=True)):
            if mate[i] < 0 and i not in twin:
                numbers[key].append(i)
    for key, left in both_a.items():
        right = both_b.get(key, ())
        if len(left) == len(right) == 1:
            match.pair(left[0], right[0], "same", 1.0)
        elif len(left) == len(right) and all(match.a.effect[i] for i in left):
            for i, j in zip(left, right, strict=True):
                match.pair(i, j, "same", 0.95)
        elif len(left) == len(right) and not any(match.a.effect[i] for i in left):
            for i, j in zip(left, right, strict=True):
                match.pair(i, j, "symmetric", 0.9)
    free_a = [None if match.mate_a[i] >= 0 or i in match.a.twin else number for i, number in enumerate(up_a)]
    free_b = [None if match.mate_b[i] >= 0 or i in match.b.twin else number for i, number in enumerate(up_b)]
    for i, j in unique_pairs(free_a, free_b):
        match.pair(i, j, "same", 0.98)
    for first, second in match.a.twin.items():
        other = match.mate_a[first]
        for j, of in match.b.twin.items():
            if match.mate_a[second] == of and match.mate_b[j] < 0:
                match.pair(first, j, "same", 1.0)
        del other


def name_step(match: Match) -> None:
    """Pair nodes of one name and a compatible operator."""
    for i, node in enumerate(match.a.nodes):
        if match.mate_a[i] < 0:
            j = match.b.index.get(node.name, -1)
            if j >= 0 and match.mate_b[j] < 0 and _compatible(match, i, j):
                match.pair(i, j, "name", 0.8)


def _compatible(match: Match, i: int, j: int) -> bool:
    left, right = match.a.nodes[i], match.b.nodes[j]
    if left.op != right.op:
        return False
    return left.op != "call_function" or _packet(left.target) == _packet(right.target)


def _packet(target: str) -> str:
    head, _, overload = target.rpartition(".")
    return head.rstrip("_") if target.count(".") >= 2 and overload else target
