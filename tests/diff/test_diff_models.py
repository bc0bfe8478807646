"""Real models: the whole account of what differs, written down by hand."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from diff.exports import export
from diff.models import MODELS, decomposed, exported, reloaded
from torch import nn

from graphlens.diff import Diff, compare
from graphlens.read import read

pytestmark = pytest.mark.filterwarnings("ignore")


def roots(diff: Diff, *fields: str) -> Counter[tuple[str, str]]:
    """How many root rows there are of each field and kind; only of `fields` if any are given."""
    return Counter((r.family, r.kind) for r in diff.rows if r.cause == "root" and (not fields or r.family in fields))


def computation(diff: Diff) -> Counter[tuple[str, str]]:
    return roots(
        diff, "op", "target", "args", "kwargs", "order", "weights", "constants", "signature.inputs", "signature.outputs"
    )


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


@pytest.mark.parametrize(("name", "change", "old", "new"), [
    ("llama", {"hidden_act": "gelu"}, "aten.silu.default", "aten.gelu.default"),
    ("bert", {"hidden_act": "relu"}, "aten.gelu.default", "aten.relu.default"),
])  # fmt: skip
def test_another_activation_is_one_edit_in_every_layer(name, change, old, new):
    diff = compare(read(exported(name)), read(exported(name, **change)))
    assert computation(diff) == {("target", "changed"): 3}
    assert {(row.target, row.a, row.b) for row in diff.rows if row.field == "target"} == {(old, old, new)}
    first = diff.patterns.iloc[0]
    assert (first["count"], len(first.regions), first.severity) == (3, 3, "wrong_result")
    assert "target" in first.pattern
    where = {(row.node_a, row.node_b) for row in diff.rows}
    assert len(where) == 3


@pytest.mark.parametrize(
    ("name", "layer", "after"),
    [("llama", "model.model.layers.2", "model.model.norm"), ("bert", "model.encoder.layer.2", "model.pooler")],
)
def test_one_layer_fewer(name, layer, after):
    """The last layer is gone with its weights; what follows it takes the layer before instead, and nothing else changed.

    What the last norm computes before it scales is what the first norm of the gone layer computed: either may be called gone.
    """
    a, b = read(exported(name)), read(exported(name, num_hidden_layers=2))
    diff = compare(a, b)
    gone = [node for node in a.graph.nodes if node.module.startswith(layer) and node.op == "call_function"]
    lone = [row for row in diff.rows if row.kind == "only_a" and row.family == "target"]
    called = {row.node_a: row.module for row in lone if not row.node_a.startswith(("p_", "b_"))}
    assert len(called) == len(gone)
    assert {module.startswith((layer, after)) for module in called.values()} == {True}
    assert not [row for row in diff.rows if row.kind == "only_b"]
    state = [tensor.fqn for tensor in a.stored if tensor.fqn.startswith(layer)]
    assert state
    assert roots(diff, "weights") == {("weights", "lost"): len(state)}
    assert roots(diff, "signature.inputs") == {("signature.inputs", "lost"): len(state)}
    assert roots(diff, "args", "kwargs", "order") == {}
    follow = [row for row in diff.rows if row.family == "args"]
    assert follow
    assert {row.inherited_from for row in follow} <= called.keys()
    assert layer in str(diff)


class Attention(nn.Module):
    def __init__(self, fused: bool):
        super().__init__()
        self.fused = fused
        if fused:
            self.qkv = nn.Linear(16, 48)
        else:
            self.q, self.k, self.v = (nn.Linear(16, 16) for _ in range(3))
        self.out = nn.Linear(16, 16)

    def forward(self, x):
        parts = self.qkv(x).chunk(3, -1) if self.fused else (self.q(x), self.k(x), self.v(x))
        q, k, v = (part.unflatten(-1, (2, 8)).transpose(1, 2) for part in parts)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v)
        return x + self.out(mixed.transpose(1, 2).flatten(2))


def test_fused_qkv():
    """Three projections became one and a chunk: each layer says so in the same way, and everything around them is the same."""
    plain, fused = (
        read(export(nn.Sequential(*(Attention(f) for _ in range(3))), torch.randn(1, 4, 16))) for f in (False, True)
    )
    diff = compare(plain, fused)
    calls = [node for node in plain.graph.nodes if node.op == "call_function"]
    projections = {node.name for node in calls if node.module.rpartition(".")[2] in ("q", "k", "v")}
    kept = {node.name for node in calls} - projections
    same = {row.node_a for row in diff.node_rows if row.target_a == row.target_b}
    assert kept <= same
    changed = {
        name for row in diff.node_rows if row.fields or row.match.startswith("group") for name in row.node_a.split(", ")
    }
    assert projections <= changed
    touched = {row.module.partition(".")[0] for row in diff.rows if row.severity == "wrong_result" and row.module}
    assert touched == {"0", "1", "2"}
    weights = roots(diff, "weights")
    assert weights["weights", "lost"] + weights["weights", "renamed"] == 18
    assert weights["weights", "added"] + weights["weights", "renamed"] == 6
    top = diff.patterns.iloc[0]
    assert (top["count"], list(top.regions), top.severity) == (3, ["0", "1", "2"], "wrong_result")
