"""Real models: the whole account of what differs, written down by hand."""

from __future__ import annotations

import operator
from collections import Counter

import pytest
import torch
from diff.models import MODELS, decomposed, exported, reloaded

from graphlens.diff import Diff, compare
from graphlens.read import read

pytestmark = pytest.mark.filterwarnings("ignore")


def roots(diff: Diff, *fields: str) -> Counter[tuple[str, str]]:
    """How many root rows there are of each field and kind; only of `fields` if any are given."""
    return Counter((r.family, r.kind) for r in diff.rows if r.cause == "root" and (not fields or r.family in fields))


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_itself(name):
    diff = compare(read(exported(name)), read(exported(name)))
    assert diff.ok, str(diff)
    assert diff.proof.level == "identical"


FORMS = {"llama": 6, "mixtral": 12}
"""Picked values that do not begin where their storage does; loading writes 0."""

SUBMODULES = {
    # what torch calls the modules and items of the regions without gradients, and records of them, is made anew
    "llama": Counter({("name", "renamed"): 1, ("torch_fn", "changed"): 2, ("torch_fn", "lost"): 1, ("torch_fn", "added"): 1,
                      ("stack_trace", "lost"): 2, ("meta", "lost"): 1}),
    "mixtral": Counter({("name", "renamed"): 1, ("torch_fn", "changed"): 2, ("torch_fn", "lost"): 1, ("torch_fn", "added"): 1,
                        ("stack_trace", "lost"): 2, ("meta", "lost"): 1,
                        ("val.type", "changed"): 3, ("eager_input_vals", "lost"): 6}),
}  # fmt: skip


def leaders(program: torch.export.ExportedProgram) -> dict[str, str]:
    """Name for each value of the root graph the first one with its storage, as torch says it; pieces follow their whole."""
    first: dict[int, str] = {}
    found: dict[str, str] = {}
    for node in program.graph.nodes:
        value = node.meta.get("val")
        piece = node.target is operator.getitem and node.args[0].target is torch.ops.aten.chunk.default
        if isinstance(value, torch.Tensor) and not piece:
            found[node.name] = first.setdefault(value.untyped_storage()._cdata, node.name)
    return found


def firsts(program: torch.export.ExportedProgram) -> dict[str, str]:
    """Name for each parameter the first one, by name, that is the same object."""
    first: dict[int, str] = {}
    held = sorted(
        (fqn, id(tensor)) for fqn, tensor in program.state_dict.items() if isinstance(tensor, torch.nn.Parameter)
    )
    return {fqn: first.setdefault(number, fqn) for fqn, number in held}


@pytest.mark.parametrize("name", MODELS)
def test_a_reload_loses_what_torch_says_it_loses(name):
    """Held against the two live programs: `tensor_meta`, shared storages and offsets of values, what is one object, and nothing else."""
    before, after = exported(name), reloaded(name)
    diff = compare(read(before), read(after))
    root = [row for row in diff.rows if row.graph == ""]
    metas = {node.name for node in before.graph.nodes if "tensor_meta" in node.meta}
    assert {row.node_a for row in root if row.field == "tensor_meta"} == metas
    assert {row.kind for row in root if row.field == "tensor_meta"} == {"lost"}
    shared, apart = leaders(before), leaders(after)
    storages = {row.node_a for row in root if row.field == "val.storage" and not row.where}
    assert storages == {node for node, leader in shared.items() if apart.get(node, node) != leader}
    offsets = [row for row in diff.rows if row.field == "val.storage_offset"]
    assert len(offsets) == FORMS.get(name, 0)
    assert {row.b for row in offsets} <= {"0"}
    objects = {name for name, first in firsts(before).items() if firsts(after)[name] != first}
    assert {row.field for row in diff.rows if row.family == "aliasing"} == {f"aliasing[{name}]" for name in objects}
    rest = Counter(
        (row.family, row.kind) for row in diff.rows
        if row.family not in ("tensor_meta", "val.storage", "val.storage_offset", "aliasing") and row.node != "output"
    )  # fmt: skip
    assert rest == SUBMODULES.get(name, Counter())
    assert diff.proof.same
    assert dict(diff.proof.rules) == ({"recorded storage offsets": FORMS[name]} if name in FORMS else {})
    assert all(row.match.startswith(("same", "signature", "propagated")) for row in diff.node_rows), diff.nodes


@pytest.mark.parametrize("name", MODELS)
def test_decompositions_are_accounted_for_node_by_node(name):
    """Each changed operator is traced to what became of it; nothing else is called wrong."""
    a, b = read(exported(name)), read(decomposed(name))
    diff = compare(a, b)
    made = {"decomposed", "same elements"}
    assert {row.aspect for row in diff.rows if row.field == "target" and row.kind == "changed"} <= made
    wrong = [row for row in diff.rows if row.severity == "wrong_result" and row.cause == "root"]
    assert not wrong, str(diff)
    assert not roots(diff, "weights", "constants", "signature.inputs", "signature.outputs")
    assert ("verifier", "changed") in roots(diff)
    nodes = diff.node_rows
    groups = [row for row in nodes if row.match.startswith("group")]
    assert groups
    assert all(", " not in row.node_a for row in groups)
    listed = Counter(name for row in nodes for name in row.node_b.split(", ") if name)
    assert sum(listed.values()) == sum(len(graph) for graph in b.graphs.values())
    linear = [row for row in groups if row.target_a == "aten.linear.default"]
    assert all(
        {"aten.mm.default", "aten.addmm.default", "aten.bmm.default"} & set(row.target_b.split(", ")) for row in linear
    )


ASTRAY = {"mixtral": {"view_24", "view_51", "view_78"}}
"""What `reshape` became: torch takes it for what `index` did afterwards, its operand and its user say otherwise."""


def origins(program: torch.export.ExportedProgram, known: set[str]) -> dict[str, str]:
    """Name for each call of a decomposed program the call that torch says it was made from."""
    found: dict[str, str] = {}
    for node in program.graph.nodes:
        sources = list(node.meta.get("from_node") or ()) if node.op == "call_function" else []
        while sources:
            source = sources.pop(0)
            if source.pass_name.startswith("ExportedProgram.module()") and source.name in known:
                found[node.name] = source.name
                break
            sources = [*source.from_node, *sources]
    return found


@pytest.mark.parametrize("name", MODELS)
def test_what_became_of_each_operator_is_what_torch_says(name):
    """Every call of the decomposed program stands in the row of the call that it was made from; what became nothing is alone."""
    before, after = exported(name), decomposed(name)
    diff = compare(read(before), read(after))
    calls = {node.name: node for node in before.graph.nodes if node.op == "call_function"}
    made_from = origins(after, set(calls))
    assert set(made_from) == {node.name for node in after.graph.nodes if node.op == "call_function"}
    row_of = {b: set(row.node_a.split(", ")) for row in diff.node_rows for b in row.node_b.split(", ") if row.node_a}
    # of a container and what is picked from it, and of a value and a view of it, torch names the one
    near = {
        name: {name, *(user.name for user in node.users if str(user.target).endswith(("getitem>", "reshape.default")))}
        for name, node in calls.items()
    }
    astray = {b: a for b, a in made_from.items() if not row_of.get(b, set()) & near[a]}
    assert set(astray) == ASTRAY.get(name, set())
    exact = [b for b, a in made_from.items() if a in row_of[b]]
    assert len(made_from) - len(exact) == {"mixtral": 15}.get(name, 0)
    gone = {row.node_a for row in diff.node_rows if (row.graph, row.match) == ("", "only_a") and row.node_a in calls}
    assert not gone & set(made_from.values())
    told = {row.node_a: row for row in diff.rows if (row.graph, row.kind, row.family) == ("", "only_a", "target")}
    assert gone == {node for node in told if node in calls}
    assert {row.aspect for row in told.values() if row.cause == "root"} <= {"dead", "preserving", "attribute"}
