"""What a gate on wrong results must not pass: programs that compute something else, whatever harmless differences stand beside."""

from __future__ import annotations

import pytest
from diff.peers import written
from msgspec.structs import replace

import graphlens as gl
from graphlens.diff.align import align
from graphlens.diff.comparison import compare
from graphlens.diff.verify import verify
from graphlens.errors import DiffError
from graphlens.program.frozen import freeze
from graphlens.program.graph import Graph

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


def test_two_nodes_of_one_name_are_refused():
    """Only a program made by hand has them; neither the comparison nor the checker can tell which of them is meant."""
    text = "x = input\na = sin(x)\nb = cos(a)\nreturn b"
    good = written(text)
    first, one, other, output = good.graph.nodes
    bad = replace(good, graphs=freeze({"": Graph((first, one, replace(other, name="a"), output))}))
    for a, b in ((bad, bad), (good, bad), (bad, good)):
        with pytest.raises(DiffError, match=r"two nodes of the name 'a' in graph ''"):
            compare(a, b)
        proof = verify(a, b, align(a, b))
        assert proof.level == "different"
        assert any("two nodes of one name" in refusal.message for refusal in proof.refusals)


def test_what_shares_storage_follows_from_the_call_that_made_what_is_written():
    """Without `c` another tensor is written, so that all that read it see the write: one root, not one for every reader."""
    text = "x = input\nc = cos(x)\nd = add_.Tensor({}, 1)\ne = sin(x)\nf = view(x, [16])\ng = exp(f)\nreturn d, e, g"
    a, b = written(text.format("c")), written(text.format("x").replace("c = cos(x)\n", ""))
    for one, two in ((a, b), (b, a)):
        diff = compare(one, two)
        orders = [row for row in diff.rows if row.field == "order"]
        assert len(orders) == 3
        assert {(row.cause, row.inherited_from) for row in orders} == {("inherited", "c")}
        assert [(row.node, row.severity) for row in diff.rows if row.cause == "root"] == [("c", "wrong_result")]


def test_what_followed_from_a_row_that_is_left_out_is_still_told():
    """Ignoring a call that one side has says nothing of those that compute on it, whatever harmless rows are beside them."""
    a = written(HEAD + "u = tanh(p)\nw = exp(u)\nreturn w, q, p")
    b = written(HEAD + "c = erf(p)\nv = tanh(c)\nw = exp(v)\nreturn w, q, p")
    for ignore in (["target"], ["target", "name"]):
        diff = compare(a, b, ignore=ignore)
        assert diff.worst == "wrong_result"
        assert [row.field for row in diff.rows if row.cause == "root" and row.severity == "wrong_result"] == ["args"]
    assert compare(a, b).only("args", "name").worst == "wrong_result"
    assert not compare(a, b, ignore=["target"]).ok


def test_a_verdict_after_leaving_rows_out_never_calls_the_programs_the_same():
    a, b = written(HEAD + "u = tanh(p)\nreturn u, q, p"), written(HEAD + "v = tanh(q)\nreturn v, q, p")
    diff = compare(a, b, ignore=["args"])
    assert diff.worst == "cosmetic"
    assert "all of it compared: different in 1 place at u (self: p and q are not a pair)" in diff.verdict
    many = gl.diff_many([a, b, a], ignore=["args", "name"])
    assert many.ok
    assert "the same" not in many.verdict
    assert "ignoring 2 rows; different in 1 place at u (self: p and q are not a pair)" in many.verdict
    assert gl.diff_many([a, a]).verdict.startswith("all 2 programs are the same")
