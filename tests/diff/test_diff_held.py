"""Weights with the same elements that lie otherwise: a wrong result where the program reads or writes them so that it shows."""

from __future__ import annotations

import copy
from functools import cache

import pytest
import torch
from diff.exports import export
from torch import nn

import graphlens as gl

X = torch.ones(4, 4)


class Placed(nn.Module):
    def __init__(self, strided):
        super().__init__()
        self.weight, self.strided = nn.Parameter(torch.arange(16.0).reshape(4, 4)), strided

    def forward(self, x):
        return x + (torch.as_strided(self.weight, (4, 4), (1, 4)) if self.strided else self.weight.t())


class Tied(nn.Module):
    def __init__(self, writes):
        super().__init__()
        self.register_buffer("total", torch.zeros(4, 4))
        self.register_buffer("flat", self.total.view(16))
        self.register_buffer("other", torch.zeros(4))
        self.register_buffer("square", self.other.view(2, 2))
        self.writes = writes

    def forward(self, x):
        if self.writes:
            self.total.add_(x)
        return self.flat * 2, self.other + 1, self.square + x.sum()


@cache
def exported(model, option):
    return export(model(option), X, strict=False)


def changed(program, name, change):
    edited = copy.deepcopy(program)
    edited.state_dict[name] = change(edited.state_dict[name])
    one, two = (each.module()(X) for each in (copy.deepcopy(program), copy.deepcopy(edited)))
    pairs = zip(one, two, strict=True) if isinstance(one, tuple) else [(one, two)]
    return gl.diff(program, edited), gl.diff(edited, program), all(torch.equal(x, y) for x, y in pairs)


@pytest.mark.parametrize("strided", [True, False])
def test_a_weight_that_lies_otherwise(strided):
    def turned(weight):
        return nn.Parameter(weight.detach().t().contiguous().t())

    *diffs, same = changed(exported(Placed, strided), "weight", turned)
    assert same == (not strided)
    for diff in diffs:
        assert [row.field for row in diff.rows if row.cause == "root"] == ["weights[weight]"]
        assert diff.worst == ("wrong_result" if strided else "breaks_pass"), str(diff)


@pytest.mark.parametrize(
    ("writes", "name", "wrong"), [(True, "flat", True), (True, "square", False), (False, "flat", False)]
)
def test_a_tie_that_is_broken(writes, name, wrong):
    """Where the program writes to one of two, the other is read before it or after it."""
    *diffs, same = changed(exported(Tied, writes), name, lambda buffer: buffer.clone())
    assert same == (not wrong)
    for diff in diffs:
        assert diff.proof.level == "different"
        assert diff.worst == ("wrong_result" if wrong else "breaks_pass"), str(diff)
