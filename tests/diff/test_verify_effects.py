"""What happens besides computing: draws, writes, reads of what is written, messages, states. Its order is part of a program."""

from __future__ import annotations

from itertools import permutations

import pytest
from diff.certificates import F32, body, call, given, holds, proof
from diff.certificates import program as made
from msgspec.structs import replace

from graphlens.program.frozen import freeze
from graphlens.program.graph import Graph, Node
from graphlens.program.parts import StoredTensor
from graphlens.program.program import Program
from graphlens.program.value import ContainerValue


def reordered(program: Program, order: list[str], path: str = "") -> Program:
    graph = program.graphs[path]
    rest = [n for n in graph.nodes if n.name not in order]
    first = min(graph.index[name] for name in order)
    nodes = [*rest[:first], *(graph[name] for name in order), *rest[first:]]
    return replace(program, graphs=freeze({**program.graphs, path: Graph(tuple(nodes), graph.meta)}))


def same(a: Program, b: Program) -> bool:
    assert proof(a, a).level == "identical"
    assert proof(b, b).level == "identical"
    forth, back = proof(a, b), proof(b, a)
    assert forth.level == back.level
    assert forth.level in ("identical", "different")
    return forth.same


RAND = "aten.rand.default"


def test_two_draws_exchanged():
    program = made(
        call("r", RAND, [4, 4]), call("s", RAND, [4, 4]), call("d", "aten.sub.Tensor", "%r", "%s"), outputs=("d",)
    )
    assert not same(program, reordered(program, ["s", "r"]))
    crossed = made(
        call("r", RAND, [4, 4]), call("s", RAND, [4, 4]), call("d", "aten.sub.Tensor", "%s", "%r"), outputs=("d",)
    )
    assert proof(program, crossed).level == "different"
    assert proof(program, crossed, {"r": "s", "s": "r"}).level == "different"


def test_two_dropouts_exchanged():
    def program(train: bool) -> Program:
        return made(
            given("x"), given("y"),
            call("r", "aten.dropout.default", "%x", 0.5, train), call("s", "aten.dropout.default", "%y", 0.5, train),
            outputs=("r", "s"),
        )  # fmt: skip

    assert not same(program(True), reordered(program(True), ["s", "r"]))
    assert same(program(False), reordered(program(False), ["s", "r"]))


def test_a_draw_that_two_share_or_that_is_made_twice():
    one = made(call("r", RAND, [4, 4]), call("d", "aten.sub.Tensor", "%r", "%r"), outputs=("d",))
    two = made(
        call("r", RAND, [4, 4]), call("s", RAND, [4, 4]), call("d", "aten.sub.Tensor", "%r", "%s"), outputs=("d",)
    )
    for a, b in ((one, two), (two, one)):
        assert proof(a, b).level == "different"
    unused = made(
        call("r", RAND, [4, 4]), call("s", RAND, [4, 4]), call("d", "aten.sub.Tensor", "%r", "%r"), outputs=("d",)
    )
    assert proof(one, unused).level == "different"  # the next draw of whoever comes after is another


def test_two_writes_exchanged():
    program = made(
        given("x"), given("y"),
        call("w", "aten.add_.Tensor", "%x", "%y"), call("v", "aten.mul_.Tensor", "%x", "%y"), outputs=("v",),
    )  # fmt: skip
    assert not same(program, reordered(program, ["v", "w"]))


READS = {
    "itself": ("%x",),
    "a view": ("%view",),
    "an item": ("%item",),
    "a copy that may be a view": ("%maybe",),
}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("write", READS)
def test_a_read_moved_across_a_write(read, write):
    program = made(
        given("x"), given("y"),
        call("view", "aten.view.default", "%x", [16]),
        call("parts", "aten.split.Tensor", "%x", 2, value=ContainerValue("list", (F32, F32))),
        call("item", "_operator.getitem", "%parts", 0),
        call("maybe", "aten.reshape.default", "%x", [2, 8]),
        call("w", "aten.add_.Tensor", *READS[write], 1.0),
        call("r", "aten.sin.default", *READS[read]),
        outputs=("r",),
    )  # fmt: skip
    assert not same(program, reordered(program, ["r", "w"]))
    other = replace(program.graph["r"], args=call("", "", "%y").args)
    apart = made(*[other if n.name == "r" else n for n in program.graph.nodes[:-1]], outputs=("r",))
    assert same(apart, reordered(apart, ["r", "w"]))


def test_a_write_to_one_of_two_things_that_are_read_together():
    """How often each of them was written counts, not how often any of them."""
    program = made(
        given("x"), given("y"),
        call("w", "aten.add_.Tensor", "%x", 1.0), call("r", "aten.sub.Tensor", "%x", "%y"),
        call("v", "aten.add_.Tensor", "%y", 1.0), outputs=("r",),
    )  # fmt: skip
    assert not same(program, reordered(program, ["v", "r", "w"]))


def test_getting_an_item_reads_nothing():
    program = made(
        given("x"),
        call("parts", "aten.split.Tensor", "%x", 2, value=ContainerValue("list", (F32, F32))),
        call("item", "_operator.getitem", "%parts", 0),
        call("w", "aten.add_.Tensor", "%x", 1.0),
        call("r", "aten.sin.default", "%item"),
        outputs=("r",),
    )
    assert same(program, reordered(program, ["w", "item"]))
    assert not same(program, reordered(program, ["item", "r", "w"]))


def test_detaching_what_needs_no_gradient_writes_nothing():
    def program(needs: bool | None) -> Program:
        return made(
            given("x"), call("c", "aten.lift_fresh_copy.default", "%x", value=replace(F32, requires_grad=needs)),
            call("d", "aten.detach_.default", "%c", value=replace(F32, requires_grad=False)),
            call("s", "aten.sin.default", "%c"), call("t", "aten.cos.default", "%d"), outputs=("s", "t"),
        )  # fmt: skip

    assert same(program(False), reordered(program(False), ["s", "d"]))
    for needs in (True, None):
        assert not same(program(needs), reordered(program(needs), ["s", "d"]))


def stored(fqn: str, storage: str) -> StoredTensor:
    return StoredTensor(fqn=fqn, kind="buffer", shape=(4, 4), dtype="float32", storage=storage)


@pytest.mark.parametrize("tied", [False, True])
def test_a_write_through_another_name_of_the_same_weight(tied):
    fields = {"stored": (stored("one", "0"), stored("two", "0" if tied else "1"))}
    program = made(
        given("b_one"), given("b_two"),
        call("w", "aten.add_.Tensor", "%b_one", 1.0), call("r", "aten.sin.default", "%b_two"), outputs=("r",), **fields,
    )  # fmt: skip
    assert same(program, reordered(program, ["r", "w"])) != tied


def attribute(name: str, target: str) -> Node:
    return Node(name=name, op="get_attr", target=target, value=F32)


@pytest.mark.parametrize(
    ("first", "second", "storage"), [("one", "one", "0"), ("one", "two", "0"), ("one", "two", "1")]
)
@pytest.mark.parametrize("known", [False, True])
def test_a_write_through_an_attribute(first, second, storage, known):
    fields = {"stored": (stored("one", "0"), stored("two", storage))} if known else {}
    program = made(
        attribute("p", first), attribute("q", second),
        call("w", "aten.add_.Tensor", "%p", 1.0), call("r", "aten.sin.default", "%q"), outputs=("r",), **fields,
    )  # fmt: skip
    apart = first != second and (not known or storage == "1")
    assert same(program, reordered(program, ["r", "w"])) == apart


def test_inputs_of_a_nested_graph_may_be_one_storage():
    inside = body(
        given("s"),
        given("t"),
        call("w", "aten.add_.Tensor", "%s", 1.0),
        call("r", "aten.sin.default", "%t"),
        outputs=("r",),
    )
    program = holds(made(given("x"), holder("c", "%x", "%x"), outputs=("c",)), "c", inside)
    assert not same(program, reordered(program, ["r", "w"], "c.f"))


def holder(name: str, *operands: str, target: str = "higher_order.invoke_subgraph") -> Node:
    return call(name, target, "%body", "name", *operands)


def test_a_write_inside_a_nested_graph():
    inside = body(
        given("s"), call("w", "aten.add_.Tensor", "%s", 1.0), call("r", "aten.sin.default", "%s"), outputs=("r",)
    )
    program = holds(
        made(given("b_x"), given("y"), holder("c", "%b_x"), call("r", "aten.cos.default", "%b_x"), outputs=("c", "r")),
        "c",
        inside,
    )
    assert not same(program, reordered(program, ["r", "w"], "c.f"))
    assert not same(program, reordered(program, ["r", "c"]))
    clean = holds(program, "c", body(given("s"), call("r", "aten.sin.default", "%s"), outputs=("r",)))
    assert same(clean, reordered(clean, ["r", "c"]))


def test_a_draw_inside_a_nested_graph():
    inside = body(given("s"), call("r", "aten.rand_like.default", "%s"), outputs=("r",))
    program = holds(
        made(given("x"), holder("c", "%x"), call("r", "aten.rand_like.default", "%x"), outputs=("c", "r")), "c", inside
    )
    assert not same(program, reordered(program, ["r", "c"]))


NORM = ("aten.batch_norm.default", "%x", "%w", "%w", "%b_mean", "%b_var")


@pytest.mark.parametrize("training", [False, True])
def test_statistics_that_a_norm_updates(training):
    program = made(
        given("x"), given("w"), given("b_mean"), given("b_var"),
        call("n", *NORM, training, 0.1, 1e-5, True), call("r", "aten.sin.default", "%b_mean"), outputs=("n", "r"),
    )  # fmt: skip
    assert same(program, reordered(program, ["r", "n"])) != training
    gone = made(*program.graph.nodes[:4], program.graph["r"], outputs=("r",))
    unused = made(*program.graph.nodes[:-1], outputs=("r",))
    assert proof(gone, unused).same != training


COLLECTIVE = "_c10d_functional.all_reduce.default"


def test_two_collectives_exchanged():
    program = made(
        given("x"),
        given("y"),
        call("r", COLLECTIVE, "%x", "sum", "0"),
        call("s", COLLECTIVE, "%y", "sum", "0"),
        outputs=("r", "s"),
    )
    assert not same(program, reordered(program, ["s", "r"]))


WRITING = "(Tensor(a!) x, Tensor y) -> ()"
PURE = "(Tensor x) -> Tensor"


def test_a_custom_operator_that_writes():
    fields = {"schemas": {"mine.put.default": "mine::put" + WRITING}}
    program = made(
        given("x"), given("y"), given("z"), call("w", "mine.put.default", "%x", "%y", value=None),
        call("r", "aten.sin.default", "%x"), call("q", "aten.cos.default", "%z"), outputs=("r", "q"), **fields,
    )  # fmt: skip
    accepted = {"custom operators of the same name are the same", "tensors that a caller passes share no storage"}
    for order in permutations(["w", "r", "q"]):
        found = proof(program, reordered(program, list(order)))
        assert found.same == (order.index("w") < order.index("r"))
        assert not found.same or set(found.assumptions) <= accepted
    gone = made(*[n for n in program.graph.nodes[:-1] if n.name != "w"], outputs=("r", "q"), **fields)
    assert proof(program, gone).level == "different"


@pytest.mark.parametrize("target", ["mine.op.default", "higher_order.of_tomorrow", "module.function"])
def test_a_function_that_nothing_is_known_of(target):
    program = made(
        given("x"), given("y"), call("w", target, "%x", value=None), call("r", "aten.sin.default", "%x"),
        call("s", RAND, [4, 4]), call("q", "aten.cos.default", "%y"), outputs=("r", "q", "s"),
    )  # fmt: skip
    assert not same(program, reordered(program, ["r", "w"]))  # it may have written
    assert not same(program, reordered(program, ["r", "s", "w"]))  # it may have drawn
    assert same(program, reordered(program, ["q", "w"]))
    gone = made(*[n for n in program.graph.nodes[:-1] if n.name != "w"], outputs=("r", "q", "s"))
    assert proof(program, gone).level == "different"


def test_a_schema_that_one_side_lacks():
    """A file does not bring the schemas of custom operators along, a live program does."""
    nodes = (given("x"), call("c", "mine.op.default", "%x"), call("r", "aten.sin.default", "%x"))
    live, file = (
        made(*nodes, outputs=("c", "r"), schemas={"mine.op.default": "mine::op" + PURE}),
        made(*nodes, outputs=("c", "r")),
    )
    for a, b in ((live, file), (file, live)):
        found = proof(a, b)
        assert found.level == "identical"
        assert "custom operators of the same name are the same" in found.assumptions


STATES = [
    ("torch._C._set_grad_enabled", (False,)),
    ("torch.amp.autocast_mode._enter_autocast", ("cpu", None, True, None)),
    ("torch._C._functorch._vmap_increment_nesting", (3, "error")),
]  # fmt: skip


@pytest.mark.parametrize(("target", "args"), STATES)
def test_what_changes_how_everything_after_it_runs(target, args):
    program = made(
        given("x"), call("w", target, *args, value=None), call("r", "aten.mm.default", "%x", "%x"), outputs=("r",)
    )
    assert not same(program, reordered(program, ["r", "w"]))


ASSERTS = [
    ("aten._assert_async.msg", ("%x", "must hold")),
    ("aten._assert_scalar.default", ("%x", "must hold")),
    ("aten.sym_constrain_range_for_size.default", ("%x",)),
    ("aten._assert_tensor_metadata.default", ("%x", None, None)),
    ("torch._check", ("%x",)),
]


@pytest.mark.parametrize(("target", "args"), ASSERTS)
def test_an_assertion_that_one_side_lost(target, args):
    whole = made(given("x"), call("w", target, *args, value=None), call("r", "aten.sin.default", "%x"), outputs=("r",))
    lost = made(given("x"), call("r", "aten.sin.default", "%x"), outputs=("r",))
    for a, b in ((whole, lost), (lost, whole)):
        assert proof(a, b).level == "different"
    assert same(whole, reordered(whole, ["r", "w"]))


def test_a_function_of_a_user_that_is_called_like_an_assertion():
    program = made(
        given("x"),
        call("w", "mine._check_and_count", "%x", value=None),
        call("r", "aten.sin.default", "%x"),
        outputs=("r",),
    )
    assert not same(program, reordered(program, ["r", "w"]))


@pytest.mark.parametrize(
    "target", ["_operator.call", "builtins.print", "builtins.map", "builtins.breakpoint", "_operator.iadd"]
)
def test_builtins_that_do_something(target):
    gone = made(given("x"), call("r", "aten.sin.default", "%x"), outputs=("r",))
    there = made(
        given("x"), call("w", target, "%x", 1, value=None), call("r", "aten.sin.default", "%x"), outputs=("r",)
    )
    assert proof(gone, there).level == "different"
