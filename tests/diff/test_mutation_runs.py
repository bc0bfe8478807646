"""Random edits of random graphs, judged by running both: what computes something else is never called the same."""

from __future__ import annotations

import random

import pytest
from diff.rewrites import bit_equal, copied, random_graph, rename, results, rewritten

import graphlens as gl

BATCH = 40


@pytest.mark.parametrize("batch", range(6))
def test_what_computes_something_else_is_called_wrong(batch):
    """Views, writes, draws, dead code and all: the proof and the worst severity against bits."""
    compared = 0
    for seed in range(batch * BATCH, (batch + 1) * BATCH):
        rng = random.Random(seed)
        a = random_graph(rng)
        b = rewritten(rng, a)
        pairs = [(results(a, seed), results(b, seed)) for seed in (1, 2)]
        diff = gl.diff(a, b)
        wrong = any(row.severity == "wrong_result" for row in diff.rows)
        assert not (wrong and diff.proof.same), f"{seed}: {diff}"
        if any(one is None or two is None for one, two in pairs):
            continue
        compared += 1
        if not all(bit_equal(one, two) for one, two in pairs):
            assert not diff.ok, f"{seed}: {diff}"
            assert not diff.proof.same, f"{seed}: {diff}"
            assert wrong or diff.proof.level == "unknown", f"{seed}: {diff}"
    assert compared > BATCH / 2


@pytest.mark.parametrize("batch", range(2))
def test_the_same_graph_under_other_names_is_the_same(batch):
    for seed in range(1000 + batch * BATCH, 1000 + (batch + 1) * BATCH):
        rng = random.Random(seed)
        a = random_graph(rng)
        b = copied(a)
        for node in list(b.graph.nodes):
            if node.op == "call_function":
                rename(rng, b.graph, node)
        diff = gl.diff(a, b)
        assert diff.proof.level == "identical", f"{seed}: {diff}"
        assert {row.field for row in diff.rows} <= {"name"}, f"{seed}: {diff}"


def test_what_is_the_same_as_the_same_is_the_same():
    """Two steps of edits: what both steps call the same is the same at once, and its proof says as much."""
    seen = 0
    for seed in range(2000, 2120):
        rng = random.Random(seed)
        a = random_graph(rng)
        b = rewritten(rng, a)
        c = rewritten(rng, b)
        steps = gl.diff(a, b), gl.diff(b, c)
        if all(step.proof.same for step in steps):
            seen += 1
            whole = gl.diff(a, c)
            assert whole.proof.same, f"{seed}: {whole}"
            if all(step.ok for step in steps):
                assert whole.ok
    assert seen > 20


@pytest.mark.parametrize("batch", range(3))
def test_the_other_way_round_is_the_same_diff(batch):
    for seed in range(4000 + batch * BATCH, 4000 + (batch + 1) * BATCH):
        rng = random.Random(seed)
        a = random_graph(rng)
        b = rewritten(rng, a)
        there, back = gl.diff(a, b), gl.diff(b, a)
        assert {(row.node_b, row.node_a) for row in back.node_rows} == {(r.node_a, r.node_b) for r in there.node_rows}
        assert (back.worst, back.proof.level) == (there.worst, there.proof.level), f"{seed}: {there}"
