"""Operands moved from a node to another that computes the same: proved by the rule of duplicates, and by nothing less."""

from __future__ import annotations

import random

import pytest
from diff.edits import scramble
from diff.peers import without_modules, written

from graphlens.diff.comparison import compare

TWO = """x = input
y = input
a = arange(4)
u = view(a, [4, 1])
b = arange(4)
v = view(b, [4, 1])
p = add.Tensor(x, u)
q = mul.Tensor(p, v)
r = sub.Tensor(q, u)
s = sub.Tensor(v, r)
return s"""
MOVED = [
    [("r = sub.Tensor(q, u)", "r = sub.Tensor(q, v)")],
    [("r = sub.Tensor(q, u)", "r = sub.Tensor(q, v)"), ("q = mul.Tensor(p, v)", "q = mul.Tensor(p, u)")],
    [("view(b", "view(a")],
    [("s = sub.Tensor(v, r)", "s = sub.Tensor(u, r)")],
    [("s = sub.Tensor(v, r)", "s = sub.Tensor(u, r)"), ("q = mul.Tensor(p, v)", "q = mul.Tensor(p, u)")],
]


@pytest.mark.parametrize("moves", MOVED)
@pytest.mark.parametrize("renamed", [False, True])
def test_an_operand_moved_to_what_computes_the_same(moves, renamed):
    text = TWO
    for old, new in moves:
        assert old in text
        text = text.replace(old, new)
    a, b = without_modules(written(TWO)), without_modules(written(text))
    if renamed:
        b = scramble(b, random.Random(5))
    for diff in (compare(a, b), compare(b, a)):
        assert diff.proof.same, str(diff)
        assert renamed or diff.proof.rules["merged duplicates"] >= 1
        assert diff.worst in (None, "cosmetic"), str(diff)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("b = arange(4)", "b = arange(5)"),
        ("b = arange(4)", "b = arange(4.0)"),
        ("v = view(b, [4, 1])", "v = view(b, [1, 4])"),
        ("b = arange(4)", "b = rand([4])"),
        ("b = arange(4)", "b = empty.memory_format([4])"),
        ("a = arange(4)\nu = view(a", "a = rand([4])\nu = view(a"),
        ("b = arange(4)", "b = sin(x)"),
        ("return s", "w = add_.Tensor(v, y)\nreturn s, w"),
        ("p = add.Tensor(x, u)", "w = add_.Tensor(a, y)\np = add.Tensor(x, u)"),
        ("return s", "return s, u, v"),
    ],
)
def test_an_operand_moved_to_what_may_compute_something_else(old, new):
    """Other literals, draws, memory that holds anything, a write to one of both, both among the results."""
    assert old in TWO
    text = TWO.replace(old, new)
    other = text.replace("r = sub.Tensor(q, u)", "r = sub.Tensor(q, v)")
    for one, two in ((text, other), (other, text)):
        diff = compare(written(one), written(two))
        assert diff.proof.level == "different", str(diff)
        assert diff.worst == "wrong_result", str(diff)


def test_long_chains_that_are_one_place_off_take_no_long_time():
    """Each operand is the one before its partner's: equal at no place, however far back one looks."""
    chain = "\n".join(f"n{i} = sin(n{i - 1})" for i in range(1, 400))
    reads = "\n".join(f"m{i} = sub.Tensor(y, n{i})" for i in range(1, 399))
    results = "return " + ", ".join(f"m{i}" for i in range(1, 399))
    head = "n0 = input\ny = input\n" + chain + "\n"
    off = "\n".join(f"m{i} = sub.Tensor(y, n{i + 1})" for i in range(1, 399))
    diff = compare(written(head + reads + "\n" + results), written(head + off + "\n" + results))
    assert diff.proof.level == "different"
    assert diff.worst == "wrong_result"
