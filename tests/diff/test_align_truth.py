"""The alignment against what is known to be true, on decoders of equal layers with known edits."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from diff.synthetic import Builder, Draft, Truth, _layer, _norm, names_for, pair, program, shuffled
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphlens.diff import compare
from graphlens.diff.align import align
from graphlens.diff.alignment import GraphAlignment
from graphlens.errors import DiffError

KNOWN = [(True, True), (False, True), (True, False), (False, False)]
IDS = ["all", "no modules", "no names", "neither"]


def judged(truth: Truth) -> tuple[int, int, GraphAlignment]:
    """How many pairs are right, how many wrong."""
    graph = align(truth.a, truth.b).graphs[0]
    right = sum(truth.mates.get(each.a) == each.b for each in graph.pairs)
    return right, len(graph.pairs) - right, graph


def complete(truth: Truth, graph: GraphAlignment) -> None:
    """Every node of either side stands in exactly one place."""
    bundles = (*graph.groups, *graph.ambiguous)
    ours = [*(p.a for p in graph.pairs), *(n for each in bundles for n in each.a), *graph.only_a]
    theirs = [*(p.b for p in graph.pairs), *(n for each in bundles for n in each.b), *graph.only_b]
    assert sorted(ours) == sorted(n.name for n in truth.a.graph.nodes)
    assert sorted(theirs) == sorted(n.name for n in truth.b.graph.nodes)


@pytest.mark.parametrize(("modules", "fqns"), KNOWN, ids=IDS)
@pytest.mark.parametrize("seed", [0, 1])
def test_known_edits_in_a_large_decoder(modules, fqns, seed):
    truth = pair(16, 16, 8, seed, modules=modules, fqns=fqns)
    right, wrong, graph = judged(truth)
    assert wrong <= 0.001 * (right + wrong)
    assert right >= (0.999 if modules and fqns else 0.97) * len(truth.mates)
    complete(truth, graph)


@pytest.mark.parametrize(("modules", "fqns"), KNOWN, ids=IDS)
def test_nothing_but_names_and_order(modules, fqns):
    truth = pair(8, 8, 0, 3, modules=modules, fqns=fqns)
    _, wrong, _ = judged(truth)
    assert wrong == 0


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10_000), st.integers(0, 4))
def test_edits_at_random(seed, edits):
    truth = pair(8, 6, edits, seed)
    right, wrong, graph = judged(truth)
    assert wrong <= 0.001 * (right + wrong) + 1
    assert right >= 0.997 * len(truth.mates)
    complete(truth, graph)


def turned(graph: GraphAlignment) -> tuple[set, set, set, set, set]:
    return (
        {(p.b, p.a, p.match, p.confidence) for p in graph.pairs},
        {(frozenset(g.b), frozenset(g.a)) for g in graph.groups},
        {(frozenset(g.b), frozenset(g.a)) for g in graph.ambiguous},
        set(graph.only_b),
        set(graph.only_a),
    )


def straight(graph: GraphAlignment) -> tuple[set, set, set, set, set]:
    return (
        {(p.a, p.b, p.match, p.confidence) for p in graph.pairs},
        {(frozenset(g.a), frozenset(g.b)) for g in graph.groups},
        {(frozenset(g.a), frozenset(g.b)) for g in graph.ambiguous},
        set(graph.only_a),
        set(graph.only_b),
    )


@pytest.mark.parametrize(("modules", "fqns"), KNOWN, ids=IDS)
def test_the_mirror_image(modules, fqns):
    truth = pair(6, 4, 3, 5, modules=modules, fqns=fqns)
    there, back = align(truth.a, truth.b).graphs[0], align(truth.b, truth.a).graphs[0]
    assert straight(there) == turned(back)


SCRIPT = """
import sys
from diff.synthetic import pair
from msgspec import json
from graphlens.diff.align import align
for modules, fqns in ((True, True), (False, False)):
    truth = pair(4, 3, 4, 2, modules=modules, fqns=fqns)
    sys.stdout.write(json.encode(align(truth.a, truth.b)).decode())
"""


def test_the_same_in_every_process():
    tests = Path(__file__).parents[1]
    found = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join([str(tests), *sys.path])},
        ).stdout
        for seed in ("0", "1", "77")
    }
    assert len(found) == 1
    assert len(found.pop()) > 1000


def stack(layers: list[int]) -> tuple[list[Draft], list[tuple[int, int]]]:
    """Equal layers with nothing in them that tells them apart; each draft with its layer and its place there."""
    build = Builder()
    x = build.add("aten.embedding.default", build.add("x", op="placeholder"))
    tags = [(-1, 0), (-1, 1)]
    for layer in layers:
        start = len(build.drafts)
        normed = _norm(build, x, f"layers.{layer}.norm")
        build.module = f"layers.{layer}"
        parts = [build.linear(normed, f"layers.{layer}.{part}") for part in ("q", "k")]
        x = build.add("aten.add.Tensor", x, build.linear(build.add("aten.matmul.default", *parts), f"layers.{layer}.o"))
        tags += [(layer, at) for at in range(len(build.drafts) - start)]
    build.module = ""
    build.add("output", build.add("aten.tanh.default", x), op="output")
    return build.drafts, [*tags, (-2, 0), (-2, 1)]


def without(count: int, gone: int, **known: bool) -> Truth:
    rng = random.Random(0)
    (ours, tags_a), (theirs, tags_b) = stack(list(range(count))), stack([i for i in range(count) if i != gone])
    names_a, names_b = names_for(len(ours), "n", rng), names_for(len(theirs), "m", rng)
    a = program(ours, shuffled(ours, set(), rng), names_a, **known)
    b = program(theirs, shuffled(theirs, set(), rng), names_b, **known)
    where = {tag: names_b[j] for j, tag in enumerate(tags_b)}
    return Truth(a, b, {names_a[i]: where[tag] for i, tag in enumerate(tags_a) if tag in where})


@pytest.mark.parametrize("fqns", [True, False])
def test_one_layer_of_24_is_gone_and_modules_tell(fqns):
    _, wrong, graph = judged(without(24, 12, modules=True, fqns=fqns))
    assert wrong == 0
    assert len(graph.only_a) == 15
    assert not graph.only_b


def test_one_layer_of_24_is_gone_and_nothing_tells():
    """Which one cannot be known: the stack is ambiguous, and not shifted by one."""
    truth = without(24, 12, modules=False, fqns=False)
    _, wrong, graph = judged(truth)
    assert wrong == 0
    assert graph.ambiguous
    complete(truth, graph)
    back = align(truth.b, truth.a).graphs[0]
    assert straight(graph)[2] == turned(back)[2]


@pytest.mark.parametrize("gone", [0, 2, 5])
@pytest.mark.parametrize("experts", [1, 2])
def test_one_layer_of_few_is_gone_and_nothing_tells(gone, experts):
    """In a small graph too no pair is shifted: what could be another layer is ambiguous, with that other as candidate."""
    truth = layers([0, 1, 2, 3, 4, 5], [i for i in range(6) if i != gone], experts, modules=False, fqns=False)
    _, wrong, graph = judged(truth)
    assert wrong <= 5  # what a layer starts with is computed from the same, in the removed one and in the next
    complete(truth, graph)
    undecided = {name: entry for entry in graph.ambiguous for name in entry.a}
    assert len(undecided) > 0.9 * len(truth.a.graph.nodes)
    for mine, theirs in truth.mates.items():
        assert mine not in undecided or theirs in undecided[mine].b
    assert len({name for entry in graph.ambiguous for name in entry.b}) <= len(truth.b.graph.nodes)


def test_a_layer_that_is_gone_is_a_wrong_result_also_where_nobody_knows_which():
    """A gate must not pass what lost a layer: one side has more calls of a kind, whichever of them they are."""
    truth = layers([0, 1, 2, 3, 4, 5], [0, 1, 3, 4, 5], 2, modules=False, fqns=False)
    for diff, more in ((compare(truth.a, truth.b), "6"), (compare(truth.b, truth.a), "5")):
        rows = [row for row in diff.rows if row.kind == "ambiguous"]
        calls = [row for row in rows if row.aspect == "uneven"]
        assert len(calls) > 20
        assert {row.severity for row in calls} == {"wrong_result"}
        assert {len(row.value_a) for row in calls} <= {int(more), 2 * int(more)}
        assert diff.worst == "wrong_result"
        text = str(diff)
        assert len(text.splitlines()) < 12
        assert "there are not as many of them" in diff.verdict
        assert f"is not decided, in {len(calls)} classes" in text


def test_equal_layers_that_changed_places_are_undecided_and_no_more():
    """As many on both sides: a difference may hide there, and nobody says that one does."""
    ids = list(range(6))
    truth = layers(ids, ids, 2, modules=False, fqns=False)
    assert not [row for row in compare(truth.a, truth.b).rows if row.aspect == "uneven"]


def test_one_layer_of_few_is_gone_and_names_or_modules_tell():
    for known in ({"modules": True, "fqns": False}, {"modules": False, "fqns": True}):
        truth = layers(list(range(6)), [0, 1, 3, 4, 5], 2, **known)
        right, wrong, _ = judged(truth)
        assert wrong <= 5
        assert right >= 0.97 * len(truth.mates)


@pytest.mark.parametrize("count", [3, 8])
def test_as_many_equal_layers_are_all_matched(count):
    """Nothing is gone, so that counting from either end says the same: no layer is ambiguous."""
    ids = list(range(count))
    right, wrong, graph = judged(layers(ids, ids, 2, modules=False, fqns=False))
    assert (wrong, graph.ambiguous) == (0, ())
    assert right == len(graph.pairs)
    assert not graph.only_a


def test_dense_edits_in_equal_layers_shift_nothing():
    """One node in 26 edited, and nothing that tells layers or experts apart: pairs are right or not made."""
    right = wrong = total = 0
    for seed, (count, experts, edits) in enumerate(
        [(16, 4, 20), (16, 1, 10), (8, 4, 5), (4, 2, 5), (6, 1, 3), (16, 4, 20)]
    ):
        truth = pair(count, experts, edits, seed, modules=False, fqns=False)
        found = judged(truth)
        right, wrong, total = right + found[0], wrong + found[1], total + len(truth.mates)
        assert found[1] <= 0.003 * len(found[2].pairs) + 1
    assert wrong <= 0.001 * (right + wrong)
    assert right >= 0.7 * total


@pytest.mark.parametrize(("count", "edits", "seed"), [(16, 80, 1), (24, 80, 1)])
def test_no_layer_is_shifted_where_every_seventh_node_is_edited(count, edits, seed):
    """What the edits around it leave no footing is ambiguous: of the rest as good as all is right, and that is not little."""
    truth = pair(count, 4, edits, seed, modules=False, fqns=False)
    right, wrong, graph = judged(truth)
    assert wrong <= 2
    assert right >= 0.3 * len(truth.mates)
    assert right + sum(len(each.a) for each in graph.ambiguous) > 0.9 * len(truth.mates)
    complete(truth, graph)


def layers(ours: list[int], theirs: list[int], experts: int, **known: bool) -> Truth:
    """Decoders of some layers of one stack, every node renamed and in random order."""
    rng = random.Random(7)
    sides = []
    for prefix, ids in (("n", ours), ("m", theirs)):
        build = Builder()
        x = build.add("x", op="placeholder")
        tags = [(-1, 0)]
        for layer in ids:
            start = len(build.drafts)
            x = _layer(build, x, f"layers.{layer}", experts)
            tags += [(layer, at) for at in range(len(build.drafts) - start)]
        build.module = ""
        build.add("output", x, op="output")
        names = names_for(len(build.drafts), prefix, rng)
        order = shuffled(build.drafts, set(), rng)
        tags.append((-2, 0))
        sides.append((program(build.drafts, order, names, **known), {tag: names[i] for i, tag in enumerate(tags)}))
    (a, in_a), (b, in_b) = sides
    return Truth(a, b, {name: in_b[tag] for tag, name in in_a.items() if tag in in_b})


def small() -> Truth:
    return pair(1, 2, 0, 0, rename=False)


def test_a_pin_comes_first():
    truth = small()
    experts = [n for n in truth.a.graph.nodes if n.target == "aten.sigmoid.default"]
    (x, y) = (node.name for node in experts)
    assert {p.a: p.b for p in align(truth.a, truth.b).graphs[0].pairs}[x] == x
    pinned = {p.a: p for p in align(truth.a, truth.b, pins=[(x, y)]).graphs[0].pairs}
    assert (pinned[x].b, pinned[x].match, pinned[x].confidence) == (y, "pinned", 1.0)
    assert pinned.get(y) is None or pinned[y].b != y


@pytest.mark.parametrize("pins", [
    [("nobody", "nobody")], [("cond.true_fn/add", "n0")], [("x", "y", "z")], ["ab"],
])  # fmt: skip
def test_a_pin_that_says_nothing(pins):
    truth = small()
    with pytest.raises(DiffError, match="pin"):
        align(truth.a, truth.b, pins=pins)


def test_pins_that_contradict():
    truth = small()
    x, y = (n.name for n in truth.a.graph.nodes if n.target == "aten.sigmoid.default")
    with pytest.raises(DiffError, match="contradicts"):
        align(truth.a, truth.b, pins=[(x, x), (x, y)])
