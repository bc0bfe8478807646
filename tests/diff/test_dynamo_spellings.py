"""What Python lets a user write in several ways, and export writes in one."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from diff.exports import dynamo, export
from torch import nn

from graphlens.diff import compare
from graphlens.read import read

pytestmark = pytest.mark.filterwarnings("ignore")


class Told(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *args):
        return self.function(*args)


def diff_of(ours, theirs, *args):
    return compare(read(dynamo(Told(ours).eval(), *args)), read(export(Told(theirs), *args, strict=False)))


def wrong(diff):
    found = [row for row in diff.rows if row.severity == "wrong_result" and row.cause == "root"]
    return Counter((row.field, row.kind, row.aspect) for row in found)


def number_first(x):
    return 0 + x.sin(), 2 * x.cos(), (1 < x) & (3 >= x), 1 - x.exp()


def number_last(x):
    return x.sin() + 0, x.cos() * 2, (x > 1) & (x <= 3), 1 - x.exp()


def turned(x):
    return x.sin() + 0, x.cos() * 2, (x < 1) & (x <= 3), x.exp() - 1


def test_a_number_before_a_tensor():
    assert wrong(diff_of(number_first, number_last, torch.randn(3))) == {}
    assert wrong(diff_of(number_last, number_first, torch.randn(3))) == {}
    other = wrong(diff_of(number_first, turned, torch.randn(3)))
    assert other, "the same numbers and the same tensors, compared and subtracted the other way round"


def inverse(perm, x):
    found = torch.empty_like(perm)
    found[perm] = torch.arange(perm.shape[0])
    return x[found] * 2.0


def read_before(perm, x):
    found = torch.zeros_like(perm)
    early = x[found]
    found[perm] = torch.arange(perm.shape[0])
    return early * 2.0 + x[found]


def read_after(perm, x):
    found = torch.zeros_like(perm)
    early = x[found]
    found[perm] = torch.arange(perm.shape[0])
    return x[found] * 2.0 + early


def test_what_is_read_after_a_write():
    args = torch.tensor([2, 0, 1]), torch.randn(3, 4)
    diff = diff_of(inverse, inverse, *args)
    assert wrong(diff) == {}
    assert ("args", "changed", "handed on") in {(row.field, row.kind, row.aspect) for row in diff.rows}
    assert wrong(diff_of(read_before, read_before, *args)) == wrong(diff_of(read_after, read_after, *args)) == {}


def test_what_is_read_before_a_write_is_not_what_is_read_after_it():
    args = torch.tensor([2, 0, 1]), torch.randn(3, 4)
    assert ("args", "changed", "rewired") in wrong(diff_of(early_twice, late_twice, *args))


def early_twice(perm, x):
    found = torch.zeros_like(perm)
    early = x[found].sin()
    found[perm] = torch.arange(perm.shape[0])
    return early


def late_twice(perm, x):
    found = torch.zeros_like(perm)
    found[perm] = torch.arange(perm.shape[0])
    return x[found].sin()


def residual(x, y, index):
    """What is written is a copy: nothing that is read besides it shares its storage."""
    z = x + y
    picked = z[index]
    picked /= picked.sum()
    return z.to(z.dtype) + picked


def test_adding_and_gathering_share_no_storage():
    assert wrong(diff_of(residual, residual, torch.randn(2, 3), torch.randn(2, 3), torch.tensor([1, 0]))) == {}


def through_methods(x):
    return (x.transpose(0, 1).contiguous().reshape(-1).contiguous() * 2.0).sin().view(3, 2).float()


def test_steps_that_hand_on_are_looked_through():
    diff = diff_of(through_methods, through_methods, torch.randn(2, 3))
    assert wrong(diff) == {}
    assert not [row for row in diff.rows if row.kind == "ambiguous"]


@torch.library.custom_op("graphlens_tests::scaled", mutates_args=())
def scaled(x: torch.Tensor, by: float) -> torch.Tensor:
    return x * by


@scaled.register_fake
def _(x, by):
    return torch.empty_like(x)


def by_its_name(x):
    return torch.ops.graphlens_tests.scaled(x.sin(), 2.0).cos()


def by_another_factor(x):
    return torch.ops.graphlens_tests.scaled(x.sin(), 3.0).cos()


def test_a_custom_operator_by_its_name_alone():
    a, b = (Told(by_its_name).eval(), torch.randn(3)), Told(by_its_name)
    graph = dynamo(*a)
    assert any(isinstance(node.target, torch._ops.OpOverloadPacket) for node in graph.graph.nodes)
    diff = compare(read(graph), read(export(b, torch.randn(3), strict=False)))
    assert wrong(diff) == {}
    assert "graphlens_tests.scaled.default" in {row.b for row in diff.rows if row.aspect == "dialect"}
    assert diff.proof.level == "unknown"
    assert wrong(diff_of(by_its_name, by_another_factor, torch.randn(3))) == {("args", "changed", "literal"): 1}


def indexed_numbers(x):
    return x * torch.arange(1)[:, None, None, None]


def other_numbers(x):
    return x * torch.arange(2)[1:, None, None, None]


def test_numbers_that_are_indexed_in_several_steps():
    assert wrong(diff_of(indexed_numbers, indexed_numbers, torch.randn(2, 3))) == {}
    assert wrong(diff_of(indexed_numbers, other_numbers, torch.randn(2, 3)))
