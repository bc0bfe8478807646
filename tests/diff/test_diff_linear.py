"""Twice the program is twice the work, whatever differs: counted in calls of Python functions, which no busy machine changes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

import pytest
from diff.certificates import F32, call, given
from diff.certificates import program as made
from diff.synthetic import Draft, decoder, program

from graphlens.diff import compare
from graphlens.program.program import Program
from graphlens.program.value import ContainerValue

MOST = 2.5
"""Sorting takes a little more than twice the calls."""


def calls(work: Callable[[], object]) -> int:
    """Count the Python functions that are called, and the steps of generators."""
    count = 0

    def step(frame, event, arg):
        nonlocal count
        count += event == "call"

    sys.setprofile(step)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def written(drafts: list[Draft], prefix: str) -> Program:
    return program(drafts, list(range(len(drafts))), {i: f"{prefix}{i}" for i in range(len(drafts))})


def layers_gone(size: int) -> tuple[Program, Program]:
    return written(decoder(2 * size, 3), "n"), written(decoder(size, 3), "m")


def weights_elsewhere(size: int) -> tuple[Program, Program]:
    drafts = decoder(size, 6)
    others = [replace(d, fqn=f"{d.fqn}_other" if d.fqn.endswith("up.weight") else d.fqn) for d in drafts]
    return written(drafts, "n"), written(others, "m")


def items_gone(size: int) -> tuple[Program, Program]:
    split = call("split", "aten.split.Tensor", "%x", 1, value=ContainerValue("tuple", (F32,) * 40 * size))
    picked = [call(f"item{i}", "_operator.getitem", "%split", i // 2) for i in range(80 * size)]
    used = [call(f"use{i}", "aten.neg.default", f"%item{i}") for i in range(80 * size)]
    results = tuple(node.name for node in used)
    few = (*picked[::2], *used[::2])
    return made(given("x"), split, *picked, *used, outputs=results), made(given("x"), split, *few, outputs=results[::2])


@pytest.mark.parametrize(("change", "size"), [(layers_gone, 8), (weights_elsewhere, 4), (items_gone, 4)])
def test_twice_the_program_is_twice_the_work(change, size):
    def all_of_it(a: Program, b: Program) -> None:
        diff = compare(a, b)
        told = (diff.pattern_rows, diff.verdict, diff.node_rows, diff.to_text(), diff.to_json(), diff.by_module())
        assert all(map(len, told))

    all_of_it(*change(1))  # what is remembered by target is known then
    small, large = (calls(lambda pair=change(each): all_of_it(*pair)) for each in (size, 2 * size))
    assert large < MOST * small
