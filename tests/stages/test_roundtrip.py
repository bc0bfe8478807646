"""`roundtrip`: stages, runtimes and outputs as rows, whatever the model does."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest
import torch
from torch import nn

import graphlens.stages.steps.store as store
from graphlens.errors import StageError
from graphlens.stages import roundtrip

MISMATCH_COLUMNS = "stage graph node_a node_b target module source field kind severity cause a b".split()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.norm = nn.Linear(4, 4), nn.BatchNorm1d(4)

    def forward(self, x):
        return {"y": torch.cond(x.sum() > 0, self.linear, lambda v: v * 2, (x,)), "z": self.norm(x), "none": None}


@pytest.fixture(scope="module")
def trip():
    torch.manual_seed(0)
    return roundtrip(Net().eval(), (torch.randn(3, 4),))


def test_a_model_that_survives_is_ok(trip):
    assert trip.ok
    assert str(trip).startswith("Net: ok, the answer is still the same")
    assert list(trip.stages.columns) == ["stage", "status", "seconds", "graphs", "nodes", "error", "hint"]
    assert list(trip.stages["stage"]) == ["export", "decompose", "reload"]
    assert set(trip.stages["status"]) == {"ok"}
    assert list(trip.stages["graphs"]) == [3, 3, 3]
    assert (trip.stages["seconds"] > 0).all()


def test_outputs_are_compared_leaf_by_leaf(trip):
    assert list(trip.outputs.columns) == "runtime leaf status equal max_abs max_rel dtype shape error".split()
    assert list(trip.outputs["leaf"]) == ["output['y']", "output['z']", "output['none']"] * 3
    assert list(trip.outputs["status"]) == ["reference"] * 3 + ["ok"] * 6
    assert trip.outputs["equal"].all()


def test_programs_and_diffs(trip):
    assert list(trip.programs) == ["export", "decompose", "reload"]
    assert trip.diff("export", "reload") is trip.diffs["reload"]
    assert list(trip.diffs) == ["decompose", "reload"]
    assert list(trip.mismatches.columns) == MISMATCH_COLUMNS
    assert set(trip.mismatches["stage"]) == {"decompose", "reload"}
    ranks = trip.mismatches["severity"].map(["wrong_result", "breaks_pass", "debug_info", "cosmetic"].index)
    assert ranks.is_monotonic_increasing


def test_a_diff_of_a_stage_that_left_no_program(trip):
    with pytest.raises(StageError, match="no program of a stage 'unflatten': there are export, decompose, reload"):
        trip.diff("export", "unflatten")


def test_json_ready(trip):
    data = json.loads(json.dumps(trip.to_dict(), allow_nan=False))
    assert data["ok"]
    assert [row["stage"] for row in data["stages"]] == ["export", "decompose", "reload"]
    assert set(data["diffs"]) == {"decompose", "reload"}


class Conjugate(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("conj", torch.tensor([1 + 2j, 3 - 1j]).conj())
        self.register_buffer("neg", torch.tensor([1 + 2j, 3 - 1j]).conj().imag)

    def forward(self, x):
        return self.conj * x, self.neg + x


def test_conj_and_neg_bits_that_save_and_load_loses_are_wrong_results():
    trip = roundtrip(Conjugate(), (torch.ones(2),))
    assert not trip.ok
    assert trip.worst == "wrong_result"
    wrong = trip.mismatches[(trip.mismatches["severity"] == "wrong_result") & (trip.mismatches["cause"] == "root")]
    assert set(wrong["stage"]) == {"reload"}
    assert {"weights[conj]", "weights[neg]"} <= set(wrong["field"])
    outputs = trip.outputs.set_index(["runtime", "leaf"])
    assert list(outputs.loc["reloaded"]["status"]) == ["different", "different"]
    assert outputs.loc[("reloaded", "output[0]"), "max_abs"] == 4.0
    assert list(outputs.loc["exported"]["status"]) == ["ok", "ok"]
    assert "reloaded answers otherwise" in trip.verdict


def test_fake_weights_that_become_zeros_are_a_wrong_result():
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        model, x = nn.Linear(3, 3), torch.randn(2, 3)
    trip = roundtrip(model, (x,))
    wrong = trip.mismatches[trip.mismatches["severity"] == "wrong_result"]
    assert not trip.ok
    assert set(wrong["field"]) == {"weights[weight]", "weights[bias]"}
    assert set(wrong["b"]) == {"all zeros"}
    assert list(trip.runtimes["status"]) == ["unavailable", "unavailable", "ok"]
    assert "fake" in trip.runtimes["error"][0]


def test_a_buffer_that_aliases_a_parameter_is_a_wrong_result():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3))
            self.register_buffer("view", self.weight.detach())

        def forward(self, x):
            return x * self.weight + self.view

    trip = roundtrip(Tied(), (torch.randn(3),), stages=("export", "reload"))
    wrong = trip.mismatches[trip.mismatches["severity"] == "wrong_result"]
    assert list(wrong["field"]) == ["weights[view]"]
    assert "requires grad" in wrong["b"][0]
    assert not trip.ok


def test_what_export_itself_changes_is_found_and_put_back():
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.count = torch.zeros(2)

        def forward(self, x):
            self.count.add_(1)
            return x + self.count

    model = Counting()
    trip = roundtrip(model, (torch.randn(2),), stages="export", runtimes=("eager", "exported"))
    assert list(trip.mismatches["field"]) == ["constants[count]"]
    assert trip.worst == "wrong_result"
    assert model.count.tolist() == [0, 0]


def test_a_failing_stage_is_a_row_and_the_rest_goes_on():
    class Strided(nn.Module):
        def forward(self, x):
            y = nn.functional.scaled_dot_product_attention(x, x, x).transpose(1, 2)
            return y.reshape(*y.shape[:-2], -1).contiguous().view(-1, 8)

    def broken(_program):
        raise ValueError("no luck\nsecond line")

    trip = roundtrip(Strided(), (torch.randn(2, 2, 3, 4),), stages=("export", ("mine", broken), "reload"))
    rows = trip.stages.set_index("stage")
    assert rows.loc["mine", "status"] == "failed"
    assert rows.loc["mine", "error"].startswith("ValueError: no luck second line [test_roundtrip.py:")
    assert rows.loc["reload", "status"] == "ok"
    assert not trip.ok
    assert "mine failed" in trip.verdict
    assert "Traceback" in trip.failures["mine"].trace


@pytest.fixture(scope="module")
def gpt2():
    transformers = pytest.importorskip("transformers")

    class Logits(nn.Module):
        def __init__(self):
            super().__init__()
            shape = {"n_layer": 1, "n_embd": 16, "n_head": 2, "vocab_size": 32, "n_positions": 16}
            config = transformers.GPT2Config(bos_token_id=1, eos_token_id=2, **shape)
            self.gpt2 = transformers.GPT2LMHeadModel(config).eval()

        def forward(self, ids):
            return self.gpt2(ids).logits

    free = torch.export.Dim.DYNAMIC
    return roundtrip(Logits(), (torch.randint(0, 32, (2, 4)),), dynamic_shapes=({0: free, 1: free},))


def test_gpt2_fails_to_decompose_and_the_row_names_node_and_line(gpt2):
    row = gpt2.stages.set_index("stage").loc["decompose"]
    assert row["status"] == "failed"
    assert row["error"].startswith("ValueError: Cannot view a tensor with shape")
    assert "node view_6 (aten.view.default)" in row["error"]
    assert "x = torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight)" in row["error"]
    assert "called from test_roundtrip.py:" in row["error"]
    assert ".reshape()" in row["hint"]
    assert "\n" not in row["error"]


def test_gpt2_keeps_everything_else(gpt2):
    assert list(gpt2.stages["status"]) == ["ok", "failed", "ok"]
    assert list(gpt2.outputs["status"]) == ["reference", "ok", "ok"]
    assert list(gpt2.diffs) == ["reload"]
    assert not gpt2.ok
    assert gpt2.failures["decompose"].node == "view_6"


def test_mutated_inputs_are_compared_and_the_users_are_left_alone():
    class Writes(nn.Module):
        def forward(self, x, y):
            x.mul_(2)
            return x + y

    x, y = torch.ones(3), torch.ones(3)
    trip = roundtrip(Writes(), (x,), {"y": y})
    assert list(trip.outputs["leaf"]) == ["output", "input args[0]"] * 3
    assert trip.ok
    assert x.tolist() == [1, 1, 1]


def test_mutated_buffers_are_compared_and_put_back():
    model = nn.BatchNorm1d(4)
    trip = roundtrip(model, (torch.randn(3, 4),), runtimes=("eager", "exported", "decomposed", "reloaded"))
    leaves = set(trip.outputs[trip.outputs["runtime"] == "decomposed"]["leaf"])
    assert {"state running_mean", "state running_var", "state num_batches_tracked"} < leaves
    assert trip.ok, trip.verdict
    assert model.num_batches_tracked == 0
    assert model.running_mean.tolist() == [0, 0, 0, 0]


def test_an_effect_that_one_runtime_lacks_is_a_row():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("seen", torch.zeros(3))

        def forward(self, x):
            if not torch.compiler.is_exporting():
                self.seen += x
            return x * 2

    trip = roundtrip(Net(), (torch.ones(3),), stages="export", runtimes=("eager", "exported"))
    row = trip.outputs.set_index(["runtime", "leaf"]).loc[("exported", "state seen")]
    assert row["status"] == "missing"
    assert row["error"] == "changed in place by eager, not here"
    assert not trip.ok


def test_random_models_are_seeded_alike():
    trip = roundtrip(nn.Dropout(), (torch.ones(64),), stages="export", runtimes=("eager", "exported"))
    assert trip.ok
    assert trip.runtimes["deterministic"].all()


def test_an_answer_that_changes_from_run_to_run_is_labelled():
    class Restless(nn.Module):
        calls = [0]

        def forward(self, x):
            self.calls[0] += 1
            return x * self.calls[0]

    trip = roundtrip(Restless(), (torch.ones(2),), stages="export", runtimes=("eager", "exported"))
    assert list(trip.outputs["status"]) == ["nondeterministic", "nondeterministic"]
    assert list(trip.runtimes["deterministic"]) == [False, True]
    assert not trip.ok


def test_the_structure_of_outputs_is_compared():
    class Shape(nn.Module):
        def forward(self, x):
            return [x, x] if torch.compiler.is_exporting() else (x, x)

    trip = roundtrip(Shape(), (torch.ones(2),), stages="export", runtimes=("eager", "exported"))
    row = trip.outputs.set_index(["runtime", "leaf"]).loc[("exported", "structure")]
    assert row["status"] == "different"
    assert "list" in row["error"]
    assert "tuple" in row["error"]


def test_dtype_shape_and_missing_leaves_are_rows():
    class Other(nn.Module):
        def forward(self, x):
            if torch.compiler.is_exporting():
                return {"a": x.double(), "b": x[:1], "d": x}
            return {"a": x, "b": x, "c": x}

    trip = roundtrip(Other(), (torch.ones(2),), stages="export", runtimes=("eager", "exported"))
    rows = trip.outputs[trip.outputs["runtime"] == "exported"].set_index("leaf")
    assert rows.loc["output['a']", "error"] == "dtype float64, not float32"
    assert rows.loc["output['b']", "error"] == "shape [1], not [2]"
    assert rows.loc["output['c']", "status"] == "missing"
    assert rows.loc["output['d']", "status"] == "extra"


def test_nan_equals_nan_at_the_same_place():
    class Roots(nn.Module):
        def forward(self, x):
            return x.sqrt(), x / 0

    trip = roundtrip(Roots(), (torch.tensor([-1.0, 4.0]),))
    assert trip.ok
    assert math.isnan(torch.tensor(-1.0).sqrt())


def test_fake_inputs_become_real_ones():
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        x, ids = torch.empty(3, 4), torch.empty(3, dtype=torch.long)

    class Looks(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(2, 4)

        def forward(self, x, ids):
            return x + self.table(ids)

    model = Looks()
    program = torch.export.export(model, (torch.randn(3, 4), torch.zeros(3, dtype=torch.long)))
    trip = roundtrip(program, (x, ids))
    assert list(trip.outputs["status"]) == ["unavailable", "reference", "ok"]
    assert trip.ok


def test_an_exported_program_is_its_own_export():
    program = torch.export.export(nn.Linear(2, 2), (torch.randn(1, 2),))
    trip = roundtrip(program)
    assert trip.ok
    assert list(trip.runtimes["status"]) == ["unavailable", "ok", "ok"]
    assert "ExportedProgram was given" in trip.runtimes["error"][0]


def test_an_input_on_another_device_is_a_clear_row():
    trip = roundtrip(nn.Linear(2, 2), (torch.randn(1, 2, device="meta"),), stages="export", runtimes=("exported",))
    row = trip.stages.iloc[0]
    assert row["status"] == "failed"
    assert "device" in row["error"]
    assert row["hint"] == "move the inputs to the device of the model"
    assert trip.runtimes["status"][0] == "skipped"


def test_ctrl_c_keeps_what_was_finished(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setitem(
        roundtrip.__globals__["plan_stages"].__globals__["STAGES"],
        "reload",
        store.Stage(name="reload", needs="capture", run=interrupted),
    )
    trip = roundtrip(nn.Linear(2, 2), (torch.randn(1, 2),))
    assert trip.interrupted
    assert not trip.ok
    assert list(trip.stages["status"]) == ["ok", "ok", "skipped"]
    assert list(trip.stages["error"])[2] == "interrupted"
    assert set(trip.runtimes["error"]) == {"interrupted"}
    assert list(trip.diffs) == ["decompose"]
    assert "interrupted: what was finished is here" in trip.verdict


def test_runs_leave_the_generators_alone():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    roundtrip(nn.Dropout(), (torch.ones(4),), stages="export")
    assert torch.equal(torch.random.get_rng_state(), before)


def test_nothing_but_a_model_is_taken():
    with pytest.raises(StageError, match=r"model is a function; give an nn.Module or an ExportedProgram"):
        roundtrip(lambda x: x, (1,))
    with pytest.raises(StageError, match=r"args is a Tensor; give the positional inputs as a tuple, \(x,\)"):
        roundtrip(nn.ReLU(), torch.ones(2))


def test_importing_the_room_imports_no_torch():
    code = (
        "import sys, graphlens.stages, graphlens.stages.watch; print('torch' in sys.modules, 'pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
