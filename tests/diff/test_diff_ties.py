"""Tied weights: one tensor under two names, of which either program may read either."""

from __future__ import annotations

import pytest
import torch
from diff.edits import with_nodes
from diff.exports import reload
from diff.law import compared, roots
from msgspec.structs import replace
from torch import nn

import graphlens as gl

pytestmark = pytest.mark.filterwarnings("ignore")

EMBED, HEAD = "p_embed_weight", "p_head_weight"
OTHER_NAME = "tied weight read under its other name"


class Model(nn.Module):
    """An embedding and an output layer whose weights are one tensor, or equal, or others."""

    def __init__(self, weights: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.head = nn.Embedding(8, 4), nn.Linear(4, 8, bias=False)
        if weights == "tied":
            self.head.weight = self.embed.weight
        elif weights == "equal":
            self.head.weight = nn.Parameter(self.embed.weight.detach().clone())

    def forward(self, ids):
        return self.head(self.embed(ids).sin())


def program(embedding: str, head: str, *, weights: str = "tied") -> gl.Program:
    """Make a program whose embedding and head read the given placeholders."""
    exported = torch.export.export(Model(weights).eval(), (torch.arange(3),))
    nodes = {node.name: node for node in exported.graph.nodes}
    nodes["embedding"].args = (nodes[embedding], nodes["embedding"].args[1])
    nodes["linear"].args = (nodes["linear"].args[0], nodes[head])
    return gl.read(exported)


def test_the_other_name_of_a_tied_weight_is_the_same_tensor():
    diff = compared(program(HEAD, HEAD), program(EMBED, HEAD))
    assert roots(diff) == {("args", "changed", "breaks_pass"): 1}
    (row,) = diff.rows
    assert (row.node_a, row.where, row.aspect, row.a, row.b) == ("embedding", "args[0]", "tied", HEAD, EMBED)
    assert diff.proof.level == "identical up to"
    assert diff.proof.rules == {OTHER_NAME: 1}
    assert "read by another name of the same tensor" in diff.verdict


def test_one_side_that_knows_of_the_tie_is_enough():
    """What the other side reads is the partner of one of the names; that it has the weights apart is a row of its own."""
    diff = compared(program(HEAD, HEAD), program(EMBED, HEAD, weights="equal"))
    assert roots(diff) == {
        ("args", "changed", "breaks_pass"): 1,
        ("val.storage", "changed", "breaks_pass"): 1,
        ("aliasing", "changed", "breaks_pass"): 1,
    }
    assert diff.proof.level == "different"


def test_another_weight_of_the_same_values_is_another_weight():
    """Neither side ties them: trained on, they will differ."""
    sides = (program(head, HEAD, weights="equal") for head in (HEAD, EMBED))
    diff = compared(*sides)
    assert roots(diff) == {("args", "changed", "wrong_result"): 1}
    assert not diff.proof.same


def test_a_tie_to_other_values_is_a_wrong_result():
    diff = compared(program(HEAD, HEAD), program(EMBED, HEAD, weights="other"))
    assert roots(diff)["weights", "changed", "wrong_result"] == 1
    assert not diff.proof.same


def test_a_part_of_the_same_storage_is_another_tensor():
    class Halves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            whole = torch.arange(8.0)
            self.register_buffer("low", whole[:4])
            self.register_buffer("high", whole[4:])

        def forward(self, x):
            return x + self.low, x * self.high

    def reading(name: str) -> gl.Program:
        exported = torch.export.export(Halves(), (torch.ones(4),))
        nodes = {node.name: node for node in exported.graph.nodes}
        nodes["mul"].args = (nodes["mul"].args[0], nodes[name])
        return gl.read(exported)

    diff = compared(reading("b_high"), reading("b_low"))
    assert roots(diff) == {("args", "changed", "wrong_result"): 1}
    assert not diff.proof.same


def test_a_name_that_is_gone_is_no_weight_that_is_gone():
    """The state dict has one name less and all values; whoever read the one reads the other."""
    both = program(EMBED, HEAD)
    one = program(EMBED, EMBED)
    one = replace(
        with_nodes(one, "", [node for node in one.graph.nodes if node.name != HEAD]),
        inputs=tuple(spec for spec in one.inputs if spec.argument != HEAD),
        stored=tuple(tensor for tensor in one.stored if tensor.fqn != "head.weight"),
    )
    diff = compared(both, one)
    assert roots(diff) == {("weights", "lost", "breaks_pass"): 1, ("signature.inputs", "lost", "breaks_pass"): 1}
    assert {(row.aspect, row.inherited_from) for row in diff.rows if row.field == "args"} == {("tied", HEAD)}
    assert diff.worst == "breaks_pass"
    apart = compared(program(EMBED, HEAD, weights="equal"), one)
    assert roots(apart)["weights", "lost", "wrong_result"] == 1


def test_two_inputs_that_swapped_names_are_told_by_what_they_stand_for():
    """A name that means one thing here and another there says nothing: the weights are named."""
    a = program(EMBED, HEAD, weights="other")
    swapped = {"embed.weight": "head.weight", "head.weight": "embed.weight"}
    b = replace(a, inputs=tuple(replace(spec, target=swapped.get(spec.target or "")) for spec in a.inputs))
    texts = {(row.node_a, row.a, row.b) for row in compared(a, b).rows if row.field == "args"}
    assert texts == {
        ("embedding", f"{EMBED} (embed.weight, there {HEAD})", f"{EMBED} (head.weight, there {HEAD})"),
        ("linear", f"{HEAD} (head.weight, there {EMBED})", f"{HEAD} (embed.weight, there {EMBED})"),
    }


@pytest.mark.parametrize("turned", [False, True])
def test_a_tied_weight_is_two_objects_after_loading(turned):
    """Its storage is still shared; `parameters()` names it twice, and an optimizer steps it twice."""
    made = torch.export.export(Model("tied").eval(), (torch.arange(3),))
    loaded = reload(made)
    assert made.state_dict["embed.weight"] is made.state_dict["head.weight"]
    assert loaded.state_dict["embed.weight"] is not loaded.state_dict["head.weight"]
    diff = compared(*(map(gl.read, (loaded, made) if turned else (made, loaded))))
    (row,) = [row for row in diff.rows if row.family == "aliasing"]
    texts = ("one object with embed.weight", "an object of its own")
    assert (row.field, row.kind, row.aspect, row.severity) == (
        "aliasing[head.weight]",
        "changed",
        "object",
        "breaks_pass",
    )
    assert (row.a, row.b) == (texts[::-1] if turned else texts)
    assert diff.proof.level == "identical"


def test_an_archive_holds_no_objects(tmp_path):
    made = torch.export.export(Model("tied").eval(), (torch.arange(3),))
    torch.export.save(made, tmp_path / "tied.pt2")
    diff = compared(gl.read(made), gl.read(tmp_path / "tied.pt2"))
    assert [row.field for row in diff.rows if row.family == "aliasing"] == []
    assert diff.proof.level == "identical"
