"""What the checker accepts as the same, by a rule that it names and counts; what is nearly that, it refuses."""

from __future__ import annotations

import itertools
import random

import pytest
import torch
from diff.certificates import F32, body, call, given, proof
from diff.certificates import program as made
from diff.edits import scramble
from diff.exports import nested_program
from msgspec.structs import replace

from graphlens.diff import compare
from graphlens.diff.commute import COMMUTATIVE, commutes
from graphlens.program.frozen import freeze
from graphlens.program.graph import Graph, Node, Subgraph
from graphlens.program.parts import Symbol
from graphlens.program.program import Program
from graphlens.program.value import ConstValue, ContainerValue, SymValue, TensorValue

pytestmark = pytest.mark.filterwarnings("ignore")


def accepted(a: Program, b: Program, rules: dict[str, int], names: dict[str, str] | None = None) -> None:
    found = proof(a, b, names)
    back = proof(b, a, {y: x for x, y in (names or {}).items()})
    for one in (found, back):
        assert dict(one.rules) == rules, one
        assert one.level == ("identical up to" if rules else "identical"), one


def refused(a: Program, b: Program) -> bool:
    forth, back = proof(a, b).level, proof(b, a).level
    assert forth == back
    return forth == "different"


def one_call(target: str, *args, outputs=("y",), **kwargs) -> Program:
    return made(given("x"), given("z"), call("y", target, *args, **kwargs), outputs=outputs)


def test_names_and_the_order_of_pure_nodes():
    a = made(
        given("x"),
        call("s", "aten.sin.default", "%x"),
        call("c", "aten.cos.default", "%x"),
        call("d", "aten.sub.Tensor", "%s", "%c"),
        outputs=("d",),
    )
    b = made(
        given("x"),
        call("n0", "aten.cos.default", "%x"),
        call("n1", "aten.sin.default", "%x"),
        call("n2", "aten.sub.Tensor", "%n1", "%n0"),
        outputs=("n2",),
    )
    accepted(a, b, {}, {"s": "n1", "c": "n0", "d": "n2"})


@pytest.mark.parametrize("seed", range(4))
def test_a_program_scrambled(seed):
    program = nested_program()
    scrambled = scramble(program, random.Random(seed))
    diff = compare(program, scrambled)
    assert diff.proof.level == "identical", str(diff.proof)
    assert {(row.field, row.kind) for row in diff.rows} <= {("name", "renamed"), ("order", "moved")}
    assert diff.worst == "cosmetic"


def test_defaults_and_keywords():
    short = one_call("aten.add.Tensor", "%x", "%z")
    accepted(short, one_call("aten.add.Tensor", "%x", "%z", alpha=1), {"defaults filled": 1})
    assert refused(short, one_call("aten.add.Tensor", "%x", "%z", alpha=2))
    assert refused(short, one_call("aten.add.Tensor", "%x", "%z", alpha=1.0))
    assert refused(short, one_call("aten.add.Tensor", "%x", "%z", alpha=True))
    accepted(short, one_call("aten.add.Tensor", "%x", other="%z"), {"keyword for positional": 1})
    one = one_call("aten.sum.dim_IntList", "%x", [0], True)
    accepted(one, one_call("aten.sum.dim_IntList", "%x", [0], keepdim=True), {"keyword for positional": 1})
    accepted(one, one_call("aten.sum.dim_IntList", "%x", [0], True, dtype=None), {"defaults filled": 1})
    first = one_call("aten.conv2d.default", "%x", "%z", stride=[2, 2], padding=[1, 1])
    accepted(
        first,
        one_call("aten.conv2d.default", "%x", "%z", padding=[1, 1], stride=[2, 2]),
        {"order of keyword arguments": 1},
    )
    assert refused(first, one_call("aten.conv2d.default", "%x", "%z", padding=[2, 2], stride=[1, 1]))
    assert refused(one_call("from.elsewhere", "%x", 1), one_call("from.elsewhere", "%x", alpha=1))


def test_a_tuple_for_a_list():
    accepted(
        one_call("aten.view.default", "%x", [4, 4]), one_call("aten.view.default", "%x", (4, 4)), {"tuple for list": 1}
    )
    for target in ("_operator.getitem", "from.elsewhere"):  # x[0, 1] is an element, x[[0, 1]] are two rows
        assert refused(one_call(target, "%x", [0, 1], value=None), one_call(target, "%x", (0, 1), value=None))


def test_dead_pure_code():
    whole = made(
        given("x"),
        call("s", "aten.sin.default", "%x"),
        call("c", "aten.cos.default", "%s"),
        call("y", "aten.exp.default", "%x"),
        outputs=("y",),
    )
    lean = made(given("x"), call("y", "aten.exp.default", "%x"), outputs=("y",))
    accepted(whole, lean, {"dead pure code": 2})
    other = made(
        given("x"),
        call("s", "aten.tan.default", "%x"),
        call("c", "aten.cos.default", "%s"),
        call("y", "aten.exp.default", "%x"),
        outputs=("y",),
    )
    found = proof(whole, other)
    assert (found.level, dict(found.rules)) == ("identical up to", {"dead pure code": 2})
    used = made(
        given("x"),
        call("s", "aten.sin.default", "%x"),
        call("c", "aten.cos.default", "%s"),
        call("y", "aten.exp.default", "%x"),
        outputs=("y", "c"),
    )
    assert refused(whole, used)


PAIR = ContainerValue("tuple", (F32, F32))


def picked(*picks: int, use: tuple[int, int] = (0, 1)) -> Program:
    names = [f"g{i}" for i in range(len(picks))]
    gets = [call(name, "_operator.getitem", "%p", i) for name, i in zip(names, picks, strict=True)]
    return made(
        given("x"), call("p", "aten.sort.default", "%x", value=PAIR), *gets,
        call("d", "aten.sub.Tensor", f"%g{use[0]}", f"%g{use[1]}"), outputs=("d",),
    )  # fmt: skip


def test_items_that_are_picked_twice_or_in_vain():
    accepted(picked(0, 1), picked(0, 1, 0), {"unused getitem": 1})
    accepted(picked(0, 1), picked(0, 1, 0, use=(2, 1)), {"duplicate getitem": 1, "unused getitem": 1})
    accepted(picked(0, 1, use=(0, 0)), picked(0, 0, use=(0, 1)), {"duplicate getitem": 1, "unused getitem": 1})
    assert refused(picked(0, 1), picked(1, 0))
    assert refused(picked(0, 1), picked(0, 1, use=(1, 0)))
    assert refused(picked(0, 1), picked(0, -1))


def test_what_an_assertion_says():
    def program(text: str, node: str = "le", symbol: str = "u0") -> Program:
        return made(
            given("x", SymValue("SymInt", symbol)), call(node, "_operator.le", "%x", 5, value=SymValue("SymBool", f"{symbol} <= 5")),
            call("check", "aten._assert_scalar.default", f"%{node}", text, value=None), outputs=("x",),
            symbol_table=(Symbol(name=symbol),),
        )  # fmt: skip

    text = "Runtime assertion failed for expression {} <= 5 on node '{}'"
    first = program(text.format("u0", "le"))
    second = program(text.format("u3", "le_7"), "le_7", "u3")
    accepted(first, second, {"renumbered symbols": 1}, {"le": "le_7"})
    diff = compare(first, second)
    assert {(row.field, row.kind) for row in diff.rows} == {("name", "renamed")}
    third = program(text.format("u0", "le").replace("5", "6"))
    accepted(first, third, {"other texts of assertions": 1})
    diff = compare(first, third)
    assert [(row.field, row.aspect, row.severity) for row in diff.rows] == [("args", "message", "debug_info")]
    stale = program(text.format("u0", "somebody"))
    accepted(first, stale, {"other texts of assertions": 1})
    assert refused(first, made(given("x", SymValue("SymInt", "u0")), outputs=("x",)))
    wrong = (
        one_call("aten.einsum.default", "ij,jk", ["%x", "%z"]),
        one_call("aten.einsum.default", "ij,kj", ["%x", "%z"]),
    )
    assert refused(*wrong)


# Commuted operands: what the rule says, and what torch does.


def binary(target: str, first: str, second: str, value=F32, operands=(F32, F32), **kwargs) -> Program:
    return made(
        given("x", operands[0]),
        given("z", operands[1]),
        call("y", target, first, second, value=value, **kwargs),
        outputs=("y",),
    )


INT = replace(F32, dtype="int64")
SYM = SymValue("SymInt", "s0 + s1")


def exchanged(target: str, **options) -> tuple[Program, Program]:
    return binary(target, "%x", "%z", **options), binary(target, "%z", "%x", **options)


def test_operands_that_may_change_places():
    for target in sorted(COMMUTATIVE):
        symbolic = target.startswith(("_operator", "torch"))
        values = (
            {"value": SYM, "operands": (SymValue("SymInt", "s0"), SymValue("SymInt", "s1"))}
            if symbolic
            else {"value": INT, "operands": (INT, INT)}
        )
        accepted(*exchanged(target, **values), {"commuted operands": 1})
        same = binary(target, "%x", "%x", **values)
        accepted(same, same, {})


ORDERED = ["aten.sub.Tensor", "aten.div.Tensor", "aten.pow.Tensor_Tensor", "aten.matmul.default", "aten.atan2.default", "aten.lt.Tensor",
           "aten.copysign.Tensor", "aten.remainder.Tensor", "aten.add_.Tensor", "aten.cross.default", "_operator.sub", "from.elsewhere"]  # fmt: skip


@pytest.mark.parametrize("target", ORDERED)
def test_operands_that_may_not_change_places(target):
    assert refused(*exchanged(target))


def test_when_commuting_is_not_known_to_be_exact():
    assert refused(*exchanged("aten.add.Tensor", alpha=2))
    accepted(*exchanged("aten.add.Tensor", alpha=1), {"commuted operands": 1})
    assert refused(*exchanged("aten.add.Tensor", alpha=1.0))
    assert refused(*exchanged("aten.maximum.default"))  # of +0.0 and -0.0 some kernels take the second
    for value in (
        None,
        replace(F32, stride=None),
        replace(F32, dtype="complex64"),
        replace(F32, dtype="quint8"),
        ConstValue(1),
    ):
        assert refused(*exchanged("aten.mul.Tensor", value=value))
    assert refused(*exchanged("_operator.add", value=SymValue("SymFloat", "z0")))
    assert refused(*exchanged("_operator.add", value=ConstValue("ab")))
    assert refused(*exchanged("_operator.add", value=None))
    turned = binary("aten.mul.Tensor", "%z", "%x", value=replace(F32, stride=(1, 4)))
    assert refused(binary("aten.mul.Tensor", "%x", "%z"), turned)


FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
INTEGERS = [torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]
SHAPES = [
    ((3, 5), (3, 5)),
    ((3, 5), (5,)),
    ((), (3, 5)),
    ((17,), (17,)),
    ((4, 1), (1, 33)),
    ((2, 3, 4), (2, 3, 4)),
    ((0, 3), (3,)),
]


def operand(dtype: torch.dtype, shape: tuple[int, ...], rng: torch.Generator) -> torch.Tensor:
    if not dtype.is_floating_point and not dtype.is_complex:
        return torch.randint(0, 2 if dtype == torch.bool else 100, shape, generator=rng).to(dtype)
    made = torch.randn(shape, generator=rng, dtype=torch.float64) * 10 ** torch.randint(-3, 4, shape, generator=rng)
    special = torch.tensor([0.0, -0.0, float("inf"), -float("inf"), 1.0, -1.0, 1e-40, 65504.0])
    chosen = special[torch.randint(0, 8, shape, generator=rng)]
    return torch.where(torch.rand(shape, generator=rng) < 0.3, chosen.double(), made).to(dtype)


def described(tensor: torch.Tensor) -> TensorValue:
    return TensorValue(
        shape=tuple(tensor.shape), dtype=str(tensor.dtype).removeprefix("torch."), stride=tuple(tensor.stride())
    )


def function(target: str):
    namespace, packet, overload = target.split(".")
    return getattr(getattr(getattr(torch.ops, namespace), packet), overload)


@pytest.mark.parametrize("target", sorted(t for t in COMMUTATIVE if t.startswith("aten.")))
def test_torch_commutes_bit_by_bit_wherever_the_rule_says_so(target):
    rng, op, tried = torch.Generator().manual_seed(0), function(target), 0
    for first, second in itertools.product([*FLOATS, *INTEGERS, torch.complex64], repeat=2):
        for shapes in SHAPES:
            x, z = operand(first, shapes[0], rng), operand(second, shapes[1], rng)
            try:
                one = op(x, z)
            except RuntimeError:
                continue
            values = {"x": described(x), "z": described(z)}
            nodes = [
                call("y", target, *names, value=described(out))
                for names, out in ((("%x", "%z"), one), (("%z", "%x"), op(z, x)))
            ]
            if not all(commutes(node, values.get) for node in nodes) or nodes[0].value != nodes[1].value:
                continue
            two = op(z, x)
            tried += 1
            assert one.dtype == two.dtype
            assert one.stride() == two.stride()
            bits = (t.contiguous().view(torch.uint8) if t.dim() else t.reshape(1).view(torch.uint8) for t in (one, two))
            nan = one.isnan() if one.is_floating_point() else torch.zeros_like(one, dtype=torch.bool)
            left, right = bits
            if not nan.any():
                assert torch.equal(left, right), (target, first, second, shapes)
            else:
                assert torch.equal(one.masked_fill(nan, 0), two.masked_fill(nan, 0))
                assert torch.equal(nan, two.isnan())
    assert tried > 100


def test_symbolic_arithmetic_commutes():
    for a, b in itertools.product([0, 1, -3, 7, 2**40], repeat=2):
        assert torch.sym_max(a, b) == torch.sym_max(b, a)
        assert torch.sym_min(a, b) == torch.sym_min(b, a)
        assert (a + b, a * b) == (b + a, b * a)


# Common subexpressions, merged on one side.


def twice(
    first: str, second: str | None, *before, use=("%s", "%t"), outputs=("d",), args=("%x",), between=()
) -> Program:
    again = () if second is None else (call("t", second, *args),)
    return made(
        given("x"), given("z"), *before, call("s", first, *args), *between, *again,
        call("d", "aten.sub.Tensor", *use), outputs=outputs,
    )  # fmt: skip


def test_duplicates_that_one_side_merged():
    two, one = twice("aten.sin.default", "aten.sin.default"), twice("aten.sin.default", None, use=("%s", "%s"))
    accepted(two, one, {"merged duplicates": 1})
    for a, b, kind in ((two, one, "only_a"), (one, two, "only_b")):
        diff = compare(a, b)
        assert diff.proof.level == "identical up to", str(diff)
        assert diff.worst == "cosmetic"
        assert {row.severity for row in diff.rows} == {"cosmetic"}
        assert [(row.field, row.kind, row.aspect, row.cause) for row in diff.rows if row.cause == "root"] == [
            ("target", kind, "duplicate", "root")
        ]
        assert [row.aspect for row in diff.rows if row.cause == "inherited"] == ["merged"]


def test_chains_of_duplicates():
    def program(count: int) -> Program:
        nodes = [given("x")]
        for i in range(count):
            nodes += [call(f"s{i}", "aten.sin.default", "%x"), call(f"c{i}", "aten.mul.Tensor", f"%s{i}", 2.0)]
        nodes += [call("y", "aten.stack.default", [f"%c{i % count}" for i in range(4)])]
        return made(*nodes, outputs=("y",))

    accepted(program(4), program(1), {"merged duplicates": 6})
    accepted(program(4), program(3), {"merged duplicates": 2})
    accepted(program(4), program(4), {})


NOT_MERGED = {
    "random draws": ("aten.rand_like.default", ("%x",)),
    "memory that is not initialised": ("aten.empty_like.default", ("%x",)),
    "collectives": ("_c10d_functional.all_reduce.default", ("%x", "sum", "0")),
    "an operator of a user": ("mine.op.default", ("%x",)),
    "a function of a user": ("from.elsewhere", ("%x",)),
    "dropout": ("aten.dropout.default", ("%x", 0.5, True)),
}


@pytest.mark.parametrize("what", NOT_MERGED)
def test_duplicates_that_are_not_known_to_be_equal(what):
    target, args = NOT_MERGED[what]
    two, one = twice(target, target, args=args), twice(target, None, use=("%s", "%s"), args=args)
    assert refused(two, one)
    assert compare(two, one).worst in ("wrong_result", "breaks_pass")


def test_duplicates_that_differ():
    one = twice("aten.sin.default", None, use=("%s", "%s"))
    assert refused(twice("aten.sin.default", "aten.cos.default"), one)
    other = made(
        *(
            n if n.name != "t" else call("t", "aten.sin.default", "%z")
            for n in twice("aten.sin.default", "aten.sin.default").graph.nodes[:-1]
        ),
        outputs=("d",),
    )
    assert refused(other, one)
    for first, second in ((2, 2.0), (1, True), (0.0, -0.0)):
        pair = made(
            given("x"),
            call("s", "aten.mul.Tensor", "%x", first),
            call("t", "aten.mul.Tensor", "%x", second),
            call("d", "aten.sub.Tensor", "%s", "%t"),
            outputs=("d",),
        )
        single = made(
            given("x"),
            call("s", "aten.mul.Tensor", "%x", first),
            call("d", "aten.sub.Tensor", "%s", "%s"),
            outputs=("d",),
        )
        assert refused(pair, single)
    record = made(
        *(
            n if n.name != "t" else replace(n, value=replace(F32, dtype="float16"))
            for n in twice("aten.sin.default", "aten.sin.default").graph.nodes[:-1]
        ),
        outputs=("d",),
    )
    assert refused(record, one)


def test_duplicates_around_a_write():
    """Equal calls see another value when what they read was written between them, or when one of their results is."""
    write = call("w", "aten.add_.Tensor", "%x", 1.0)
    two = twice("aten.sin.default", "aten.sin.default", between=(write,))
    assert refused(two, twice("aten.sin.default", None, use=("%s", "%s"), between=(write,)))
    view = (call("v", "aten.view.default", "%x", [16]), call("w", "aten.add_.Tensor", "%v", 1.0))
    assert refused(
        twice("aten.sin.default", "aten.sin.default", between=view),
        twice("aten.sin.default", None, use=("%s", "%s"), between=view),
    )
    result = call("w", "aten.add_.Tensor", "%s", 1.0)
    two = twice("aten.sin.default", "aten.sin.default", between=(result,))
    assert refused(two, twice("aten.sin.default", None, use=("%s", "%s"), between=(result,)))


def test_duplicates_that_are_results():
    """Whoever gets two tensors may write one of them."""
    two = twice("aten.sin.default", "aten.sin.default", outputs=("s", "t", "d"))
    one = twice("aten.sin.default", None, use=("%s", "%s"), outputs=("s", "s", "d"))
    assert refused(two, one)


def test_a_duplicate_of_a_result():
    """One of two is returned, and nobody else can reach the other; where its user is a view of it, that is returned too."""
    two, one = (
        twice("aten.sin.default", "aten.sin.default", outputs=("s", "d")),
        twice("aten.sin.default", None, use=("%s", "%s"), outputs=("s", "d")),
    )
    accepted(two, one, {"merged duplicates": 1})

    def seen(second: bool) -> Program:
        nodes = (call("t", "aten.sin.default", "%x"),) if second else ()
        view = call("v", "aten.view.default", "%t" if second else "%s", [16])
        return made(given("x"), call("s", "aten.sin.default", "%x"), *nodes, view, outputs=("s", "v"))

    assert refused(seen(True), seen(False))


def test_duplicate_views():
    args = ("%x", [16])
    two = twice("aten.view.default", "aten.view.default", args=args)
    accepted(two, twice("aten.view.default", None, use=("%s", "%s"), args=args), {"merged duplicates": 1})
    for written in ("%x", "%s"):
        write = (call("w", "aten.add_.Tensor", written, 1.0),)
        two = twice("aten.view.default", "aten.view.default", args=args, between=write)
        assert refused(two, twice("aten.view.default", None, use=("%s", "%s"), args=args, between=write))
    two = twice("aten.view.default", "aten.view.default", args=args, outputs=("s", "t"))
    assert refused(two, twice("aten.view.default", None, use=("%s", "%s"), args=args, outputs=("s", "s")))


def test_symbolic_sizes_computed_twice():
    size = SymValue("SymInt", "s0 + 1")

    def program(second: bool) -> Program:
        again = (call("t", "_operator.add", "%n", 1, value=size),) if second else ()
        return made(
            given("n", SymValue("SymInt", "s0")), call("s", "_operator.add", "%n", 1, value=size), *again,
            call("y", "aten.zeros.default", ["%s", "%t" if second else "%s"]), outputs=("y",),
        )  # fmt: skip

    accepted(program(True), program(False), {"merged duplicates": 1})


def called_twice(first: Graph, second: Graph, swap: bool = False) -> Program:
    nodes = [
        given("x"), Node(name="f", op="get_attr", target="f"), holder("c", "f"), Node(name="g", op="get_attr", target="g"),
        holder("d", "g"), call("y", "aten.sub.Tensor", "%c", "%d"),
    ]  # fmt: skip
    program = made(*nodes, outputs=("y",))
    bodies = (second, first) if swap else (first, second)
    return replace(program, graphs=freeze({"": program.graph, "c.f": bodies[0], "d.f": bodies[1]}))


def holder(name: str, held: str) -> Node:
    made_call = call(name, "higher_order.invoke_subgraph", f"%{held}", "%x")
    return replace(made_call, subgraphs=(Subgraph(role="f", where="args[0]", attribute=held),))


def test_bodies_that_several_callers_share():
    sine = body(given("s"), call("r", "aten.sin.default", "%s"), outputs=("r",))
    again = body(given("s"), call("r", "aten.sin.default", "%s"), outputs=("r",))
    cosine = body(given("s"), call("r", "aten.cos.default", "%s"), outputs=("r",))
    accepted(called_twice(sine, sine), called_twice(sine, again), {})
    accepted(called_twice(sine, sine), called_twice(again, again), {})
    for other in (called_twice(sine, cosine), called_twice(cosine, sine), called_twice(cosine, cosine)):
        assert refused(called_twice(sine, sine), other)
    assert refused(called_twice(sine, cosine), called_twice(sine, cosine, swap=True))
