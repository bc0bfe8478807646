"""Sizes that are symbols: renumbered, written otherwise, tied to each other, or known only when the program runs."""

from __future__ import annotations

import pytest
import torch
from diff import edits
from diff.law import compared, lone, mates, roots, wrong
from msgspec.structs import replace
from torch import nn
from torch.export import Dim

import graphlens as gl
from graphlens.program.argument import Const
from graphlens.program.expr import rename_symbols
from graphlens.program.frozen import freeze
from graphlens.program.value import SymValue, TensorValue

pytestmark = pytest.mark.filterwarnings("ignore")

COSMETIC = {"name", "torch_fn", "stack_trace", "from_node", "order"}
ROWS, OTHER = Dim("rows", min=2, max=32), Dim("other", min=2, max=64)


class Flat(nn.Module):
    def __init__(self, *, times_one: bool = False) -> None:
        super().__init__()
        self.times_one = times_one

    def forward(self, x, y):
        rows = x.shape[0] * 1 if self.times_one else x.shape[0]
        return x.view(rows, -1).sin(), y.cos()


def flat(second, rows: int, **options) -> gl.Program:
    shapes = {"x": {0: ROWS}, "y": {0: second}}
    return gl.read(torch.export.export(Flat(**options), (torch.ones(3, 4), torch.ones(rows, 4)), dynamic_shapes=shapes))


def account(diff):
    return roots(diff, lambda row: row.family not in COSMETIC)


def test_a_size_times_one():
    diff = compared(flat(OTHER, 5), flat(OTHER, 5, times_one=True))
    assert not account(diff)
    assert diff.proof.level == "identical"


def renumbered(source: gl.Program, names: dict[str, str]) -> gl.Program:
    """Write every symbol of a program with another name: sizes, arguments, ranges, guards."""

    def text(size):
        return rename_symbols(size, names) if isinstance(size, str) else size

    def value(v):
        if isinstance(v, TensorValue):
            return replace(v, shape=tuple(map(text, v.shape)), stride=tuple(map(text, v.stride)))
        return replace(v, expr=text(v.expr)) if isinstance(v, SymValue) else v

    def leaf(argument):
        return Const("sym", text(argument.text)) if isinstance(argument, Const) and argument.kind == "sym" else argument

    nodes = [
        replace(
            node,
            value=value(node.value),
            args=tuple(edits.map_leaves(argument, leaf) for argument in node.args),
            meta=freeze({k: v for k, v in node.meta.items() if k != "tensor_meta"}),
        )
        for node in source.graph.nodes
    ]
    return replace(
        edits.with_nodes(source, "", nodes),
        ranges=freeze({text(name): found for name, found in source.ranges.items()}),
        guards=tuple(map(text, source.guards)),
        symbol_table=tuple(replace(s, name=text(s.name)) for s in source.symbol_table),
    )


@pytest.mark.parametrize(
    ("second", "rows"), [(OTHER, 5), (ROWS + 1, 4), (2 * ROWS, 6)], ids=["free", "one more", "twice"]
)
def test_symbols_may_have_other_numbers(second, rows):
    """Also where one takes the name that the other had: the relations between sizes are what counts."""
    source = flat(second, rows)
    plain = renumbered(source, {})
    names = [symbol.name for symbol in source.symbol_table]
    for chosen in (["s3", "s4"], names[1:] + names[:1]):
        diff = compared(plain, renumbered(plain, dict(zip(names, chosen, strict=False))))
        assert not diff.rows, str(diff)
        assert diff.proof.level in ("identical", "identical up to")
        assert set(diff.proof.rules) <= {"renumbered symbols"}


def test_a_size_that_was_tied_to_another_is_free():
    """Other inputs are accepted; no node computes anything else."""
    diff = compared(flat(ROWS + 1, 4), flat(OTHER, 4))
    assert account(diff) == {
        ("val.shape", "changed", "breaks_pass"): 1,
        ("range_constraints", "lost", "breaks_pass"): 1,
        ("range_constraints", "added", "breaks_pass"): 1,
        ("guards", "lost", "breaks_pass"): 1,
    }
    (shape,) = (row for row in diff.rows if row.field == "val.shape" and row.cause == "root")
    assert (shape.node_a, shape.aspect) == ("y", "tied otherwise")
    assert lone(diff) == (set(), set())
    assert diff.proof.level == "different"


def test_another_expression_of_the_same_symbol():
    diff = compared(flat(ROWS + 1, 4), flat(ROWS + 2, 5))
    (shape,) = (row for row in diff.rows if row.field == "val.shape" and row.cause == "root")
    assert (shape.node_a, shape.aspect) == ("y", "tied otherwise")
    assert diff.proof.level == "different"


def test_a_computed_size_made_of_another_symbol_is_another_result():
    source = flat(OTHER, 5)
    node = source.graph["cos"]
    sizes = {symbol.name for symbol in source.symbol_table} - {node.value.shape[0]}
    other = replace(node.value, shape=(sizes.pop(), *node.value.shape[1:]))
    diff = compared(source, edits.edit_node(source, ("", "cos"), value=other))
    assert wrong(diff) == {("cos", "cos", "val.shape", "changed", "symbolic")}


class Items(nn.Module):
    def __init__(self, *, swap: bool) -> None:
        super().__init__()
        self.swap = swap

    def forward(self, x, y):
        if self.swap:
            n, m = y.item(), x.item()
        else:
            m, n = x.item(), y.item()
        for size, most in ((m, 9), (n, 17)):
            torch._check(size >= 2)
            torch._check(size < most)
        return torch.zeros(m), torch.ones(n)


def test_two_unbacked_sizes_are_made_in_the_other_order():
    """``u0`` is what ``u1`` was: renumbered, and the assertions about each come in another order."""
    args = torch.tensor(3), torch.tensor(4)
    one, other = (gl.read(torch.export.export(Items(swap=swap), args)) for swap in (False, True))
    diff = compared(one, other)
    assert mates(diff)["item"] == "item_1"
    assert mates(diff)["zeros"] == "zeros"
    assert {row.severity for row in diff.rows} <= {"cosmetic", "debug_info"}
    assert diff.proof.rules["renumbered symbols"] == 2
    assert set(diff.proof.rules) <= {"renumbered symbols", "order of assertions", "other texts of assertions"}
    assert diff.proof.level == "identical up to"


class Nonzero(nn.Module):
    def __init__(self, *, swap: bool) -> None:
        super().__init__()
        self.swap = swap

    def forward(self, x):
        one, two = x.nonzero().sum(1), (x - 1).nonzero().sum(1)
        return (two, one) if self.swap else (one, two)


def test_two_results_of_unbacked_sizes_changed_places():
    one, other = (torch.export.export(Nonzero(swap=swap), (torch.arange(5.0),)) for swap in (False, True))
    diff = compared(one, other)
    assert lone(diff) == (set(), set())
    assert {row[:2] + row[4:] for row in wrong(diff)} == {("output", "output", "rewired")}
