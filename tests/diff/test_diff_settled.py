"""Nodes that nothing tells apart: same where the checker accepts a choice, a wrong result where it accepts none."""

from __future__ import annotations

import random
from collections import defaultdict

import pytest
from diff.edits import scramble
from diff.peers import written
from msgspec.structs import replace

from graphlens.diff.align import align
from graphlens.diff.alignment import Alignment, Ambiguous
from graphlens.diff.comparison import compare
from graphlens.diff.settled import settle
from graphlens.diff.verify import check
from graphlens.program.program import Program

TWO = """x = input
y = input
p1 = sin(x)
p2 = sin(x)
q1 = cos(p1)
q2 = cos(p2)
r1 = sub.Tensor(q1, p1)
r2 = sub.Tensor(q2, p2)
u1 = mul.Tensor(q1, r1)
u2 = mul.Tensor(q2, r2)
v = sub.Tensor(u1, y)
w = sub.Tensor(y, u2)
return v, w"""


def undecided(a: Program, b: Program) -> Alignment:
    """Align inputs and output only; of all calls of one target it is said that nothing tells them apart."""
    alignment = align(a, b)
    (graph,) = alignment.graphs
    classes: list[dict[str, list[str]]] = [defaultdict(list), defaultdict(list)]
    for found, program in zip(classes, (a, b), strict=True):
        for node in program.graph.nodes:
            if node.op == "call_function":
                found[node.target].append(node.name)
    unclear = tuple(
        Ambiguous(a=tuple(classes[0][t]), b=tuple(classes[1][t]), reason="alike") for t in sorted({*classes[0]} & {*classes[1]})
    )  # fmt: skip
    calls = {name for entry in unclear for name in entry.a}
    kept = tuple(pair for pair in graph.pairs if pair.a not in calls)
    return replace(alignment, graphs=(replace(graph, pairs=kept, ambiguous=unclear, only_a=(), only_b=()),))


@pytest.mark.parametrize("seed", range(8))
def test_a_real_symmetry_is_the_same(seed):
    a = written(TWO)
    b = scramble(a, random.Random(seed))
    for one, two in ((a, b), (b, a)):
        alignment, checked = settle(one, two, undecided(one, two), lambda each, x=one, y=two: check(x, y, each))
        assert not alignment.graphs[0].ambiguous
        assert checked.proof.same, str(checked.proof)


EDITS = [
    ("r2 = sub.Tensor(q2, p2)", "r2 = sub.Tensor(p2, q2)"),
    ("u2 = mul.Tensor(q2, r2)", "u2 = mul.Tensor(p2, r2)"),
    ("q2 = cos(p2)", "q2 = cos(x)"),
    ("w = sub.Tensor(y, u2)", "w = sub.Tensor(u2, y)"),
]


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_among_them_is_never_settled(edit):
    a = written(TWO)
    b = scramble(written(TWO.replace(*edit)), random.Random(1))
    alignment, checked = settle(a, b, undecided(a, b), lambda each: check(a, b, each))
    assert not checked.proof.same
    assert all(entry.differs for entry in alignment.graphs[0].ambiguous)
    assert alignment.graphs[0].ambiguous or checked.proof.level == "different"


def test_one_computed_once_more_is_settled_by_the_rule_of_duplicates():
    a = written(TWO)
    b = scramble(written(TWO.replace("p2 = sin(x)\n", "").replace("p2", "p1")), random.Random(2))
    alignment, checked = settle(a, b, undecided(a, b), lambda each: check(a, b, each))
    assert not alignment.graphs[0].ambiguous
    assert checked.proof.rules["merged duplicates"] >= 1


def test_an_edit_that_hides_in_as_many_on_both_sides_is_a_wrong_result():
    """Three of the results are computed from something else, and there are four `cos` that might be any of four."""
    head = "x = input\ny = input\ns = sub.Tensor(x, x)\nm = mul.Tensor(x, x)\n"
    results = "\nreturn y, s, m, c1, c2, c3, c4, c5, c6, t"
    same = "c1 = cos(x)\nc2 = cos(x)\nc3 = cos(x)\nc4 = cos(x)\nc5 = cos(x)\nc6 = cos(x)\nt = add.Tensor(c2, c6)"
    other = same.replace("c2 = cos(x)", "c2 = cos(c1)").replace("c4 = cos(x)", "c4 = cos(m)").replace(
        "c5 = cos(x)", "c5 = cos(y)"
    )  # fmt: skip
    a, b = written(head + same + results), scramble(written(head + other + results), random.Random(3))
    for diff in (compare(a, b), compare(b, a)):
        assert diff.proof.level == "different"
        assert diff.worst == "wrong_result", str(diff)
