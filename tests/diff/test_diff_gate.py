"""What a gate on wrong results must not pass: programs that compute something else, whatever harmless differences stand beside."""

from __future__ import annotations

import pytest
from diff.peers import written

from graphlens.diff.comparison import compare

HEAD = "x = input\nz = input\np = sin(x)\nq = cos(z)\n"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("u = tanh(p)\nreturn u, q, p", "c = clone(q)\nu = tanh(c)\nreturn u, q, p"),
        ("u = tanh(p)\nreturn u, q, p", "c = clone(q)\nu = tanh(p)\nreturn u, q, c"),
        ("u = view(p, [16])\nreturn u, q, p", "c = view(q, [2, 8])\nu = view(c, [16])\nreturn u, q, p"),
        ("u = tanh(p)\nreturn u, q, p", "c = cos(z)\nu = tanh(c)\nreturn u, q, p"),
        ("u = cat([p, q])\nreturn u, q, p", "c = cos(z)\nu = cat([p, q, c])\nreturn u, q, p"),
        ("u = tanh(p)\nreturn u, q, p", "y = input\nu = tanh(y)\nreturn u, q, p"),
    ],
)
def test_an_operand_that_is_another_is_a_wrong_result_beside_a_harmless_node(ours, theirs):
    """A copy or a duplicate that only one side has is harmless; computing on it what was computed on something else is not."""
    a, b = written(HEAD + ours), written(HEAD + theirs)
    for diff in (compare(a, b), compare(b, a)):
        assert diff.proof.level == "different"
        assert diff.worst == "wrong_result", str(diff)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("u = tanh(p)\nreturn u, q, p", "c = clone(p)\nu = tanh(c)\nreturn u, q, p"),
        ("u = view(p, [16])\nreturn u, q, p", "c = view(p, [2, 8])\nu = view(c, [16])\nreturn u, q, p"),
        ("u = tanh(p)\nreturn u, q, p", "c = sin(x)\nu = tanh(c)\nreturn u, q, p"),
    ],
)
def test_the_same_value_after_a_harmless_node_is_no_wrong_result(ours, theirs):
    a, b = written(HEAD + ours), written(HEAD + theirs)
    for diff in (compare(a, b), compare(b, a)):
        assert diff.rows
        assert diff.worst != "wrong_result", str(diff)
