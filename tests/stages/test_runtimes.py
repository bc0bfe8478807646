"""Runtimes that compile: rounding is told from error, and what this machine lacks is a row with the reason."""

from __future__ import annotations

import functools

import pytest
import torch
from torch import nn

from graphlens.stages import roundtrip
from graphlens.stages.part import Runtime
from graphlens.stages.precision import is_rounding
from graphlens.stages.runtimes import compiled


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x):
        y = torch.cond(x.sum() > 0, lambda v: self.linear(v).tanh(), lambda v: v * 2, (x,))
        return {"y": y.softmax(-1), "none": None}


def run(runtimes, model=None, x=None):
    torch.manual_seed(0)
    x = torch.rand(3, 8) if x is None else x
    return roundtrip(Net() if model is None else model, (x,), stages="export", runtimes=("eager", *runtimes))


def test_compilers_that_only_trace_are_bit_equal():
    trip = run(("compile:eager", "compile:aot_eager"))
    assert trip.ok
    assert list(trip.runtimes["status"]) == ["ok"] * 3
    assert set(trip.outputs["status"][2:]) == {"ok"}


@pytest.fixture
def no_compiler():
    from torch._inductor import config, cpp_builder

    def forget():
        for function in vars(cpp_builder).values():
            if isinstance(function, functools._lru_cache_wrapper):
                function.cache_clear()

    forget()
    with config.patch({"cpp.cxx": ("/nonexistent/g++",)}):
        yield
    forget()


@pytest.mark.usefixtures("no_compiler")
def test_no_compiler_is_a_row_with_the_reason():
    trip = run(("compile:inductor", "aoti"))
    assert list(trip.runtimes["status"]) == ["ok", "unavailable", "unavailable"]
    assert trip.runtimes["error"][1].startswith("no C++ compiler")
    assert trip.ok
    assert "unavailable here" in trip.verdict


@pytest.mark.skipif(bool(compiled.probe_compiler()), reason="needs a C++ compiler")
def test_inductor_and_aoti_agree_within_rounding():
    class Small(nn.Module):
        def forward(self, x):
            return {"y": (x.exp() / 3).softmax(-1), "none": None}

    trip = run(("compile:inductor", "aoti", "aoti_delegate:packaged"), Small())
    assert list(trip.runtimes["status"]) == ["ok"] * 4, trip.runtimes["error"]
    assert set(trip.outputs["status"]) <= {"reference", "ok", "rounding"}
    assert set(trip.outputs["leaf"]) == {"output['y']", "output['none']"}
    assert trip.ok


def test_nativert_runs_or_says_why_not():
    trip = run(("nativert",))
    row = trip.runtimes.iloc[1]
    if row["status"] == "unavailable":
        assert "NativeRT" in row["error"]
        assert "No constructor defined" in row["error"] or "no NativeRT" in row["error"]
    else:
        assert row["status"] == "ok", row["error"]
        assert trip.ok


def wrong_by(error):
    def load(_subject, model):
        return lambda x: {"y": model(x)["y"] * (1 + error), "none": None}

    return Runtime(name="mine", needs="model", load=load, exact=False)


@pytest.mark.parametrize(("error", "status"), [(1e-7, "rounding"), (1e-3, "different")])
def test_a_wrong_kernel_is_told_from_rounding(error, status):
    trip = run((wrong_by(error),))
    row = trip.outputs.set_index(["runtime", "leaf"]).loc[("mine", "output['y']")]
    assert row["status"] == status
    assert not row["equal"]
    assert "to fp64" in row["error"]
    assert trip.ok is (status == "rounding")


def test_without_fp64_nothing_is_called_rounding():
    class Single(nn.Module):
        def forward(self, x):
            if x.dtype != torch.float32:
                raise TypeError("float32 only")
            return {"y": x.sin(), "none": None}

    trip = run((wrong_by(1e-7),), Single(), torch.rand(3))
    row = trip.outputs.set_index(["runtime", "leaf"]).loc[("mine", "output['y']")]
    assert row["status"] == "different"
    assert "the model does not run in fp64: TypeError: float32 only" in row["error"]


def test_one_wrong_element_among_many_is_not_rounding():
    exact = torch.rand(1_000_000, dtype=torch.float64) + 1
    ours = exact.float()
    theirs = ours.clone()
    assert is_rounding(ours, theirs, exact)[0]
    theirs[17] *= 1.001
    assert not is_rounding(ours, theirs, exact)[0]


def test_a_branch_taken_otherwise_is_no_measure():
    exact, ours = torch.zeros(4, dtype=torch.float64), torch.ones(4)
    rounding, why = is_rounding(ours, ours * 1.1, exact + 1e-3)
    assert not rounding
    assert "rounding cannot be told" in why


def test_nan_at_another_place_is_not_rounding():
    exact = torch.tensor([1.0, 2.0], dtype=torch.float64)
    assert not is_rounding(torch.tensor([1.0, 2.0]), torch.tensor([1.0, float("nan")]), exact)[0]
    assert not is_rounding(torch.tensor([1.0, float("inf")]), torch.tensor([1.0, -float("inf")]), exact)[0]


def test_integers_do_not_round():
    assert not is_rounding(torch.tensor([1]), torch.tensor([2]), torch.tensor([1]))[0]


def test_running_out_of_recompilations_is_an_error_not_silently_eager(monkeypatch):
    calls = [0]

    class Counts(nn.Module):
        def forward(self, x):
            calls[0] += 1
            return {"y": x * calls[0], "none": None}

    monkeypatch.setattr(compiled, "RECOMPILE_LIMIT", 1)
    trip = run(("compile:eager",), Counts())
    assert trip.runtimes["status"][1] == "failed"
    assert "recompile" in trip.runtimes["error"][1].lower()


def test_a_runtime_that_raises_leaves_the_others_alone():
    def load(_subject, _model):
        raise RuntimeError("out of memory")

    trip = run((Runtime(name="mine", needs="model", load=load), "exported"))
    rows = trip.runtimes.set_index("runtime")
    assert rows.loc["mine", "status"] == "failed"
    assert rows.loc["mine", "hint"] == "free device memory, or use a smaller input"
    assert rows.loc["exported", "status"] == "ok"
    assert not trip.ok
