"""Random edits at random places of live exports, each with its truth: its rows, no other root, and a proof that fits."""

from __future__ import annotations

import random
from collections import Counter
from functools import cache
from typing import Any

import pytest
import torch
from diff import live_edits
from diff.edits import MIRROR, roots
from diff.exports import nested_export
from diff.models import exported
from diff.rooms import rooms_export

import graphlens as gl
from graphlens.diff import Diff
from graphlens.stages.conformance.cases import find_cases

pytestmark = pytest.mark.filterwarnings("ignore")

EXPORTS = {"nested": nested_export, "rooms": rooms_export}
EXPORTS |= {name: lambda name=name: exported(name) for name in ("llama", "t5", "vit")}
SAMPLES = (
    "cond",
    "map.nested",
    "scan",
    "while_loop",
    "while_loop_stack_output",
    "auto_functionalize",
    "invoke_subgraph",
)
SEEDS = {"nested": 12, "rooms": 8, "llama": 3, "t5": 2, "vit": 3}


@cache
def source(name: str) -> tuple[Any, gl.Program]:
    program = EXPORTS[name]()
    return program, gl.read(program)


@cache
def sample(name: str) -> tuple[Any, gl.Program]:
    case = next(case for case in find_cases("hop_db", (), "cpu")[0] if case.name == name)
    model, args, kwargs, shapes = case.make()
    program = torch.export.export(model, args, kwargs, dynamic_shapes=shapes)
    return program, gl.read(program)


def judged(program: Any, read: gl.Program, name: str, seed: int, count: int) -> Diff | None:
    """Make the edits, and hold the diff against what they are."""
    rng = random.Random(f"{name}{seed}")
    edited, truths = live_edits.edited(rng, program, read, rng.randint(1, count))
    if not truths:
        return None
    diff = gl.diff(read, edited)
    expected = frozenset().union(*(truth.rows for truth in truths))
    assert roots(diff) == expected, f"{name} {seed} {[t.kind for t in truths]}\n{diff}"
    same = all(truth.same for truth in truths)
    assert diff.proof.same == same, f"{name} {seed} {[t.kind for t in truths]}\n{diff}"
    assert (diff.worst == "wrong_result") != same, f"{name} {seed}\n{diff}"
    back = gl.diff(edited, read)
    assert Counter(map(_row, diff.rows)) == Counter(map(_turned, back.rows)), f"{name} {seed}\n{diff}\n{back}"
    assert (back.proof.level, back.proof.rules) == (diff.proof.level, diff.proof.rules)
    return diff


def _row(row: Any) -> tuple[Any, ...]:
    return row.node_a, row.node_b, row.family, row.kind, row.cause


def _turned(row: Any) -> tuple[Any, ...]:
    return row.node_b, row.node_a, row.family, MIRROR.get(row.kind, row.kind), row.cause


def presentable(diff: Diff) -> None:
    """Every node of either side can be explained, and the whole be written and read back."""
    for program in (diff.a, diff.b):
        assert program is not None
        for path, node in program.walk():
            text = diff.explain((path, node.name))
            assert text.startswith(("a  ", "b  ", node.name)), text
            assert (
                "matched: " in text
                or "no partner" in text
                or "group" in text
                or "ambiguous" in text
                or "lies in" in text
            )
    read = Diff.from_json(diff.to_json(), a=diff.a, b=diff.b)
    assert (read.verdict, read.proof, len(read.rows)) == (diff.verdict, diff.proof, len(diff.rows))
    assert diff.verdict in diff.to_text()
    assert diff.to_markdown()


@pytest.mark.parametrize("name", EXPORTS)
def test_edits_of_an_export(name):
    found = [judged(*source(name), name, seed, 3) for seed in range(SEEDS[name])]
    diffs = [diff for diff in found if diff is not None]
    assert len(diffs) > len(found) / 2
    presentable(diffs[0])


@pytest.mark.parametrize("name", SAMPLES)
def test_edits_of_what_torch_tests_with(name):
    found = [judged(*sample(name), name, seed, 2) for seed in range(6)]
    diffs = [diff for diff in found if diff is not None]
    assert diffs
    for diff in diffs[:3]:
        presentable(diff)


@pytest.mark.parametrize("kind", live_edits.EDITS)
def test_every_kind_of_edit_is_made(kind):
    """Nothing above is skipped for want of a place."""
    program, read = source("rooms")
    assert any(live_edits.edited(random.Random(seed), program, read, 1, (kind,))[1] for seed in range(6))
