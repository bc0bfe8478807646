"""`preflight`: what save and load will refuse or change, before they do."""

from __future__ import annotations

import collections
import dataclasses
import json

import pytest
import torch
from torch import nn

from graphlens.errors import StageError
from graphlens.stages import roundtrip
from graphlens.stages.preflight import preflight

Pair = collections.namedtuple("Pair", "left right")


class Of(nn.Module):
    def __init__(self, function, **buffers):
        super().__init__()
        self.function = function
        for name, buffer in buffers.items():
            self.register_buffer(name, buffer)

    def forward(self, *args):
        return self.function(self, *args)


def exported(function, *args, **buffers):
    return torch.export.export(Of(function, **buffers), args)


def annotated():
    program = torch.export.export(nn.Linear(2, 2), (torch.randn(1, 2),))
    next(node for node in program.graph.nodes if node.op == "call_function").meta["custom"] = {"key": object()}
    return program


def mixed_contexts():
    def forward(_, x):
        with torch.autocast("cpu"):
            with torch.no_grad():
                y = x @ x
            return y @ x

    return exported(forward, torch.randn(2, 2))


def attention():
    from torch.nn.attention.flex_attention import flex_attention

    return exported(
        lambda _, q: flex_attention(q, q, q, score_mod=lambda s, b, h, i, j: s + i - j), torch.randn(1, 1, 128, 16)
    )


REFUSED = {
    "sparse": (
        lambda: exported(lambda m, x: m.s @ x, torch.ones(3), s=torch.eye(3).to_sparse()),
        "s",
        "cannot be saved",
    ),
    "string": (lambda: exported(lambda _, x: (x + 1, "label"), torch.ones(3)), "output 1", "cannot be loaded"),
    "custom": (annotated, "linear (linear.py:", "cannot be saved"),
    "namedtuple": (lambda: exported(lambda _, x: Pair(x, x), torch.ones(2)), "outputs", "cannot be saved"),
    "contexts": (mixed_contexts, "wrap_with_autocast", "cannot be loaded"),
    "attention": (attention, "flex_attention (test_preflight.py:", "cannot be saved"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_torch_refuses_is_told_before(name):
    make, where, consequence = REFUSED[name]
    program = make()
    result = preflight(program)
    assert not result.ok
    row = result.problems.iloc[0]
    assert row["where"].startswith(where)
    assert row["consequence"] == consequence
    assert row["reason"]
    assert row["advice"]
    trip = roundtrip(program, stages=("export", "reload"), runtimes=())
    assert list(trip.stages["status"]) == ["ok", "failed"]
    assert trip.problems["reload"] == result.found
    assert row["where"] in trip.verdict


def test_what_comes_back_as_something_else():
    base = nn.Parameter(torch.ones(4))
    model = Of(lambda m, x: x * m.c + m.b + m.p, c=torch.ones(4, dtype=torch.complex64).conj(), b=base.detach())
    model.register_parameter("p", base)
    result = preflight(torch.export.export(model, (torch.ones(4),)))
    found = result.problems.set_index("where")
    assert set(found["consequence"]) == {"loads as something else"}
    assert "conjugate bit" in found.loc["c", "reason"]
    assert "shares memory with the parameter p" in found.loc["b", "reason"]


@dataclasses.dataclass
class Result:
    value: torch.Tensor


def test_classes_that_the_loader_must_know():
    torch.export.register_dataclass(Result, serialized_type_name="test_preflight.Result")
    result = preflight(exported(lambda _, x: Result(x + 1), torch.ones(2)))
    assert result.ok
    (problem,) = result.found
    assert (problem.where, problem.consequence) == ("outputs", "needs something where it is loaded")
    assert "test_preflight.Result" in problem.reason


def test_all_problems_are_listed_not_only_the_first():
    program = torch.export.export(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), (torch.randn(1, 2),))
    for node in program.graph.nodes:
        node.meta["custom"] = {"key": {1, 2}}
    assert len(preflight(program).found) == 2


def test_a_program_without_problems():
    result = preflight(torch.export.export(nn.Linear(2, 2), (torch.randn(1, 2),)))
    assert result.ok
    assert str(result) == "can be saved and loaded here"
    assert len(result.problems) == 0
    assert json.loads(json.dumps(result.to_dict()))["problems"] == []


def test_nothing_but_an_exported_program():
    with pytest.raises(StageError, match="a Linear cannot be saved; give an ExportedProgram"):
        preflight(nn.Linear(2, 2))
