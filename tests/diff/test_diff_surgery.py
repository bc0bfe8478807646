"""Six real models and what people do to them: for each the whole account, node by node."""

from __future__ import annotations

from collections import Counter

import pytest
from diff.law import mirrors
from diff.models import MODELS
from diff.surgery import (
    STACKS,
    exchanged_layers,
    exported,
    fill,
    fused_projections,
    other_activation,
    program,
    shaken,
    without_layer,
)

from graphlens.diff import Diff, compare
from graphlens.program.program import Program
from graphlens.read import read

pytestmark = pytest.mark.filterwarnings("ignore")

COSMETIC = {"name", "torch_fn", "order"}
FOLLOWS = {("inherited", "val"), ("inherited", "tensor_meta")}
LAST, MIDDLE, FIRST = (without_layer(at) for at in (2, 1, 0))
CASES = [(name, MIDDLE, 1) for name in MODELS] + [(name, LAST, 2) for name in ("llama", "bert", "t5")]
CASES += [(name, FIRST, 0) for name in MODELS if name != "t5"]  # whose first layers hold what all of them use


def roots(diff: Diff) -> Counter[tuple[str, str]]:
    return Counter((row.family, row.kind) for row in diff.rows if row.cause == "root" and row.severity != "cosmetic")


def both_ways(a: Program, b: Program) -> Diff:
    """Compare, and check that the other way round it is the same account."""
    diff = compare(a, b)
    mirrors(diff, compare(b, a))
    return diff


def layers(name: str, at: int) -> tuple[str, ...]:
    return tuple(f"model.{stack}.{at}" for stack in STACKS[name])


def inside(module: str, homes: tuple[str, ...]) -> bool:
    return any(module == home or module.startswith(home + ".") for home in homes)


@pytest.mark.parametrize(("name", "surgery", "at"), CASES)
def test_a_layer_was_taken_out(name, surgery, at):
    """Its nodes and weights are gone; those behind it are renamed and otherwise the same; one node takes another input."""
    a, b = program(name), program(name, surgery)
    diff = both_ways(a, b)
    homes = layers(name, at)
    calls = {node.name for node in a.graph.nodes if inside(node.module, homes) and node.op == "call_function"}
    state = {tensor.fqn for tensor in a.stored if inside(tensor.fqn, homes)}
    entries = {entry.fqn for entry in a.module_calls if inside(entry.fqn, homes)}
    lone = [row for row in diff.rows if row.kind == "only_a" and row.family == "target"]
    assert {row.node_a for row in lone if row.node_a in calls} == calls
    assert {row.cause for row in lone if row.target != "_operator.getitem" and row.node_a in calls} == {"root"}
    others = {row.node_a: row.inherited_from for row in lone if row.node_a not in calls}
    assert len(others) == len(state)
    assert all(source.startswith("signature.inputs[") for source in others.values())
    assert not [row for row in diff.rows if row.kind in ("only_b", "ambiguous")]
    assert not diff.alignment.graphs[0].groups
    found = roots(diff)
    del found["target", "only_a"]
    assert found == Counter({
        ("weights", "lost"): len(state),
        ("signature.inputs", "lost"): len(state),
        ("module_call_graph", "lost"): len(entries),
    }) + Counter({("module_call_graph", "renamed"): (2 - at) * len(homes)})  # fmt: skip
    assert {row.field for row in diff.rows if row.field.startswith("weights[") and row.kind == "lost"} == {
        f"weights[{fqn}]" for fqn in state
    }
    # whatever is kept has its own weight and its own module, under the new number
    moved = {row.a: row.b for row in diff.rows if row.family == "weights" and row.kind == "renamed"}
    behind = {i: layers(name, i) for i in range(at + 1, 3)}
    assert moved == {
        tensor.fqn: tensor.fqn.replace(f".{i}.", f".{i - 1}.", 1)
        for i, homes in behind.items()
        for tensor in a.stored
        if inside(tensor.fqn, homes)
    }
    assert all(row.inherited_from.startswith("module_call_graph[") for row in diff.rows if row.kind == "renamed"
               and row.family in ("weights", "signature.inputs"))  # fmt: skip
    # the rest computes the same, but that somebody reads what came before the gone layer
    kept = [row for row in diff.rows if row.severity == "wrong_result" and row.kind != "only_a" and row.kind != "lost"]
    assert kept
    assert {(row.field, row.cause) for row in kept} <= {("args", "inherited"), ("order", "inherited")}
    assert {row.inherited_from for row in kept if row.field == "args"} <= calls
    assert diff.quality.edges_rewired == 0
    assert diff.quality.nodes_split == 0


def test_the_first_layers_of_t5_were_taken_out():
    """The first ones alone have a table of relative positions; without it zeros are made, and no bias is copied for each layer."""
    a, b = program("t5"), program("t5", FIRST)
    diff = both_ways(a, b)
    homes = layers("t5", 0)
    calls = {n.name: n.target for n in a.graph.nodes if n.op == "call_function" and inside(n.module, homes)}
    lone = {side: Counter(row.target for row in diff.rows if row.kind == f"only_{side}" and row.family == "target"
                          and row.node_a not in calls and not row.node.startswith("p_")) for side in "ab"}  # fmt: skip
    gone = {row.node_a for row in diff.rows if row.kind == "only_a" and row.node_a in calls}
    assert [calls[node] for node in set(calls) - gone] == ["aten.zeros.default"]  # the one that the second layer made
    # each of four layers made the bias contiguous for itself, in two steps; zeros are
    assert lone == {"a": {"aten.contiguous.default": 8}, "b": {"aten.zeros.default": 2}}
    assert not diff.alignment.graphs[0].groups
    assert not [row for row in diff.rows if row.kind == "ambiguous"]
    weights = {row.field[len("weights[") : -1] for row in diff.rows if row.family == "weights" and row.kind == "lost"}
    assert weights == {tensor.fqn for tensor in a.stored if inside(tensor.fqn, homes)}
    moved = {row.a: row.b for row in diff.rows if row.family == "weights" and row.kind == "renamed"}
    assert set(moved) == {tensor.fqn for i in (1, 2) for tensor in a.stored if inside(tensor.fqn, layers("t5", i))}
    assert "module model.encoder.block.0 is only in a (70 nodes, 9 weights)" in str(diff)
    kept = [row for row in diff.rows if row.severity == "wrong_result" and row.kind not in ("only_a", "lost")]
    assert {(row.field, row.cause) for row in kept} <= {("args", "inherited"), ("order", "inherited")}


@pytest.mark.parametrize("name", ["llama", "bert", "whisper"])
def test_two_layers_changed_places(name):
    """Called by number, each has the weights of the other; those that are equal in both are no difference."""
    a, b = program(name), program(name, exchanged_layers)
    diff = both_ways(a, b)
    assert {(row.family, row.kind, row.aspect, row.severity) for row in diff.rows} == {
        ("weights", "changed", "exchanged", "wrong_result")
    }
    values = {tensor.fqn: tensor.content.digest() for tensor in a.stored}
    there = {
        one.replace(home, other, 1): home_of
        for home, other in zip(layers(name, 1) + layers(name, 2), layers(name, 2) + layers(name, 1), strict=True)
        for one in values
        if inside(one, (home,))
        for home_of in (one,)
    }
    expected = {old: new for new, old in there.items() if values[new] != values[old]}
    assert {row.field[len("weights[") : -1]: row.b for row in diff.rows} == expected
    assert all(row.a == row.b for row in diff.rows)
    assert expected


@pytest.mark.parametrize("name", ["llama", "bert"])
def test_of_equal_layers_the_last_is_gone(name):
    """With all weights equal nothing can say which was taken out; the account with the fewest changes is the last one."""
    diff = compare(program(name, fill), program(name, fill, MIDDLE))
    gone = {row.module for row in diff.rows if row.kind == "only_a" and row.cause == "root"}
    assert gone
    assert all(inside(module, layers(name, 2)) for module in gone)
    assert {kind for family, kind in roots(diff)} == {"only_a", "lost"}


@pytest.mark.parametrize("name", MODELS)
def test_another_activation(name):
    a = program(name)
    diff = both_ways(a, program(name, other_activation))
    changed = [row for row in diff.rows if row.severity == "wrong_result"]
    count = 3 * len(STACKS[name])
    assert len(changed) == count
    assert len({(row.node_a, row.field, row.kind, row.cause, row.a, row.b) for row in changed}) == count
    assert {(row.field, row.kind, row.cause, row.b) for row in changed} == {
        ("target", "changed", "root", "aten.tanh.default")
    }
    assert {row.a for row in changed} <= {"aten.silu.default", "aten.gelu.default", "aten.relu.default"}
    told = {row.node_a for row in changed}
    # everything else that is said is about the same nodes, or counts names anew
    assert {row.node_a for row in diff.rows if row.severity != "cosmetic"} == told
    assert {row.field for row in diff.rows if row.node_a not in told} <= COSMETIC
    top = diff.patterns.iloc[0]
    assert (top.severity, top["count"], len(top.regions)) == (
        "wrong_result",
        count // (2 if name == "t5" else 1),
        top["count"],
    )
    assert diff.proof.level == "different"
    assert len(diff.proof.refusals) == count


@pytest.mark.parametrize("name", MODELS)
def test_fused_projections(name):
    """In each layer three linears became one and a split: one group, its weights, and nothing else."""
    a, b = program(name), program(name, fused_projections)
    diff = both_ways(a, b)
    count = 3 * len(STACKS[name])
    groups = diff.alignment.graphs[0].groups
    assert len(groups) == count
    for group in groups:
        assert [a.graph[n].target for n in group.a] == ["aten.linear.default"] * 3
        assert sorted(b.graph[n].target for n in group.b) == [
            "_operator.getitem", "_operator.getitem", "_operator.getitem", "aten.linear.default", "aten.split_with_sizes.default",
        ]  # fmt: skip
        assert len({a.graph[n].module.rpartition(".")[0] for n in group.a}) == 1
    old, new = ({tensor.fqn for tensor in each.stored} for each in (a, b))
    modules = 3 * count
    assert roots(diff) == {
        ("target", "changed"): count,
        ("weights", "lost"): len(old - new),
        ("weights", "added"): len(new - old),
        ("signature.inputs", "lost"): len(old - new),
        ("signature.inputs", "added"): len(new - old),
        ("module_call_graph", "lost"): modules,
        ("module_call_graph", "added"): count,
    }
    grouped = {n for group in groups for n in (*group.a, *group.b)}
    # the other nodes are themselves, with at most the layout of what the group made
    for row in diff.rows:
        if row.node not in grouped and row.node_a is not None and row.node_b is not None and row.severity != "cosmetic":
            assert (row.cause, row.field.partition(".")[0]) in FOLLOWS, row
    top = diff.patterns.iloc[0]
    assert (top.severity, top["count"]) == ("wrong_result", count)


@pytest.mark.parametrize("name", ["llama", "vit"])
def test_trained_on(name):
    """Another checkpoint of the same model: every weight differs, the graph does not."""
    a = program(name)
    diff = compare(a, program(name, shaken))
    trained = {tensor.fqn for tensor in a.stored if tensor.kind == "parameter"}
    assert {(row.field, row.kind, row.aspect) for row in diff.rows} == {
        (f"weights[{fqn}]", "changed", "value") for fqn in trained
    }
    structure = compare(a, program(name, shaken), weights="ignore")
    assert structure.ok
    assert structure.proof.same


def test_two_exports_after_the_same_surgery_are_the_same():
    again = exported.__wrapped__("bert", MIDDLE)
    assert compare(program("bert", MIDDLE), read(again)).ok
