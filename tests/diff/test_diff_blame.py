"""One operand more or less is a wrong result, however harmless the operand itself is: a gate must not let it pass."""

from __future__ import annotations

import pytest
import torch
from diff.exports import export
from torch import fx, nn
from torch.nn import functional

from graphlens.diff import Diff, compare
from graphlens.read import read

X = torch.arange(8.0).reshape(2, 4)


def wrong(diff: Diff) -> set[str]:
    return {row.field for row in diff.rows if row.cause == "root" and row.severity == "wrong_result"}


def both_ways(a, b, expected: set[str]) -> None:
    """Whichever side has more, the worst root is as bad, and it is this."""
    for one, other in ((a, b), (b, a)):
        diff = compare(read(one), read(other))
        assert wrong(diff) == expected, str(diff)
        assert diff.worst == "wrong_result"


class Biased(nn.Module):
    def __init__(self, *, bias: bool):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4, 4))
        self.bias = nn.Parameter(torch.ones(4)) if bias else None

    def forward(self, x):
        return functional.linear(x, self.weight) if self.bias is None else functional.linear(x, self.weight, self.bias)


def test_a_new_weight_that_is_read():
    both_ways(export(Biased(bias=False), X), export(Biased(bias=True), X), {"weights[bias]"})


def test_a_new_weight_that_a_traced_module_reads():
    both_ways(fx.symbolic_trace(Biased(bias=False)), fx.symbolic_trace(Biased(bias=True)), {"weights[bias]"})


class Clamped(nn.Module):
    def forward(self, x, y=None, above=None):
        return x.clamp(x * 0, y if above is None else above.clone())


def test_a_new_input_that_is_read():
    both_ways(export(Clamped(), X), export(Clamped(), X, X + 1), {"signature.inputs[1]"})


def test_a_new_argument_of_a_traced_function():
    both_ways(fx.symbolic_trace(lambda x: x.clamp(0.0)), fx.symbolic_trace(lambda x, y: x.clamp(0.0, y)), {"args"})


class Capped(nn.Module):
    def __init__(self, *, capped: bool):
        super().__init__()
        self.capped = capped

    def forward(self, x, y):
        return x.clamp(x * 0, y.clone() if self.capped else None)


def test_a_new_copy_that_is_read():
    """The copy hands its input on unchanged; that somebody new reads it is another matter."""
    both_ways(export(Capped(capped=False), X, X), export(Capped(capped=True), X, X), {"args"})


@pytest.mark.parametrize("layers", [1, 3])
def test_it_is_one_root_for_each_new_weight(layers):
    def stack(bias: bool) -> nn.Module:
        return nn.Sequential(*(nn.Linear(4, 4, bias=bias) for _ in range(layers)))

    without, biased = stack(False), stack(True)
    without.load_state_dict(biased.state_dict(), strict=False)
    both_ways(export(without, X), export(biased, X), {f"weights[{i}.bias]" for i in range(layers)})


class Scaled(nn.Module):
    def __init__(self, factor: float, lifted):
        super().__init__()
        self.factor, self.lifted = factor, lifted

    def forward(self, x):
        return x * (torch.tensor(self.factor) if self.lifted else self.factor)


def test_a_number_that_became_another_constant():
    """Of a number and a constant tensor it is looked up whether they are equal; if so, only passes are concerned."""
    number, other, same = (export(Scaled(*each), X) for each in ((0.1, False), (0.2, True), (0.1, True)))
    for one in (other, same):
        for a, b in ((number, one), (one, number)):
            assert ("args" in wrong(compare(read(a), read(b)))) == (one is other)
    assert compare(read(number), read(same)).worst == "breaks_pass"


class Head(nn.Module):
    def __init__(self, *, tied: bool):
        super().__init__()
        self.embed = nn.Parameter(torch.ones(4, 4))
        self.head = None if tied else nn.Parameter(torch.zeros(4, 4))

    def forward(self, x):
        return (x @ self.embed) @ (self.embed if self.head is None else self.head)


def test_a_new_weight_in_the_place_of_an_old_one():
    both_ways(export(Head(tied=True), X), export(Head(tied=False), X), {"weights[head]"})
