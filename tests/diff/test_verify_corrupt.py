"""A good alignment or a good program with one thing wrong: the checker refuses every one of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import lru_cache
from itertools import combinations

import pytest
from diff import edits
from diff.certificates import by_name, call, given, pair, proof, swapped_partners, twins, with_pairs
from diff.certificates import program as program_of
from diff.exports import nested_export, nested_program, reload
from diff.models import exported
from hypothesis import given as given_drawn
from hypothesis import settings
from hypothesis import strategies as st
from msgspec.structs import replace

from graphlens.diff.alignment import Alignment, Ambiguous, Group
from graphlens.diff.verify import verify
from graphlens.program.argument import Const, Ref, Seq, leaves
from graphlens.program.program import Program
from graphlens.program.value import TensorValue
from graphlens.read import read


@lru_cache(maxsize=1)
def reloaded_program() -> Program:
    return read(reload(nested_export()))


@lru_cache(maxsize=1)
def llama() -> Program:
    return read(exported("llama"))


@pytest.fixture(scope="module")
def good() -> Alignment:
    return by_name(nested_program(), reloaded_program())


def refused(a: Program, b: Program, alignment: Alignment | None = None) -> bool:
    found = verify(a, b, by_name(a, b) if alignment is None else alignment)
    assert (found.level == "different") == bool(found.refusals)
    return found.level == "different"


def test_the_good_one_is_accepted(good):
    assert proof(nested_program(), nested_program()).level == "identical"
    found = verify(nested_program(), reloaded_program(), good)
    assert found.level == "identical up to"
    assert set(found.rules) == {"tuple for list"}


def test_two_nodes_with_each_others_partner(good):
    a, b = nested_program(), reloaded_program()
    found = list(twins(a))
    assert len(found) > 250
    assert [swap for swap in found if not refused(a, b, swapped_partners(good, *swap))] == []
    strangers = {(g.path_a, x.a, y.a) for g in good.graphs for x, y in combinations(g.pairs, 2)} - set(found)
    rest = random.Random(0).sample(sorted(strangers), 60)
    assert [swap for swap in rest if not refused(a, b, swapped_partners(good, *swap))] == []


def test_two_nodes_of_a_model_with_each_others_partner():
    alignment, found = by_name(llama(), llama()), list(twins(llama()))
    assert len(found) > 500
    some = random.Random(0).sample(found, 150)
    assert [swap for swap in some if not refused(llama(), llama(), swapped_partners(alignment, *swap))] == []


def test_a_pair_twice_or_with_nothing(good):
    a, b = nested_program(), reloaded_program()
    for graph in good.graphs:
        for one in graph.pairs:
            for more in ((one,), (pair(one.a, "no_such_node"),), (pair("no_such_node", one.b),)):
                assert refused(a, b, with_pairs(good, graph.path_a, [*graph.pairs, *more]))


def test_a_missing_pair_of_a_live_node(good):
    a, b = nested_program(), reloaded_program()
    for graph in good.graphs:
        for i, one in enumerate(graph.pairs):
            bad = with_pairs(good, graph.path_a, [*graph.pairs[:i], *graph.pairs[i + 1 :]])
            found = verify(a, b, bad)
            if a.graphs[graph.path_a][one.a].target == "_operator.getitem":  # the same item of the same container
                assert found.level == "identical up to"
                assert found.rules["duplicate getitem"]
            else:
                assert found.level == "different", one


def test_nested_graphs_in_the_wrong_place(good):
    a, b = nested_program(), reloaded_program()
    for i, one in enumerate(good.graphs):
        for j, other in enumerate(good.graphs):
            if i < j:
                crossed = list(good.graphs)
                crossed[i], crossed[j] = replace(one, path_b=other.path_b), replace(other, path_b=one.path_b)
                assert refused(a, b, replace(good, graphs=tuple(crossed)))
        assert refused(a, b, replace(good, graphs=good.graphs[:i] + good.graphs[i + 1 :]))
        assert refused(a, b, replace(good, graphs=(*good.graphs, one)))
        nowhere = replace(one, path_a=f"{one.path_a}x", path_b=f"{one.path_b}x", pairs=())
        assert refused(a, b, replace(good, graphs=(*good.graphs, nowhere)))


def test_symbols_that_are_not_each_other(good):
    a, b = nested_program(), reloaded_program()
    assert not refused(a, b, replace(good, symbols=(("s77", "s77"),)))
    for symbols in (
        (("s77", "s0"),),
        (("s0", "s77"),),
        (("s77", "s77"), ("s0", "s77")),
        (("s77", "s77"), ("s77", "s1")),
    ):
        assert refused(a, b, replace(good, symbols=symbols))


def test_what_is_not_decided_is_not_same(good):
    a, b = nested_program(), reloaded_program()
    root = good.graphs[0]
    for one in root.pairs:
        left = with_pairs(good, "", [p for p in root.pairs if p is not one]).graphs[0]
        for open_ in (
            replace(left, ambiguous=(Ambiguous(a=(one.a,), b=(one.b,), reason="twins"),)),
            replace(left, groups=(Group(a=(one.a,), b=(one.b,), match="group", confidence=0.5),)),
        ):
            found = verify(a, b, replace(good, graphs=(open_, *good.graphs[1:])))
            assert found.level in ("unknown", "different")
            assert not found.same
    empty = replace(root, ambiguous=(Ambiguous(a=(), b=("output",), reason="nothing"),))
    assert not verify(a, b, replace(good, graphs=(empty, *good.graphs[1:]))).same


def test_every_operand_that_could_be_another():
    program = nested_program()
    rewired = list(edits.rewirings(program))
    assert len(rewired) > 250
    accepted = [w for w in rewired if not refused(program, edits.rewire(program, *w)[0])]
    assert accepted == []


def test_the_other_name_of_a_tied_weight_is_no_corruption_and_is_named():
    program = nested_program()
    assert {t.fqn for t in program.stored if t.storage == "0"} == {"blocks.0.fc.weight", "tied.weight"}
    edited, _ = edits.rewire(program, ("", "linear"), 1, "p_blocks_0_fc_weight")
    found = proof(program, edited)
    assert (found.level, dict(found.rules)) == ("identical up to", {"tied weight read under its other name": 1})


def test_every_operand_of_a_model_that_could_be_another():
    rewired = random.Random(1).sample(list(edits.rewirings(llama())), 150)
    assert [w for w in rewired if not refused(llama(), edits.rewire(llama(), *w)[0])] == []


@pytest.mark.parametrize("name", ["nested", "llama"])
def test_operands_that_changed_places(name):
    program = nested_program() if name == "nested" else llama()
    tried = 0
    for path, node in program.walk():
        if node.op != "call_function" or len(node.args) < 2 or type(node.args[0]) is not type(node.args[1]):
            continue
        if node.args[0] == node.args[1]:
            continue
        turned = edits.edit_node(program, (path, node.name), args=(node.args[1], node.args[0], *node.args[2:]))
        found = proof(program, turned)
        tried += 1
        if node.target in ("aten.add.Tensor", "aten.mul.Tensor", "aten.eq.Tensor"):
            assert (found.level, dict(found.rules)) == ("identical up to", {"commuted operands": 1})
        else:
            assert found.level == "different", node
    assert tried > 5


OTHERS = [0, 1, True, False, 1.0, 0.0, -0.0, float("nan"), float("inf"), 1j, "1", "", None, Const("dtype", "float16"),
          Const("dtype", "float32"), Const("device", "cpu"), Const("device", "cuda"), Const("device", "cuda:0"),
          Const("sym", "s77"), Const("sym", "1"), Seq("list", ()), Seq("tuple", (1,)), Const("layout", "strided"),
          Const("memory_format", "contiguous_format"), Const("type", "float32")]  # fmt: skip


@pytest.mark.parametrize("target", ["aten.mul.Tensor", "_operator.mul", "from.elsewhere", "higher_order.new"])
def test_literals_of_every_kind(target):
    made = [program_of(given("x"), call("y", target, "%x", other), outputs=("y",)) for other in OTHERS]
    for i, one in enumerate(made):
        assert proof(one, one).level == "identical"
        for j, other in enumerate(made):
            assert i == j or refused(one, other), (OTHERS[i], OTHERS[j])


def test_every_literal_of_every_node():
    program = nested_program()
    tried = 0
    for path, node in program.walk():
        for i, argument in enumerate(node.args):
            if any(isinstance(leaf, Ref) for leaf in leaves(argument)):
                continue
            for other in (None, 7, True, "x", Const("dtype", "int8"), Seq("list", (7, 7, 7))):
                args = (*node.args[:i], other, *node.args[i + 1 :])
                edited = edits.edit_node(program, (path, node.name), args=args)
                assert refused(program, edited), (node, other)
                tried += 1
    assert tried > 100


@pytest.mark.parametrize("what", ["op", "target"])
def test_another_function(what):
    program = nested_program()
    for path, node in program.walk():
        if node.op in ("call_function", "get_attr") and not (what == "target" and node.op == "get_attr"):
            assert refused(program, edits.edit_node(program, (path, node.name), **{what: "call_method"}))


COMPUTED = [facet for facet in edits.FACETS if facet not in ("requires_grad", "type")]


@pytest.mark.parametrize("facet", COMPUTED)
def test_every_facet_of_every_value(facet):
    program = nested_program()
    places = edits.tensors(program)
    assert len(places) > 50
    for place in places:
        edited, expected = edits.change_facet(program, place, facet)
        if facet == "storage_offset" and edits.node_at(program, place).op == "call_function":
            assert dict(proof(program, edited).rules) == {"recorded storage offsets": 1}
        else:
            assert refused(program, edited) == bool(expected), (place, facet)


def test_facets_inside_containers():
    program = nested_program()
    for name in ("cond", "map_impl", "scan", "while_loop"):
        value = edits.node_at(program, ("", name)).value
        for i, item in enumerate(value.items):
            if isinstance(item, TensorValue):
                items = (*value.items[:i], replace(item, dtype="bfloat16"), *value.items[i + 1 :])
                assert refused(program, edits.edit_node(program, ("", name), value=replace(value, items=items)))
        shorter = replace(value, items=value.items[:-1])
        assert refused(program, edits.edit_node(program, ("", name), value=shorter))


def test_an_argument_more_or_less():
    program = nested_program()
    for path, node in program.walk():
        if node.args:
            assert refused(program, edits.edit_node(program, (path, node.name), args=node.args[:-1])), node
            assert refused(program, edits.edit_node(program, (path, node.name), args=(*node.args, 3))), node


def test_branches_that_changed_places():
    program = nested_program()
    for path in ("", "cond.true_fn"):
        node = program.graphs[path]["cond"]
        condition, true, false, operands = node.args
        there = edits.edit_node(program, (path, "cond"), args=(condition, false, true, operands))
        assert refused(program, there)
        assert refused(there, program)
        step = f"{path}/cond" if path else "cond"
        graphs = dict(program.graphs)
        graphs[f"{step}.true_fn"], graphs[f"{step}.false_fn"] = graphs[f"{step}.false_fn"], graphs[f"{step}.true_fn"]
        assert refused(program, replace(program, graphs=graphs))


def drawn_edits(program: Program) -> list[tuple[Callable[..., tuple[Program, object]], tuple[object, ...]]]:
    """Every edit that is known to change what is computed, with where it can be made."""
    found = [(edits.rewire, place) for place in edits.rewirings(program)]
    found += [(edits.change_target, (p,)) for p in edits.calls(program, lambda n: n.target in edits.SWAPS)]
    found += [(edits.change_literal, (p,)) for p in edits.calls(program, edits.has_literal)]
    return found + [(edits.change_facet, (p, f)) for p in edits.tensors(program) for f in ("shape", "dtype", "device")]


@settings(max_examples=40, deadline=None, derandomize=True)
@given_drawn(st.data())
def test_any_two_things_wrong(data):
    program = nested_program()
    for _ in range(2):
        change, where = data.draw(st.sampled_from(drawn_edits(program)))
        program, _ = change(program, *where)
    assert refused(nested_program(), program) or same_again(program)


def same_again(program: Program) -> bool:
    """Whether the second edit took the first one back."""
    return all(graph.nodes == nested_program().graphs[path].nodes for path, graph in program.graphs.items())
