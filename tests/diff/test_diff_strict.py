"""Strict against non-strict exports of real models: the account, written down by hand."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from diff import models
from diff.exports import Block, export
from msgspec import structs
from torch import nn

from graphlens.diff import compare
from graphlens.program.frozen import freeze
from graphlens.program.program import Program
from graphlens.read import read

pytestmark = pytest.mark.filterwarnings("ignore")


@cache
def both(name: str) -> tuple[Program, Program]:
    torch.manual_seed(0)
    model, args, kwargs = models.MODELS[name]()
    strict = torch.export.export(models.Wrapped(model).eval(), args, kwargs, strict=True)
    return read(strict), read(models.exported(name))


UNREAD = {"model.model.rotary_emb.original_inv_freq"}
"""A buffer that the model keeps and does not read: Dynamo never meets it."""
TIED = {"model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight"}
"""Other names of ``model.shared.weight``: Dynamo keeps one."""
REGIONS = {"llama": {"submod_1", "higher_order.wrap_with_set_grad_enabled"}}
ACCOUNTS = {
    # the rules of the proof, the inputs that only the non-strict one takes, the weights that only it stores
    "bert": ({"dead pure code": 9, "order of lifted inputs": 1}, set(), set()),
    "llama": ({"dead pure code": 3, "order of lifted inputs": 1, "stored tensor that nothing reads": 1}, UNREAD, UNREAD),
    "t5": ({"dead pure code": 24, "order of lifted inputs": 1, "tied weight read under its other name": 4}, TIED, set()),
}  # fmt: skip


@pytest.mark.parametrize("name", ACCOUNTS)
def test_a_strict_export_computes_the_same(name):
    a, b = both(name)
    diff = compare(a, b)
    rules, inputs, weights = ACCOUNTS[name]
    assert dict(diff.proof.rules) == rules
    assert "the computation itself is proved identical up to" in diff.verdict
    roots = [row for row in diff.rows if row.cause == "root"]
    assert not [row for row in roots if row.severity == "wrong_result"]
    assert {row.b.partition(" ")[2] for row in roots if row.family == "signature.inputs"} == inputs
    assert {row.field[len("weights[") : -1] for row in roots if row.family == "weights"} == weights
    # what passes can meet: whose parameters are Parameters, what Dynamo knew of the sources, one region's modules
    assert {(row.family, row.kind) for row in roots if row.severity == "breaks_pass"} - {
        ("nn_module_stack", "changed"), ("signature.inputs", "added"), ("weights", "added"),
    } == {("val.type", "changed"), ("source_fn_stack", "lost")}  # fmt: skip
    stacks = {row.target if row.aspect == "" else row.aspect for row in roots if row.family == "nn_module_stack"}
    assert stacks == {"key"} | REGIONS.get(name, set()), "Dynamo leaves the modules out of a region without gradients"
    # masks of all ones, made and never used
    lone = [row for row in roots if row.kind in ("only_a", "only_b")]
    assert {(row.kind, row.aspect, row.target) for row in lone} == {("only_b", "dead", "aten.unsqueeze.default")}
    assert len(lone) == rules["dead pure code"]


@pytest.mark.parametrize("name", ACCOUNTS)
def test_a_strict_export_the_other_way_round(name):
    a, b = both(name)
    diff = compare(b, a)
    assert dict(diff.proof.rules) == ACCOUNTS[name][0]
    assert {row.severity for row in diff.rows if row.family == "weights"} <= {"breaks_pass"}


class Spare(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = Block()
        self.register_buffer("seen", torch.zeros(4))

    def forward(self, x):
        return self.block(x)


class Reading(Spare):
    def forward(self, x):
        return self.block(x) + self.seen


class Writing(Spare):
    def forward(self, x):
        self.seen.add_(1.0)
        return self.block(x)


def without(program: Program, fqn: str) -> Program:
    """Take an input out of a program, as if the exporter had never met it."""
    gone = next(spec.argument for spec in program.inputs if spec.target == fqn)
    graph = program.graph
    left = structs.replace(graph, nodes=tuple(node for node in graph.nodes if node.name != gone))
    return structs.replace(
        program,
        graphs=freeze({**program.graphs, "": left}),
        inputs=tuple(spec for spec in program.inputs if spec.argument != gone),
        stored=tuple(tensor for tensor in program.stored if tensor.fqn != fqn),
    )


def test_only_what_nothing_reads_or_writes_may_be_missing():
    x = torch.randn(2, 4)
    spare = read(export(Spare(), x))
    assert dict(compare(without(spare, "seen"), spare).proof.rules) == {"stored tensor that nothing reads": 1}
    assert compare(without(spare, "block.fc.weight"), spare).proof.level == "different"
    for kind in (Reading, Writing):
        program = read(export(kind(), x))
        assert compare(without(spare, "seen"), program).proof.level == "different"
        assert compare(spare, program).proof.level == "different"


def test_an_input_of_the_user_is_never_spare():
    class Two(nn.Module):
        def forward(self, x, y):
            return x.sin()

    class One(nn.Module):
        def forward(self, x):
            return x.sin()

    x = torch.randn(2, 4)
    assert compare(read(export(One(), x)), read(export(Two(), x, x))).proof.level == "different"
