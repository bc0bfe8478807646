"""Small graphs where a diff is tempted to guess: operands that may commute or not, duplicates, order, dead code, names."""

from __future__ import annotations

import operator
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from diff import edits
from diff.exports import reload
from diff.law import ambiguous, compared, lone, mates, roots, wrong
from msgspec.structs import replace
from torch import nn

import graphlens as gl
from graphlens.program.argument import Seq
from graphlens.program.frozen import freeze

pytestmark = pytest.mark.filterwarnings("ignore")

COSMETIC = {"name", "torch_fn", "stack_trace", "from_node"}


class Calls(nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args):
        return self.function(*args)


def exported(function: Callable[..., Any], *args: Any, **options: Any) -> torch.export.ExportedProgram:
    return torch.export.export(Calls(function), args or (torch.ones(3, 3), torch.zeros(3, 3)), **options)


def program(function: Callable[..., Any], *args: Any) -> gl.Program:
    return gl.read(exported(function, *args))


ONE = (torch.ones(3, 3),)


def rows(diff) -> Iterator[tuple[Any, ...]]:
    """Yield the roots without what only says that names and lines are others."""
    for row in diff.rows:
        if row.cause == "root" and row.family not in COSMETIC:
            yield row.node_a, row.node_b, row.field, row.kind, row.aspect, row.severity


COMMUTE = {
    torch.float32: [torch.add, torch.mul, torch.eq, torch.logical_and],
    torch.int64: [torch.add, torch.maximum, torch.bitwise_xor],
}


@pytest.mark.parametrize(
    ("op", "dtype"),
    [(op, dtype) for dtype, ops in COMMUTE.items() for op in ops],
    ids=lambda x: str(getattr(x, "__name__", x)),
)
@pytest.mark.parametrize("other", [(3, 3), (1, 3)], ids=["equal shapes", "broadcast"])
def test_operands_that_commute_may_change_places(op, dtype, other):
    inputs = torch.ones(3, 3, dtype=dtype), torch.zeros(other, dtype=dtype)
    diff = compared(program(lambda a, b: op(a, b), *inputs), program(lambda a, b: op(b, a), *inputs))
    name = next(node.name for node in diff.a.graph.nodes if node.op == "call_function")
    assert list(rows(diff)) == [(name, name, "args", "changed", "commuted", "cosmetic")]
    assert diff.proof.level == "identical up to"
    assert diff.proof.rules == {"commuted operands": 1}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda a, b: torch.add(a, b, alpha=2), lambda a, b: torch.add(b, a, alpha=2)),
        (lambda a, b: a - b, lambda a, b: b - a),
        (lambda a, b: a / b, lambda a, b: b / a),
        (lambda a, b: a @ b, lambda a, b: b @ a),
        (torch.maximum, lambda a, b: torch.maximum(b, a)),  # of +0.0 and -0.0 kernels return one by its place
        (lambda a, b: torch.lt(a, b), lambda a, b: torch.lt(b, a)),
        (lambda a, b: torch.cat([a, b]), lambda a, b: torch.cat([b, a])),
    ],
    ids=["add with alpha", "sub", "div", "matmul", "maximum", "lt", "cat"],
)
def test_operands_that_do_not_commute(one, other):
    """Each of the two places is a row; the node is the same node."""
    diff = compared(program(one), program(other))
    assert lone(diff) == (set(), set())
    assert {row[2:] for row in rows(diff)} == {("args", "changed", "rewired", "wrong_result")}
    assert len(list(rows(diff))) == 2
    assert diff.proof.level == "different"


def test_one_operand_twice():
    square, product, other = (program(f) for f in (lambda a, b: a * a, lambda a, b: a * b, lambda a, b: b * b))
    assert [row.where for row in compared(square, product).rows] == ["args[1]"]
    assert [row.where for row in compared(square, other).rows] == ["args[0]", "args[1]"]
    for diff in (compared(square, product), compared(product, other), compared(square, other)):
        assert {row[2:] for row in rows(diff)} == {("args", "changed", "rewired", "wrong_result")}


def test_a_square_and_a_product_are_told_apart():
    """``a*a + a*b`` against ``a*b + a*a``: each product is itself, the sum commutes."""
    diff = compared(program(lambda a, b: a * a + a * b), program(lambda a, b: a * b + a * a))
    assert mates(diff)["mul"] == "mul_1"
    assert mates(diff)["mul_1"] == "mul"
    assert diff.proof.rules == {"commuted operands": 1}
    assert not wrong(diff)


@pytest.mark.parametrize(
    ("use", "told_apart"),
    [(lambda s, t: s * t, False), (lambda s, t: (s.sin(), t.cos()), False), (lambda s, t: (s, t), True)],
    ids=["one user", "two users", "results"],
)
def test_a_shared_sum_and_one_that_is_computed_twice(use, told_apart):
    """One node more, and whoever used it uses the other. The same, by a rule, unless callers get it: they can tell two tensors from one."""

    def shared(a, b):
        total = a + b
        return use(total, total)

    diff = compared(program(lambda a, b: use(a + b, a + b)), program(shared))
    assert lone(diff) == ({"add_1"}, set())
    assert not ambiguous(diff)
    assert [(row.field, row.inherited_from) for row in diff.rows if row.cause == "inherited"] == [("args", "add_1")]
    if told_apart:
        assert list(rows(diff)) == [("add_1", None, "target", "only_a", "", "wrong_result")]
        assert diff.proof.level == "different"
    else:
        assert list(rows(diff)) == [("add_1", None, "target", "only_a", "duplicate", "cosmetic")]
        assert diff.proof.rules == {"merged duplicates": 1}


def test_two_draws_are_no_duplicates():
    def shared(a):
        drawn = torch.rand_like(a)
        return drawn * drawn

    diff = compared(program(lambda a: torch.rand_like(a) * torch.rand_like(a), *ONE), program(shared, *ONE))
    assert lone(diff) == ({"rand_like_1"}, set())
    assert diff.worst == "wrong_result"


def exchanged(draw: Callable[..., Any], *, swap: bool) -> gl.Program:
    def function(a):
        first, second = draw(a), draw(a)
        return (second.sin(), first.cos()) if swap else (first.sin(), second.cos())

    return program(function, *ONE)


@pytest.mark.parametrize("draw", [lambda a: torch.dropout(a, 0.5, True), torch.rand_like], ids=["dropout", "rand_like"])
def test_two_equal_draws_changed_places(draw):
    """Equal text, other numbers: which one is used for what is the difference, and it is no mere move."""
    diff = compared(exchanged(draw, swap=False), exchanged(draw, swap=True))
    assert lone(diff) == (set(), set())
    assert {row[2:] for row in rows(diff)} == {("order", "changed", "order", "wrong_result")}
    assert {(row.node_a, row.node_b) for row in diff.rows if row.field == "order"} == {
        (name, other) for name, other in mates(diff).items() if name != other
    }
    assert diff.proof.level == "different"


def test_two_draws_whose_sum_commutes():
    def summed(a, *, swap):
        first, second = torch.rand_like(a), torch.rand_like(a)
        return second + first if swap else first + second

    diff = compared(program(lambda a: summed(a, swap=False), *ONE), program(lambda a: summed(a, swap=True), *ONE))
    assert diff.proof.rules == {"commuted operands": 1}
    assert not wrong(diff)


class Writes(nn.Module):
    def __init__(self, *, swap: bool) -> None:
        super().__init__()
        self.swap = swap
        self.register_buffer("state", torch.zeros(3))

    def forward(self, x):
        if self.swap:
            self.state.mul_(2.0)
            self.state.add_(x)
        else:
            self.state.add_(x)
            self.state.mul_(2.0)
        return self.state + 1


@pytest.mark.parametrize("decomposed", [False, True], ids=["in place", "functional"])
def test_two_writes_to_a_buffer_changed_places(decomposed):
    """Each write is itself and goes to what the other made; the buffer holds another value."""
    pair = [torch.export.export(Writes(swap=swap), (torch.ones(3),)) for swap in (False, True)]
    diff = compared(*((p.run_decompositions() if decomposed else p) for p in pair))
    assert lone(diff) == (set(), set())
    assert all(a.rstrip("_1") == b.rstrip("_1") for a, b in mates(diff).items())
    found = {(row.node_a, row.aspect) for row in diff.rows if row.severity == "wrong_result"}
    names = {"add", "mul", "add_1", "output"} if decomposed else {"add_", "mul_", "add"}
    assert found == {(name, "rewired") for name in names}
    assert diff.proof.level == "different"


def test_two_writes_through_a_view_changed_places():
    """Nothing in the arguments shows it: only the order of the writes does."""

    def function(a, *, swap):
        whole = a.clone()
        part = whole[0]
        for write in (lambda: part.mul_(2.0), lambda: whole.add_(1.0))[:: 1 if swap else -1]:
            write()
        return whole

    diff = compared(program(lambda a: function(a, swap=False), *ONE), program(lambda a: function(a, swap=True), *ONE))
    assert set(rows(diff)) == {
        ("add_", "add_", "order", "changed", "order", "wrong_result"),
        ("mul_", "mul_", "order", "changed", "order", "wrong_result"),
    }


def test_two_writes_that_do_not_meet_may_change_places():
    def function(a, *, swap):
        one, two = a.clone(), a.clone()
        for write in (lambda: two.mul_(2.0), lambda: one.add_(1.0))[:: 1 if swap else -1]:
            write()
        return one, two

    diff = compared(program(lambda a: function(a, swap=False), *ONE), program(lambda a: function(a, swap=True), *ONE))
    assert diff.proof.level == "identical"
    assert [row[2:] for row in rows(diff)] == [("order", "moved", "", "cosmetic")]


def test_a_constant_was_folded():
    """Two calls became one in the place of the factor; whether it is the same number is not known, so it is not said."""
    diff = compared(
        program(lambda a: a * (torch.ones(3) * 2), *ONE), program(lambda a: a * torch.full((3,), 2.0), *ONE)
    )
    groups = [(row.node_a, row.node_b) for row in diff.node_rows if row.match.startswith("group")]
    assert groups == [("ones, mul", "full")]
    assert list(rows(diff)) == [("mul", "full", "target", "changed", "rewritten", "wrong_result")]
    assert mates(diff)["mul_1"] == "mul"
    assert not diff.proof.same


def test_a_number_was_lifted_to_a_constant_tensor():
    """The product is the same node, and its factor comes from a new constant, through calls that hand it on."""

    def lifted(a):
        return a * torch.tensor(2.0)

    diff = compared(program(lambda a: a * 2.0, *ONE), program(lifted, *ONE))
    assert mates(diff)["mul"] == "mul"
    assert lone(diff)[0] == set()
    assert {diff.b.graph[name].op for name in lone(diff)[1]} == {"placeholder", "call_function"}
    assert roots(diff, lambda row: row.family not in COSMETIC) == {
        ("target", "only_b", "breaks_pass"): 2,
        ("signature.inputs", "added", "breaks_pass"): 1,
        ("constants", "added", "breaks_pass"): 1,
    }
    assert [(row.a, row.cause) for row in diff.rows if row.field == "args"] == [("2.0", "inherited")]
    assert not diff.proof.same


def with_dead_code(source: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
    graph = source.graph_module.graph
    at = next(node for node in graph.nodes if node.op == "call_function")
    for target in (torch.ops.aten.exp.default, torch.ops.aten.cos.default):
        with graph.inserting_after(at):
            new = graph.call_function(target, (at,))
        new.meta, at = dict(at.meta), new
    return source


def test_dead_code_on_one_side():
    def function(a):
        return a.sin()

    diff = compared(with_dead_code(exported(function, *ONE)), exported(function, *ONE))
    assert len(lone(diff)[0]) == 2
    assert {row[2:] for row in rows(diff)} == {("target", "only_a", "dead", "cosmetic")}
    assert diff.proof.rules == {"dead pure code": 2}


def picks(*, twice: bool, unused: bool) -> gl.Program:
    def function(a):
        top, _ = a.topk(2)
        return top.sin() + top

    source = exported(function, torch.randn(3, 4))
    graph = source.graph_module.graph
    by_name = {node.name: node for node in graph.nodes}
    if not unused:
        graph.erase_node(by_name["getitem_1"])
    if twice:
        with graph.inserting_before(by_name["add"]):
            again = graph.call_function(operator.getitem, (by_name["topk"], 0))
        again.meta = dict(by_name["getitem"].meta)
        by_name["add"].args = (by_name["add"].args[0], again)
    return gl.read(source)


@pytest.mark.parametrize(
    ("one", "other", "rules"),
    [
        ({"twice": False, "unused": True}, {"twice": True, "unused": True}, {"duplicate getitem": 1}),
        ({"twice": False, "unused": True}, {"twice": False, "unused": False}, {"unused getitem": 1}),
        (
            {"twice": True, "unused": True},
            {"twice": False, "unused": False},
            {"duplicate getitem": 1, "unused getitem": 1},
        ),
    ],
    ids=["duplicate", "unused", "both"],
)
def test_items_that_are_picked_again_or_for_nothing(one, other, rules):
    diff = compared(picks(**one), picks(**other))
    assert diff.proof.level == "identical up to"
    assert diff.proof.rules == rules
    assert {row.severity for row in diff.rows} == {"cosmetic"}
    assert {row[4] for row in rows(diff)} == {"dead"}


def several(a, b, c):
    one, two = a + b, b + c
    both = one * two
    return one.sin() + both, two.cos() - both


def renamed(source: gl.Program, names: dict[str, str]) -> gl.Program:
    nodes = [edits.rename_refs(replace(n, name=names.get(n.name, n.name)), names) for n in source.graph.nodes]
    outputs = tuple(replace(spec, argument=names.get(spec.argument, spec.argument)) for spec in source.outputs)
    return replace(edits.with_nodes(source, "", nodes), outputs=outputs)


@pytest.mark.parametrize(
    "cycle",
    [
        ("add", "add_1"),
        ("add_1", "add_2"),
        ("add", "sin", "mul", "add_2", "cos", "sub", "add_1"),
        ("add", "add_10", "add_1"),
    ],
    ids="-".join,
)
def test_names_never_win_over_structure(cycle):
    """Every node has the name that another had: each is found, and nothing but names changed."""
    source = program(several, torch.ones(3), torch.zeros(3), torch.full((3,), 2.0))
    names = dict(zip(cycle, (*cycle[1:], cycle[0]), strict=True))
    diff = compared(source, renamed(source, names))
    assert all(names.get(a, a) == b for a, b in mates(diff).items())
    assert lone(diff) == (set(), set())
    assert {(row.field, row.kind, row.severity) for row in diff.rows} == {("name", "renamed", "cosmetic")}
    assert len(diff.rows) == sum(name in source.graph for name in cycle)
    assert diff.proof.level == "identical"


def test_names_and_order_drawn_at_random():
    source = program(several, torch.ones(3), torch.zeros(3), torch.full((3,), 2.0))
    for seed in range(5):
        diff = compared(source, edits.scramble(source, random.Random(seed)))
        assert diff.proof.level == "identical", str(diff)
        assert {(row.field, row.severity) for row in diff.rows} <= {("name", "cosmetic"), ("order", "cosmetic")}


def branches(a):
    return torch.cond(a.sum() > 0, lambda t: t.sin(), lambda t: t.cos(), (a,))


def test_operands_in_a_tuple_and_in_a_list():
    """Loading makes lists of the operands of a higher-order op: a row, that passes trip over, and the same computation."""
    original = exported(branches, *ONE)
    diff = compared(original, reload(original))
    assert roots(diff)["args", "changed", "breaks_pass"] == 1
    assert {row.aspect for row in diff.rows if row.field == "args"} == {"container"}
    assert diff.proof.same
    assert "tuple for list" in diff.proof.rules


def test_a_list_of_operands_that_became_a_tuple():
    source = program(lambda a, b: torch.cat([a, b]))
    node = source.graph["cat"]
    turned = edits.edit_node(source, ("", "cat"), args=(Seq("tuple", node.args[0].items), *node.args[1:]))
    diff = compared(source, turned)
    assert list(rows(diff)) == [("cat", "cat", "args", "changed", "container", "breaks_pass")]
    assert diff.proof.rules == {"tuple for list": 1}


def test_other_structures_with_the_same_leaves():
    """The graph is the same; who calls it must pass, or gets, another structure."""
    pair = {"a": torch.ones(3), "b": torch.zeros(3)}
    given = compared(program(lambda d: d["a"] - d["b"], pair), program(lambda d: d[0] - d[1], (pair["a"], pair["b"])))
    assert roots(given, lambda row: row.family not in COSMETIC) == {
        ("pytree.in", "changed", "breaks_pass"): 1,
        ("signature.inputs", "changed", "breaks_pass"): 2,
    }
    got = compared(program(lambda a, b: {"p": a + b, "q": a - b}), program(lambda a, b: [a + b, a - b]))
    assert roots(got, lambda row: row.family not in COSMETIC) == {
        ("pytree.out", "changed", "breaks_pass"): 1,
        ("signature.outputs", "changed", "breaks_pass"): 2,
    }
    for diff in (given, got):
        assert not [row for row in diff.rows if row.node_a and row.family not in COSMETIC]
        assert diff.proof.level == "different"
        (text,) = (row for row in diff.rows if row.field.startswith("pytree"))
        assert text.a != text.b


def test_results_under_each_others_names():
    """The same leaves in the same order, and who asks for ``p`` gets what ``q`` was."""
    one, other = (
        program(function) for function in (lambda a, b: {"p": a + b, "q": a - b}, lambda a, b: {"q": a + b, "p": a - b})
    )
    diff = compared(one, other)
    assert {(row.field, row.aspect) for row in diff.rows if row.severity == "wrong_result"} == {
        ("signature.outputs[0]", "exchanged"),
        ("signature.outputs[1]", "exchanged"),
    }


def test_graphs_of_next_to_nothing():
    whole = program(several, torch.ones(3), torch.zeros(3), torch.full((3,), 2.0))
    bare = replace(whole, inputs=(), outputs=())
    empty = edits.with_nodes(bare, "", [])
    output = edits.with_nodes(bare, "", [replace(whole.graph.output, args=(Seq("tuple", ()),))])
    assert list(rows(compared(empty, output))) == [(None, "output", "target", "only_b", "", "wrong_result")]
    assert lone(compared(empty, whole)) == (set(), {node.name for node in whole.graph.nodes})
    assert lone(compared(output, whole)) == (set(), {node.name for node in whole.graph.nodes} - {"output"})
    assert compared(empty, replace(empty, graphs=freeze({"": replace(empty.graph)}))).ok


@pytest.mark.parametrize(
    ("one", "other", "row"),
    [
        (lambda a, b: (a, b.sin()), lambda a, b: (b, b.sin()), "rewired"),
        (lambda a, b: (a, a), lambda a, b: (a, b), "rewired"),
        (lambda a, b: None, lambda a, b: a, "rewired"),
        (lambda a, b: (a, 3), lambda a, b: (a, 4), "literal"),
        (lambda a, b: (a, 1), lambda a, b: (a, True), "literal"),
    ],
    ids=["input returned", "input returned twice", "nothing", "number", "bool"],
)
def test_results_that_nothing_computed(one, other, row):
    diff = compared(program(one), program(other))
    assert lone(diff) == (set(), set())
    assert [(r.node_a, r.field, r.aspect) for r in diff.rows if r.node_a] == [("output", "args", row)]
    assert diff.worst == "wrong_result"


def test_one_node_returned_twice():
    def once(a):
        result = a.sin()
        return result, result

    diff = compared(program(once, *ONE), program(lambda a: (a.sin(), a.cos()), *ONE))
    assert lone(diff) == (set(), {"cos"})
    assert [(r.where, r.inherited_from) for r in diff.rows if r.node_a == "output"] == [("args[0][1]", "cos")]
