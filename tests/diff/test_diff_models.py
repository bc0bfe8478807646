"""Real models: the whole account of what differs, written down by hand."""

from __future__ import annotations

from collections import Counter

import pytest
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


@pytest.mark.parametrize("name", MODELS)
def test_a_reload_computes_the_same_on_other_metadata(name):
    """Save and load drop `tensor_meta`, storage offsets and shared storages of values, and nothing that is computed."""
    diff = compare(read(exported(name)), read(reloaded(name)))
    assert diff.worst == "breaks_pass"
    # operands of a higher-order op become a list; no argument is another one
    assert all(
        row.aspect in ("container", "result container", "keyword", "default")
        for row in diff.rows
        if row.family in ("args", "kwargs")
    )
    lost = {
        "tensor_meta",
        "val.storage",
        "val.storage_offset",
        "val.type",
        "eager_input_vals",
        "torch_fn",
        "name",
        "val",
        "meta",
    }
    assert {row.field for row in diff.rows if row.family == "meta"} <= {"meta[partition_names]"}
    assert {row.family for row in diff.rows} <= lost | {"args", "kwargs", "stack_trace"}
    # a getitem gets the metadata of the node it picks from
    assert {row.target for row in diff.rows if row.field == "stack_trace"} <= {"_operator.getitem"}
    assert {row.kind for row in diff.rows if row.field == "tensor_meta"} == {"lost"}
    assert not {"order", "target", "weights"} & {row.family for row in diff.rows}
    only_offsets = {refusal.message.partition(":")[0] for refusal in diff.proof.refusals}
    assert only_offsets <= {"val.storage_offset"}
    assert diff.proof.same == (not only_offsets)


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
