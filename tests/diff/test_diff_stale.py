"""Passes that put one call for another and keep its metadata: what the new call says counts, not what the old one left behind."""

from __future__ import annotations

import copy
from functools import cache

import pytest
import torch
from diff.exports import export
from torch import nn

import graphlens as gl

aten = torch.ops.aten
ROWS = torch.arange(96.0).reshape(2, 3, 4, 4)


class Pieces(nn.Module):
    def forward(self, x, y):
        first, second = x.split(2, -1)
        third, fourth = x.chunk(2, -2)
        half = x.to(torch.float16).exp()
        flat = x.view(96).cos()
        alike = x.abs().type_as(y).sinh()
        return first * 2, second, third * 3, fourth, half, flat, x.sin().tanh(), alike


@cache
def pieces():
    return export(Pieces(), ROWS, torch.ones(2), strict=False)


def call(program, target):
    return next(node for node in program.graph.nodes if node.target is target)


def replaced(old, new, *args, **kwargs):
    def change(program):
        node = call(program, old)
        node.target, node.args, node.kwargs = new, (node.args[0], *args), kwargs

    return change


def inserted(new, *args, **kwargs):
    def change(program):
        node = call(program, aten.sin.default)
        with program.graph.inserting_after(node):
            added = program.graph.create_node("call_function", new, (node, *args), kwargs)
        added.meta = dict(node.meta)
        call(program, aten.tanh.default).replace_input_with(node, added)

    return change


def compared(program, change):
    edited = copy.deepcopy(program)
    change(edited)
    edited.graph.lint()
    edited.graph_module.recompile()
    return edited, (gl.diff(program, edited), gl.diff(edited, program))


def results(program, *args):
    try:
        return [result.clone() for result in program.graph_module(*args)]
    except RuntimeError:
        return None


def equal(one, two):
    return two is not None and all(
        (x.shape, x.dtype) == (y.shape, y.dtype) and torch.equal(x, y) for x, y in zip(one, two, strict=True)
    )


CHANGES = {
    "split into others": (replaced(aten.split.Tensor, aten.split_with_sizes.default, [1, 3], -1), False),
    "split into the same": (replaced(aten.split.Tensor, aten.split_with_sizes.default, [2, 2], -1), True),
    "split into as many": (replaced(aten.split.Tensor, aten.chunk.default, 2, -1), True),
    "chunk into others": (replaced(aten.chunk.default, aten.split.Tensor, 3, -2), False),
    "chunk into more": (replaced(aten.chunk.default, aten.tensor_split.sections, 3, -2), False),
    "chunk into the same": (replaced(aten.chunk.default, aten.tensor_split.sections, 2, -2), True),
    "cast to another": (replaced(aten.to.dtype, aten._to_copy.default, dtype=torch.bfloat16), False),
    "cast to the same": (replaced(aten.to.dtype, aten._to_copy.default, dtype=torch.float16), True),
    "view of another shape": (replaced(aten.view.default, aten.reshape.default, [8, 12]), False),
    "view of the same shape": (replaced(aten.view.default, aten.reshape.default, [-1]), True),
    "a cast to whole numbers": (inserted(aten._to_copy.default, dtype=torch.int64), False),
    "another cast to them": (inserted(aten.to.dtype, torch.int64), False),
    "the same bits read otherwise": (inserted(aten.view.dtype, torch.int32), False),
    "another shape": (inserted(aten.view.default, [2, 3, 16]), False),
    "one size more": (inserted(aten.expand.default, [2, 2, 3, 4, 4]), False),
    "a cast that does nothing": (inserted(aten.to.dtype, torch.float32), True),
    "a shape that it has": (inserted(aten.view.default, [2, 3, 4, -1]), True),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_call_that_its_record_does_not_fit(change):
    make, same = CHANGES[change]
    edited, diffs = compared(pieces(), make)
    inputs = ROWS + 0.3, torch.ones(2)
    assert equal(results(pieces(), *inputs), results(edited, *inputs)) == same
    for diff in diffs:
        assert diff.proof.level == "different"
        assert (diff.worst == "wrong_result") != same, str(diff)


def test_a_tensor_that_is_to_be_like_another():
    """`type_as` takes its dtype from an operand: dropping it is no harmless step where that operand is another."""
    edited, _ = compared(pieces(), lambda program: None)
    node = call(edited, aten.type_as.default)
    users = list(node.users)
    node.replace_all_uses_with(node.args[0])
    edited.graph.erase_node(node)
    edited.graph_module.recompile()
    assert gl.diff(pieces(), edited).worst == "breaks_pass"
    other = copy.deepcopy(pieces())
    call(other, aten.type_as.default).args[1].meta["val"] = torch.ones(2, dtype=torch.int64, device="meta")
    assert users
    assert gl.diff(other, edited).worst == "wrong_result"


def copied(memory_format):
    return lambda x: x.clone(memory_format=memory_format)


READERS = {
    "as_strided": lambda x: torch.as_strided(x, (3, 4), (5, 2), 1) + 1,
    "after a call that keeps the layout": lambda x: torch.as_strided(x.sin(), (3, 4), (5, 2), 1) + 1,
    "in a branch": lambda x: torch.cond(
        x.sum() > 0, lambda t: torch.as_strided(t, (3, 4), (5, 2), 1) + 1, lambda t: t[0, 0, :3] * 2, (x,)
    ),
}


class Reader(nn.Module):
    def __init__(self, step, read):
        super().__init__()
        self.step, self.read = step, read

    def forward(self, x):
        return self.read(self.step(x))


def bypassed(program):
    node = call(program, aten.clone.default)
    node.replace_all_uses_with(node.args[0])
    program.graph.erase_node(node)


@pytest.mark.parametrize("reader", READERS)
def test_a_copy_with_the_same_elements_that_is_read_by_their_place(reader):
    program = export(Reader(copied(torch.channels_last), READERS[reader]), ROWS, strict=False)
    edited, diffs = compared(program, bypassed)
    assert not equal(results(program, ROWS), results(edited, ROWS))
    for diff in diffs:
        assert diff.worst == "wrong_result", str(diff)


def test_a_copy_with_the_same_elements_that_is_read_by_its_elements():
    program = export(Reader(copied(torch.channels_last), lambda x: x.sin()), ROWS, strict=False)
    edited, diffs = compared(program, bypassed)
    assert equal(results(program, ROWS), results(edited, ROWS))
    for diff in diffs:
        assert diff.worst == "breaks_pass", str(diff)


class Sizes(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return (self.two(self.one(x) * x.shape[0]) - x.shape[0]).sin()


def test_a_size_that_is_free_and_has_a_number_in_its_place():
    """Whoever passes another size gets another result, and nothing refuses it."""
    free = export(Sizes(), torch.ones(4, 4), dynamic_shapes={"x": {0: torch.export.Dim("rows", min=2)}}, strict=False)
    fixed = export(Sizes(), torch.ones(4, 4), strict=False)
    assert gl.diff(free, fixed).worst == "breaks_pass"

    def number(program, size):
        for target in (aten.mul.Tensor, aten.sub.Tensor):
            node = call(program, target)
            node.args = (node.args[0], size)
        program.graph.eliminate_dead_code()

    for size, program in ((4, free), (5, free), (5, fixed)):
        edited, _ = compared(program, lambda each, size=size: number(each, size))
        for diff in (gl.diff(free, edited), gl.diff(edited, free)):
            assert diff.worst == "wrong_result", str(diff)
