"""Known edits at random places, in the root and in every nested body: each gives its row and no other root."""

from __future__ import annotations

import random
from typing import Any

import pytest
from diff import edits
from diff.edits import check
from diff.exports import nested_program
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphlens.diff import compare
from graphlens.program.argument import Map, Ref, Seq
from graphlens.program.frozen import freeze
from graphlens.program.graph import ModuleCall, Provenance
from graphlens.program.value import ConstValue, ContainerValue, TensorValue

SOME = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
BODIES = {"", "cond.true_fn", "cond.true_fn/cond.true_fn", "cond.true_fn/cond.false_fn", "cond.false_fn"} | {
    "map_impl.f", "scan.combine_fn", "while_loop.cond_fn", "while_loop.body_fn",
}  # fmt: skip


def pick(data: st.DataObject, places: list[Any]) -> Any:
    assert places
    return data.draw(st.sampled_from(places))


def test_the_program_has_every_kind_of_body():
    assert set(nested_program().graphs) == BODIES


def test_a_program_has_no_difference_from_itself():
    diff = check(nested_program(), nested_program(), set())
    assert diff.ok
    assert diff.worst is None
    assert diff.proof.level == "identical"
    assert diff.verdict.startswith("identical: ")
    assert diff.mismatches.empty


@SOME
@given(st.data())
def test_a_changed_target(data):
    program = nested_program()
    place = pick(data, edits.calls(program, lambda n: n.target in edits.SWAPS))
    edited, expected = edits.change_target(program, place)
    assert check(program, edited, expected).worst == "wrong_result"


@SOME
@given(st.data())
def test_a_changed_literal(data):
    program = nested_program()
    place = pick(data, edits.calls(program, edits.has_literal))
    edited, expected = edits.change_literal(program, place)
    assert check(program, edited, expected).worst == "wrong_result"


@pytest.mark.parametrize(
    ("old", "new"), [(2.0, 2), (1.0, True), (0.0, -0.0), (2.0, float("nan")), (2.0, "2.0"), (2.0, None)]
)
def test_literals_that_python_calls_equal(old, new):
    program = nested_program()
    place = ("map_impl.f", "mul_1")
    before = edits.edit_node(program, place, args=(Ref("cos"), old))
    after = edits.edit_node(program, place, args=(Ref("cos"), new))
    check(before, after, {(*place, "mul_1", "args", "changed")})
    check(after, after, set())


@SOME
@given(st.data())
def test_a_rewired_argument(data):
    program = nested_program()
    place, at, operand = pick(data, list(edits.rewirings(program)))
    edited, expected = edits.rewire(program, place, at, operand)
    diff = check(program, edited, expected)
    assert diff.worst == "wrong_result"
    assert diff.rows[0].aspect == "rewired"


@pytest.mark.parametrize("facet", edits.FACETS)
@settings(max_examples=8, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_changed_facet_of_a_value(facet, data):
    program = nested_program()
    place = pick(data, edits.tensors(program))
    edited, expected = edits.change_facet(program, place, facet)
    check(program, edited, expected)


@pytest.mark.parametrize("facet", ["conj", "neg", "requires_grad", "type", "storage_offset", "layout", "device"])
def test_an_unknown_facet_differs_only_from_what_is_not_the_default(facet):
    program, place = nested_program(), ("map_impl.f", "sin")
    value = edits.node_at(program, place).value
    from msgspec.structs import replace

    unknown = edits.edit_node(program, place, value=replace(value, **{facet: None}))
    check(program, unknown, set())
    special = edits.edit_node(program, place, value=replace(value, **{facet: edits.FACETS[facet](value)}))
    check(special, unknown, {(*place, "sin", f"val.{facet}", "lost")})
    check(unknown, special, {(*place, "sin", f"val.{facet}", "added")})


METADATA: dict[str, tuple[Any, Any]] = {
    "stack_trace": ('File "a.py", line 1, in f\n    x', 'File "a.py", line 2, in f\n    x'),
    "nn_module_stack": ((ModuleCall("k", "m", "M"),), (ModuleCall("k@1", "m", "M"),)),
    "source_fn_stack": ((("sin", "torch.sin"),), (("sin_1", "torch.sin"),)),
    "torch_fn": (("sin_1", "f"), ("sin_2", "f")),
    "from_node": ((Provenance("x", "t", "p", ("create",), 1),), (Provenance("y", "t", "p", ("create",), 1),)),
    "custom": (Map((("id", 3),)), Map((("id", "3"),))),
    "quantization_tag": (1, 1.0),
    "private_key": (Seq("tuple", (1, 2)), Seq("list", (1, 2))),
}


@pytest.mark.parametrize("key", METADATA)
@settings(max_examples=6, deadline=None, derandomize=True)
@given(data=st.data())
def test_metadata_changed_lost_and_added(key, data):
    program = nested_program()
    place = pick(data, edits.calls(program))
    old, new = METADATA[key]
    before, after = (edits.with_meta(program, place, **{key: value}) for value in (old, new))
    without = edits.with_meta(program, place, **{key: None})
    row = (*place, place[1], key)
    check(before, before, set())
    check(before, after, {(*row, "changed")})
    check(before, without, {(*row, "lost")})
    check(without, before, {(*row, "added")})


@pytest.mark.parametrize("empty", [{"custom": Map(())}, {"stack_trace": ""}, {"nn_module_stack": ()}])
def test_empty_metadata_says_no_more_than_none(empty):
    program, place = nested_program(), ("scan.combine_fn", "mul")
    without = edits.with_meta(program, place, **dict.fromkeys(empty))
    check(edits.with_meta(program, place, **empty), without, set())


@SOME
@given(st.data())
def test_an_insertion(data):
    program = nested_program()
    place = pick(
        data, edits.calls(program, lambda n: not n.target.startswith(("_operator", "aten.detach", "aten.lift")))
    )
    edited, expected = edits.insert_after(program, place)
    diff = check(program, edited, expected)
    inherited = [row for row in diff.rows if row.cause == "inherited"]
    assert {row.field for row in inherited} == {"args"}
    assert {row.inherited_from for row in inherited} == {"inserted"}
    assert len({row.node_a for row in inherited}) == len(program.graphs[place[0]].users[place[1]])


@SOME
@given(st.data())
def test_a_deletion(data):
    program = nested_program()
    unary = edits.calls(program, lambda n: edits.is_unary(n) and n.target in edits.SWAPS)
    place = pick(data, unary)
    edited, expected = edits.delete(program, place)
    diff = check(program, edited, expected)
    assert {row.inherited_from for row in diff.rows if row.cause == "inherited"} <= {place[1]}


@SOME
@given(st.data())
def test_a_rename(data):
    program = nested_program()
    places = [(p, n.name) for p, n in program.walk() if n.op in ("placeholder", "call_function") and not n.subgraphs]
    place = pick(data, places)
    edited, expected = edits.rename(program, place, "another_name")
    diff = check(program, edited, expected)
    assert diff.worst == "cosmetic"
    assert diff.proof.same


def test_names_exchanged_between_two_nodes():
    """Names lie: what a node computes decides which it is."""
    program, path = nested_program(), "map_impl.f"
    names = {"sin": "cos", "cos": "sin"}
    nodes = [edits.rename_refs(n, names) for n in program.graphs[path].nodes]
    nodes = [edits.replace(n, name=names.get(n.name, n.name)) for n in nodes]
    diff = check(
        program,
        edits.with_nodes(program, path, nodes),
        {(path, "sin", "cos", "name", "renamed"), (path, "cos", "sin", "name", "renamed")},
    )
    assert diff.proof.same


def test_a_tuple_that_became_a_list():
    program, place = nested_program(), ("", "cond")
    node = edits.node_at(program, place)
    edited = edits.edit_node(program, place, args=(*node.args[:3], Seq("list", node.args[3].items)))
    diff = check(program, edited, {("", "cond", "cond", "args", "changed")})
    assert diff.rows[0].aspect == "container"
    assert diff.worst == "breaks_pass"
    assert diff.proof.level == "identical up to"


def test_a_schema_default_written_out_is_cosmetic():
    program, place = nested_program(), ("map_impl.f", "sub")
    node = edits.node_at(program, place)
    edited = edits.edit_node(program, place, kwargs=freeze({"alpha": 1}))
    diff = check(program, edited, {(*place, "sub", "kwargs", "added")})
    assert (diff.worst, diff.rows[0].aspect) == ("cosmetic", "default")
    other = edits.edit_node(program, place, kwargs=freeze({"alpha": 2}))
    assert check(program, other, {(*place, "sub", "kwargs", "added")}).worst == "wrong_result"
    moved = edits.edit_node(program, place, args=node.args[:1], kwargs=freeze({"other": node.args[1]}))
    diff = check(program, moved, {(*place, "sub", "args", "changed")})
    assert (diff.worst, diff.rows[0].aspect) == ("cosmetic", "keyword")


def test_commuted_operands_of_mul_and_of_sub():
    program = nested_program()
    for name, worst, count in (("mul", "cosmetic", 1), ("sub", "wrong_result", 2)):
        place = ("map_impl.f", name)
        node = edits.node_at(program, place)
        edited = edits.edit_node(program, place, args=(node.args[1], node.args[0]))
        diff = check(program, edited, {(*place, name, "args", "changed")})
        assert (diff.worst, len(diff.rows)) == (worst, count)


def test_a_shape_change_is_inherited_by_what_follows_from_it():
    """The root of a changed shape is one row, whatever number of nodes it flows through, into nested graphs too."""
    program = nested_program()

    def fixed(value):
        return edits.replace(value, shape=tuple(64 if size == "s77" else size for size in value.shape))

    edited = program
    for place in [(path, node.name) for path, node in program.walk()]:
        value = edits.map_value(edits.node_at(program, place).value, fixed)
        edited = edits.edit_node(edited, place, value=value)
    shapes = [row for row in compare(program, edited).rows if row.field == "val.shape"]
    assert len(shapes) > 40
    assert {row.graph for row in shapes} >= {"", "cond.true_fn", "cond.true_fn/cond.false_fn"}
    assert [(row.graph, row.node_a) for row in shapes if row.cause == "root"] == [("", "x")]
    assert {row.aspect for row in shapes} == {"specialised"}


def test_two_independent_nodes_in_another_order():
    program, path = nested_program(), "cond.false_fn"
    nodes = list(program.graphs[path].nodes)
    at = program.graphs[path].index["sin"]
    nodes.insert(1, nodes.pop(at))
    diff = compare(program, edits.with_nodes(program, path, nodes))
    assert {row.field for row in diff.rows} == {"order"}
    assert {row.kind for row in diff.rows} == {"moved"}
    assert len(diff.rows) == 1
    assert diff.worst == "cosmetic"
    assert diff.proof.same


EDITS = {
    "target": lambda program, place: edits.change_target(program, place)[0],
    "literal": lambda program, place: edits.change_literal(program, place)[0],
    "dtype": lambda program, place: edits.change_facet(program, place, "dtype")[0],
    "trace": lambda program, place: edits.with_meta(program, place, stack_trace=None),
    "insertion": lambda program, place: edits.insert_after(program, place)[0],
}


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.data())
def test_several_edits_at_once_are_all_found_and_never_make_a_program_the_same(data):
    program = nested_program()
    places = edits.calls(program, lambda n: n.target in edits.SWAPS and edits.has_literal(n))
    chosen = data.draw(st.lists(st.sampled_from(places), min_size=2, max_size=3, unique=True))
    edited, before, kinds = program, 0, []
    for place in chosen:
        kind = data.draw(st.sampled_from([k for k in EDITS if k != "insertion" or "insertion" not in kinds]))
        kinds.append(kind)
        edited = EDITS[kind](edited, place)
        diff = compare(program, edited)
        assert not diff.ok
        assert len(diff.rows) > 0
        assert diff.proof.same == (set(kinds) == {"trace"})
        touched = {(row.graph, name) for row in diff.rows for name in (row.node_a, row.node_b) if name}
        for (path, name), done in zip(chosen, kinds, strict=False):
            assert (path, "inserted" if done == "insertion" else name) in touched, str(diff)
        worst = [row for row in diff.rows if row.severity == "wrong_result"]
        assert len(worst) >= before
        before = len(worst)


@pytest.mark.parametrize("seed", range(10))
def test_names_and_order_are_no_difference(seed):
    """The same program under other names and in another order is proved to be the same, with an edit or without."""
    program, rng = nested_program(), random.Random(seed)
    diff = compare(program, edits.scramble(program, rng))
    assert diff.proof.same, str(diff)
    assert {row.field for row in diff.rows} <= {"name", "order"}
    assert diff.worst == "cosmetic"
    place = rng.choice(edits.calls(program, lambda n: n.target in edits.SWAPS))
    edited, ((path, name, _, field, kind),) = edits.change_target(program, place)
    found = compare(program, edits.scramble(edited, rng), ignore=["name", ("order", "moved")])
    assert {(row.graph, row.node_a, row.field, row.kind) for row in found.rows} == {(path, name, field, kind)}, str(
        found
    )


@pytest.mark.parametrize("more", [None, ConstValue(None), ConstValue(3), TensorValue(shape=(2,), dtype="float32")])
def test_a_container_with_one_item_more(more):
    """None counts as well: whoever picks from the container by number from its end picks another item."""
    program = nested_program()
    place = next((p, n.name) for p, n in program.walk() if isinstance(n.value, ContainerValue) and n.op != "output")
    value = edits.node_at(program, place).value
    longer = edits.edit_node(program, place, value=edits.replace(value, items=(*value.items, more)))
    diff = check(program, longer, {(*place, place[1], "val", "added")})
    assert (diff.rows[0].where, diff.rows[0].severity) == (f"[{len(value.items)}]", "breaks_pass")
