"""A region without gradients, which export keeps as a nested graph where gradients are on, and its calls in the open."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.compiler import nested_compile_region

from graphlens.diff import compare
from graphlens.program.program import Program
from graphlens.read import read

pytestmark = pytest.mark.filterwarnings("ignore")


class Region(nn.Module):
    """Two results of a region, both read outside of it, each in its own way."""

    def __init__(self, *, region: bool, factor: float = 2.0, swapped: bool = False, draws: bool = False):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.region, self.factor, self.swapped, self.draws = region, factor, swapped, draws

    def inside(self, x):
        y = torch.cat([x, x], -1)
        if self.draws:
            y = y + torch.rand_like(y)
        return y.cos() * self.factor, y.sin() * self.factor

    def forward(self, x):
        x = self.fc(x)
        if self.region:
            with torch.no_grad():
                c, s = self.inside(x)
        else:
            c, s = self.inside(x)
        c, s = (s, c) if self.swapped else (c, s)
        return c.exp() - s.tanh()


def program(**options: object) -> Program:
    torch.manual_seed(0)
    return read(torch.export.export(Region(**options).eval(), (torch.ones(2, 4),), strict=False))


def wrong(diff):
    return [row for row in diff.rows if row.severity == "wrong_result" and row.cause == "root"]


@pytest.mark.parametrize("turned", [False, True])
def test_a_region_and_its_calls(turned):
    programs = program(region=True), program(region=False)
    diff = compare(*programs[:: -1 if turned else 1])
    assert not wrong(diff)
    (row,) = (row for row in diff.rows if row.aspect == "inlined")
    assert (row.kind, row.severity) == ("changed", "breaks_pass")
    assert {"wrap_with_set_grad_enabled"} <= set((row.b if turned else row.a).replace(",", ".").split("."))
    assert diff.proof.level == "different"


@pytest.mark.parametrize("other", [{"factor": 3.0}, {"swapped": True}])
def test_a_region_that_computes_something_else(other):
    diff = compare(program(region=True), program(region=False, **other))
    assert wrong(diff)
    assert not [row for row in diff.rows if row.aspect == "inlined"]


def test_a_region_that_draws_is_not_looked_into():
    """In which order numbers are drawn is not compared across the border of a graph."""
    diff = compare(program(region=True, draws=True), program(region=False, draws=True))
    assert not [row for row in diff.rows if row.aspect == "inlined"]
    assert wrong(diff)


@nested_compile_region
def doubled_sine(x):
    return x.sin() * 2


class TwoCalls(nn.Module):
    def __init__(self, second):
        super().__init__()
        self.second = second

    def forward(self, x):
        first = doubled_sine(x) if self.second is doubled_sine else x.sin() * 2
        return self.second(first).exp()


def two_calls(second) -> Program:
    return read(torch.export.export(TwoCalls(second), (torch.ones(2, 4),), strict=True))


@pytest.mark.parametrize("turned", [False, True])
def test_a_body_that_two_calls_share(turned):
    programs = two_calls(doubled_sine), two_calls(lambda x: x.sin() * 2)
    diff = compare(*programs[:: -1 if turned else 1])
    assert [row.severity for row in diff.rows if row.aspect == "inlined"] == ["breaks_pass"]
    assert not wrong(diff)


@pytest.mark.parametrize("second", [lambda x: x.sin() * 3, lambda x: x.cos() * 2, lambda x: (x * 2).sin()])
def test_a_body_that_two_calls_share_and_that_one_of_them_differs_from(second):
    diff = compare(two_calls(doubled_sine), two_calls(second))
    assert wrong(diff)
    assert not [row for row in diff.rows if row.aspect == "inlined"]
