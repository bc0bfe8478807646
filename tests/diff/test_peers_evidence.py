"""One edit is one row: what only follows from it, or merely counts, is not held against anything else."""

from __future__ import annotations

import pytest
import torch
from diff.exports import export
from diff.peers import examined, mates, rows_of, written
from torch import nn

pytestmark = pytest.mark.filterwarnings("ignore")


class Calls(nn.Module):
    """A row of equal calls, one more of them if asked."""

    def __init__(self, more: bool) -> None:
        super().__init__()
        self.more = more

    def forward(self, x):
        x = x.relu() + 1.0
        if self.more:
            x = (x * 5.0).relu() - 4.0
        x = x.relu() + 2.0
        return x.relu() + 3.0


def test_one_call_more_shifts_counters_and_nothing_else():
    diff = examined(*(export(Calls(more), torch.randn(4)) for more in (False, True)), same=False)
    assert rows_of(diff) == [
        ("relu_1", "relu_2", "args", "changed", "inherited"),
        ("relu_1", "relu_2", "torch_fn", "changed", "root"),
        ("relu_2", "relu_3", "torch_fn", "changed", "root"),
        (None, "mul", "target", "only_b", "root"),
        (None, "relu_1", "target", "only_b", "root"),
        (None, "sub", "target", "only_b", "root"),
    ], str(diff)
    assert {row.severity for row in diff.rows if row.field == "torch_fn"} == {"cosmetic"}


def test_two_calls_that_became_one_call_of_two_are_no_counting():
    """Nodes with one name in `torch_fn` are what one call was made of: a pass that groups by it sees another group."""
    a = written("x = input\np = relu(x)\nq = relu(p)\nreturn q")
    from diff.edits import with_meta

    apart, together = (
        with_meta(with_meta(a, ("", "p"), torch_fn=("relu_1", "f")), ("", "q"), torch_fn=(second, "f"))
        for second in ("relu_2", "relu_1")
    )
    diff = examined(apart, together, same=True)
    assert {(row.node_a, row.severity) for row in diff.rows} == {("q", "breaks_pass")}
    shifted = with_meta(with_meta(a, ("", "p"), torch_fn=("relu_5", "f")), ("", "q"), torch_fn=("relu_6", "f"))
    assert {row.severity for row in examined(apart, shifted, same=True).rows} == {"cosmetic"}


def test_two_equal_lists_of_names_in_another_order():
    """What moved is the same seen from either side, even where names cannot say which side comes first."""
    a = written("x = input\np = sin(x)\nq = cos(x)\nr = add.Tensor(p, q)\nreturn r")
    b = written("x = input\np = cos(x)\nq = sin(x)\nr = add.Tensor(q, p)\nreturn r")
    diff = examined(a, b, same=True)
    assert mates(diff) == {"x": "x", "p": "q", "q": "p", "r": "r", "output": "output"}
    assert diff.worst == "cosmetic"


def test_operands_whose_names_were_exchanged_are_told_apart_in_the_text():
    a = written("a = input\nb = input\nc = sub.Tensor(a, b)\nreturn c")
    b = written("b = input\na = input\nc = sub.Tensor(a, b)\nreturn c")
    diff = examined(a, b, same=False)
    assert {(row.where, row.a, row.b) for row in diff.rows if row.field == "args"} == {
        ("args[0]", "a (there b)", "a (there b)"),
        ("args[1]", "b (there a)", "b (there a)"),
    }
