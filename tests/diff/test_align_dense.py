"""Small stacks of equal layers with dense edits: what is paired is right, and few edits leave little undecided."""

from __future__ import annotations

import pytest
from diff.synthetic import Truth, decoder, pair

from graphlens.diff.align import align

KNOWN = {"all": (True, True), "no modules": (False, True), "no names": (True, False), "neither": (False, False)}
SHAPES = ((2, 1), (4, 0), (4, 2), (8, 0), (8, 2), (12, 1))
SEEDS = (101, 102)


def drawn(layers: int, experts: int, share: float, seed: int, known: str) -> Truth:
    """A pair with this share of its nodes edited, at least one of each kind of edit."""
    modules, fqns = KNOWN[known]
    edits = max(1, round(share * len(decoder(layers, experts)) / 4))
    return pair(layers, experts, edits, seed, modules=modules, fqns=fqns)


def judged(truths: list[Truth]) -> tuple[float, float]:
    """Precision and recall over some pairs of programs."""
    right = made = total = 0
    for truth in truths:
        pairs = align(truth.a, truth.b).graphs[0].pairs
        right += sum(truth.mates.get(each.a) == each.b for each in pairs)
        made, total = made + len(pairs), total + len(truth.mates)
    return right / made, right / total


# share of nodes edited, what is known: least precision, least recall
BARS = [
    (0.02, "all", 0.999, 0.999), (0.02, "no modules", 0.999, 0.99), (0.02, "no names", 0.999, 0.98), (0.02, "neither", 0.999, 0.95),
    (0.05, "neither", 0.999, 0.93), (0.1, "all", 0.999, 0.99), (0.15, "neither", 0.998, 0.4),
]  # fmt: skip


@pytest.mark.parametrize(("share", "known", "precision", "recall"), BARS)
def test_what_is_paired_is_right(share, known, precision, recall):
    found = judged([drawn(*shape, share, seed, known) for shape in SHAPES for seed in SEEDS])
    assert found[0] >= precision
    assert found[1] >= recall
