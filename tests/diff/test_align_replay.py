"""Layers that are edited alike are aligned once: each gets the answer of the first, which is the answer without that."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import partial

import pytest
from diff import models, surgery, synthetic
from diff.edits import scramble
from diff.synthetic import Builder, Draft, names_for, shuffled, survivor

from graphlens.diff import Diff, compare
from graphlens.diff.search import solve
from graphlens.diff.search.replay import replay_step
from graphlens.program.program import Program
from graphlens.read import read

pytestmark = pytest.mark.filterwarnings("ignore")

LAYERS = 5
EACH = ("aten.tanh.default", "aten.erf.default", "aten.sigmoid.default")


def rows(diff: Diff):
    return {(row.graph, row.node_a, row.node_b) for row in diff.node_rows}


def evidence(diff: Diff):
    return {(row.node_a, row.node_b): (row.match, row.confidence) for row in diff.node_rows}


def replayed(diff: Diff):
    return [row for row in diff.node_rows if row.match.startswith("replayed")]


def without_replay(monkeypatch, a: Program, b: Program, **options) -> Diff:
    """Search every one of the equal pockets by itself."""
    with monkeypatch.context() as patch:
        patch.setattr(solve, "replay_step", partial(replay_step, again=True))
        return compare(a, b, **options)


def in_one(monkeypatch, a: Program, b: Program) -> Diff:
    """Search everything together, as if no two pockets were equal."""
    with monkeypatch.context() as patch:
        patch.setattr(solve, "replay_step", lambda *args: args[-1]())
        return compare(a, b)


def answers(a: Program, b: Program, diff: Diff) -> list[Counter]:
    """For each layer, what became of its nodes, told without names."""
    found: dict[str, Counter] = defaultdict(Counter)
    for row in diff.node_rows:
        if row.graph:
            continue
        nodes = [
            [g.graphs[""][name] for name in text.split(", ") if name] for g, text in ((a, row.node_a), (b, row.node_b))
        ]
        numbers = {part for side in nodes for node in side for part in node.module.split(".") if part.isdecimal()}
        if len(numbers) == 1:
            number = numbers.pop()
            told = [tuple(sorted((n.target, n.module.replace(f".{number}", "")) for n in side)) for side in nodes]
            found[number][*told] += 1
    return list(found.values())


@pytest.mark.parametrize("edit", [surgery.other_activation, surgery.fused_projections, None])
def test_all_layers_of_a_llama_get_one_answer(edit, monkeypatch):
    rng = random.Random(0)
    a = scramble(surgery.program("llama"), rng)
    b = scramble(surgery.program("llama", edit) if edit else read(models.decomposed("llama")), rng)
    diff = compare(a, b)
    first, *others = answers(a, b, diff)
    assert len(others) == 2
    assert all(each == first for each in others), [(each - first, first - each) for each in others]
    assert replayed(diff)
    alone = without_replay(monkeypatch, a, b)
    assert not replayed(alone)
    assert rows(diff) == rows(alone) == rows(in_one(monkeypatch, a, b))
    assert [(r.node_a, r.field, r.kind) for r in diff.rows] == [(r.node_a, r.field, r.kind) for r in alone.rows]


def edited_alike(drafts: list[Draft], rng: random.Random, edits: int) -> tuple[list[Draft], set[int]]:
    """The same few edits in every layer: another function, another literal, a node more, a node less, swapped operands."""
    found = [Draft(d.target, list(d.operands), d.literals, d.module, d.op, d.fqn) for d in drafts]
    starts = [i for i, d in enumerate(drafts) if d.module.endswith("norm1") and d.target == "aten.pow.Tensor_Scalar"]
    size = starts[1] - starts[0]
    calls = [at for at in range(size) if drafts[starts[0] + at].op == "call_function"]
    gone: dict[int, int] = {}
    for at in rng.sample(calls, edits):
        kind, target = rng.randrange(5), rng.choice(EACH)
        for start in starts:
            draft = found[start + at]
            if kind == 0:
                draft.target = target
            elif kind == 1 and draft.literals and isinstance(draft.literals[-1], int | float):
                draft.literals = (*draft.literals[:-1], draft.literals[-1] + 1)
            elif kind == 2 and len(draft.operands) > 1:
                draft.operands.reverse()
            elif kind == 3:
                gone[start + at] = draft.operands[0]
            else:
                found.append(Draft(target, [draft.operands[0]], (), draft.module))
                draft.operands[0] = len(found) - 1
    for draft in found:
        draft.operands = [survivor(operand, gone) for operand in draft.operands]
    return found, set(gone)


def edited_pair(seed: int, *, modules: bool = True, fqns: bool = True, order: int = 0) -> tuple[Program, Program]:
    """Equal layers edited alike, some with a further edit of their own; every node renamed and shuffled."""
    rng = random.Random(seed)
    drafts = synthetic.decoder(LAYERS, rng.choice((1, 2, 3)))
    changed, gone = edited_alike(drafts, rng, rng.choice((1, 2, 4)))
    if seed % 3 == 0:
        free = [d for i, d in enumerate(changed) if d.op == "call_function" and i not in gone and len(d.operands) == 1]
        rng.choice(free).target = "aten.relu.default"
    names = names_for(len(drafts), "n", rng), names_for(len(changed), "m", rng)
    orders = shuffled(drafts, set(), random.Random(order)), shuffled(changed, gone, random.Random(order + 1))
    options = {"modules": modules, "fqns": fqns}
    a = synthetic.program(drafts, orders[0], names[0], **options)
    return a, synthetic.program(changed, orders[1], names[1], **options)


@pytest.mark.parametrize(("modules", "fqns"), [(True, True), (True, False), (False, True), (False, False)])
def test_replay_changes_only_evidence(modules, fqns, monkeypatch):
    count = 0
    for seed in range(8):
        a, b = edited_pair(seed, modules=modules, fqns=fqns)
        diff = compare(a, b)
        alone = without_replay(monkeypatch, a, b)
        assert rows(diff) == rows(alone) == rows(in_one(monkeypatch, a, b)), seed
        assert diff.rows == alone.rows, seed
        assert not replayed(alone)
        confidence = {pair: how[1] for pair, how in evidence(alone).items()}
        assert {pair: how[1] for pair, how in evidence(diff).items()} == confidence
        count += len(replayed(diff))
    assert count > (
        10 if modules else 2
    )  # without modules, counting from both ends decides much before pockets are searched


def test_the_same_the_other_way_round_and_in_another_order():
    count = 0
    for seed in range(12):
        a, b = edited_pair(seed)
        diff = compare(a, b)
        if replayed(diff):
            count += 1
            found = evidence(diff)
            back = {(y, x): how for (x, y), how in evidence(compare(b, a)).items() if x and y}
            assert back == {pair: how for pair, how in found.items() if all(pair)}, seed
            assert evidence(compare(*edited_pair(seed, order=5))) == found, seed
    assert count > 3


Block = Callable[[Builder, int, int], int]


def layers(block: Block, *, odd: int = -1, other: Block | None = None) -> Program:
    """Four layers of one block, one of them of another; nodes are named after what they are and their layer."""
    build = Builder()
    x = build.add("x", op="placeholder")
    names = {x: "x"}
    for layer in range(4):
        build.module = f"layers.{layer}"
        x = (other if other and layer == odd else block)(build, x, layer)
        for at in range(len(names), len(build.drafts)):
            draft = build.drafts[at]
            stem = draft.fqn.rpartition(".")[2] or draft.target.split(".")[1]
            names[at] = next(n for n in (f"{stem}_{layer}", f"{stem}_{layer}_") if n not in names.values())
    build.module = ""
    names[build.add("output", x, op="output")] = "output"
    return synthetic.program(build.drafts, list(range(len(build.drafts))), names)


def weighed(target: str, *, crossed: bool = False) -> Block:
    """Two branches, each with a weight that the signature names; `crossed` exchanges their places in the difference."""

    def block(build: Builder, x: int, layer: int) -> int:
        scaled = [build.add("aten.mul.Tensor", x, build.weight(f"layers.{layer}.w{at}")) for at in (0, 1)]
        turned = [build.add(target, each) for each in scaled]
        return build.add("aten.sub.Tensor", *(turned[::-1] if crossed else turned))

    return block


def gated(target: str, *, beside: str = "", turned: bool = False) -> Block:
    """What a function makes of a scaled input, less that input, or less what another function makes of it."""

    def block(build: Builder, x: int, layer: int) -> int:
        scaled = build.add("aten.mul.Tensor", x, build.weight(f"layers.{layer}.w"))
        gate = build.add(target, scaled)
        sides = [gate, build.add(beside, scaled) if beside else scaled]
        return build.add("aten.sub.Tensor", *(sides[::-1] if turned else sides))

    return block


def test_the_evidence_names_the_layer_that_was_searched():
    diff = compare(layers(gated("aten.tanh.default")), layers(gated("aten.erf.default")))
    found = evidence(diff)
    first, *others = [found[f"tanh_{layer}", f"erf_{layer}"] for layer in range(4)]
    assert first[0] == "similar up to target"
    assert set(others) == {("replayed up to target", first[1])}
    reasons = [line for line in diff.explain("tanh_0").splitlines() if line.startswith("  because ")]
    assert reasons
    text = diff.explain("tanh_2")
    assert "matched: replayed up to target" in text
    assert "it calls another function" in text
    for reason in reasons:
        assert reason.replace("  because ", "  because as in layers.0: ") in text
    assert "replayed" in diff.to_json()
    assert evidence(Diff.from_json(diff.to_json())) == found


def test_a_layer_wired_otherwise_is_searched_by_itself(monkeypatch):
    """Equal calls, equal counts, and other operands: the same hash of what is called is not the same structure."""
    a = layers(gated("aten.tanh.default"))
    b = layers(gated("aten.erf.default"), odd=2, other=gated("aten.erf.default", turned=True))
    found = evidence(compare(a, b))
    assert [found[f"tanh_{layer}", f"erf_{layer}"][0] for layer in (0, 1, 3)] == [
        "similar up to target", "replayed up to target", "replayed up to target"
    ]  # fmt: skip
    assert ("tanh_2", "erf_2") not in found
    assert rows(compare(a, b)) == rows(in_one(monkeypatch, a, b))


@pytest.mark.parametrize("odd", [0, 2])
def test_an_anchor_that_says_otherwise_is_heard(odd, monkeypatch):
    """In one layer each of the two branches stands where the other stands in the other layers; the weights tell them apart."""
    a = layers(weighed("aten.tanh.default"))
    b = layers(weighed("aten.erf.default"), odd=odd, other=weighed("aten.erf.default", crossed=True))
    diff = compare(a, b)
    found = evidence(diff)
    others = [layer for layer in range(4) if layer != odd]
    pairs = [(f"tanh_{layer}{one}", f"erf_{layer}{one}") for layer in others for one in ("", "_")]
    assert [found[pair][0] for pair in pairs] == ["similar up to target"] * 2 + ["replayed up to target"] * 4
    assert not any(row.match.startswith("replayed") for row in diff.node_rows if f"_{odd}" in row.node_a)
    assert rows(diff) == rows(in_one(monkeypatch, a, b))


@pytest.mark.parametrize("pinned", [0, 1, 3])
def test_a_pin_holds_in_its_layer_and_changes_no_other(pinned, monkeypatch):
    a = layers(gated("aten.tanh.default"))
    b = layers(gated("aten.erf.default", beside="aten.sigmoid.default"))
    pin = (f"tanh_{pinned}", f"sigmoid_{pinned}")
    before, diff = compare(a, b), compare(a, b, pins=[pin])
    assert evidence(diff)[pin] == ("pinned", 1.0)
    assert pin not in evidence(before)

    def elsewhere(one: Diff):
        return {row for row in rows(one) if not any(f"_{pinned}" in name for name in row if name)}

    assert elsewhere(diff) == elsewhere(before)
    assert rows(diff) == rows(without_replay(monkeypatch, a, b, pins=[pin]))
    assert replayed(diff)
