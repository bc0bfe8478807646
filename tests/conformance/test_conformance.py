"""`conformance`: this torch's own samples through PyTorch's four flows, and what has changed since a baseline."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import msgspec
import pytest
import torch

from graphlens.errors import StageError
from graphlens.stages.catalog import PRESETS
from graphlens.stages.conformance import Conformance, conformance
from graphlens.stages.conformance.cases import SUITES, registered

BASELINES = Path(__file__).parents[1] / "data" / "conformance"
FLOWS = list(PRESETS)


@pytest.fixture(scope="module")
def hops() -> Conformance:
    return conformance("hop_db")


def statuses(result, case):
    return {row.flow: row.status for row in result.rows if row.case == case}


def test_every_sample_goes_through_every_flow(hops):
    assert list(hops.table.columns) == FLOWS
    for case in ("cond", "map", "map.nested", "map.triple_nested", "while_loop", "scan", "auto_functionalize"):
        assert statuses(hops, case) == dict.fromkeys(FLOWS, "ok"), case


def test_what_fails_today_is_reported_as_found(hops):
    for case in ("invoke_quant", "register_hook", "flex_attention", "local_map_hop", "inline_asm_elementwise"):
        assert set(statuses(hops, case).values()) == {"failed"}, case
        assert f"{case}: failed in {', '.join(FLOWS)}" in hops.verdict
    assert "only supports CUDA tensors" in hops.table.loc[("hop_db", "inline_asm_elementwise"), "aot_export"]
    assert not hops.ok


def test_what_save_and_load_take_is_listed(hops):
    (row,) = [row for row in hops.rows if row.case == "cond" and row.flow == "serialize_export"]
    assert "torch_fn lost" in row.lost
    (row,) = [row for row in hops.rows if row.case == "cond" and row.flow == "aot_export"]
    assert row.lost == ""


def test_ops_that_no_sample_reaches_are_listed(hops):
    assert "strict_mode" in hops.unseen
    assert "triton_kernel_wrapper_functional" in hops.unseen
    assert not {"cond", "map_impl", "scan", "while_loop", "flex_attention"} & set(hops.unseen)
    assert set(hops.unseen) <= set(registered())


@pytest.mark.skipif(torch.__version__.split("+")[0] != "2.13.0", reason="the baseline is of torch 2.13.0")
def test_nothing_has_changed_since_the_baseline(hops):
    again = Conformance(**{**vars_of(hops), "baseline": baseline("torch-2.13.0.json")})
    assert list(again.change_rows) == []
    assert again.ok


def vars_of(result):
    return {name: getattr(result, name) for name in ("suite", "torch", "rows", "unseen", "interrupted")}


def baseline(name):
    from graphlens.stages.conformance.result import baseline_rows

    return tuple(row for row in baseline_rows(BASELINES / name) if row.suite == "hop_db")


def test_a_change_since_a_baseline_is_named(hops, tmp_path):
    better = {"status": "ok", "error": ""}
    rows = [
        msgspec.structs.replace(row, **better) if row.case == "invoke_quant" else row
        for row in hops.rows
        if row.case != "scan"
    ]
    path = tmp_path / "before.json"
    Conformance(**{**vars_of(hops), "rows": tuple(rows)}).to_json(path)
    now = conformance("hop_db", only=["invoke_quant", "scan"], against=path)
    changed = now.changes.set_index(["case", "flow"])
    assert list(changed.loc["invoke_quant"]["before"]) == ["ok"] * 4
    assert list(changed.loc["invoke_quant"]["now"]) == ["failed"] * 4
    assert "missing val field" in changed.loc[("invoke_quant", "aot_export"), "why"]
    assert list(changed.loc["scan"]["before"]) == [""] * 4
    assert not now.ok
    assert "invoke_quant aot_export: ok → failed" in now.verdict


def test_cases_of_export_db():
    result = conformance("export_db", only=["cond_operands", "dictionary", "dynamic_shape_round", "tensor_setattr"])
    for case in ("cond_operands", "dictionary", "tensor_setattr"):
        assert statuses(result, case) == dict.fromkeys(FLOWS, "ok"), result.verdict
    assert set(statuses(result, "dynamic_shape_round").values()) == {"failed"}
    assert result.ok, "torch says of dynamic_shape_round that it is not supported"
    assert "(torch says: NOT_SUPPORTED_YET)" in result.verdict


def test_a_torch_without_samples_says_why(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.testing._internal.hop_db", None)
    result = conformance("hop_db")
    (row,) = result.rows
    assert row.status == "unavailable"
    assert "hop_db cannot be imported" in row.error
    assert "unavailable" in result.verdict


def test_ctrl_c_keeps_what_was_finished(monkeypatch):
    import graphlens.stages.conformance.run as run

    original, calls = run.roundtrip, []

    def once(*args, **kwargs):
        calls.append(args)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    monkeypatch.setattr(run, "roundtrip", once)
    result = conformance("export_db", only=["dictionary", "list_unpack"])
    assert result.interrupted
    assert {row.case for row in result.rows} == {"dictionary"}
    assert "interrupted" in result.verdict


def test_json_ready(hops):
    data = json.loads(json.dumps(hops.to_dict(), allow_nan=False))
    assert data["torch"] == torch.__version__
    assert len(data["rows"]) == len(hops.rows)


def test_a_page_can_be_written(hops, tmp_path):
    page = hops.to_html(tmp_path / "conformance.html").read_text(encoding="utf-8")
    assert "hop_db" in page


def test_questions_that_make_no_sense(tmp_path):
    with pytest.raises(StageError, match="suite 'hops' is unknown; there are hop_db, export_db and all"):
        conformance("hops")
    with pytest.raises(StageError, match="no case is called 'conde'"):
        conformance("export_db", only=["conde"])
    with pytest.raises(StageError, match="is no baseline of conformance"):
        conformance("export_db", against=tmp_path / "missing.json")
    (tmp_path / "other.json").write_text('{"kind": "diff", "rows": [], "version": 1}')
    with pytest.raises(StageError, match="is a diff of version 1"):
        conformance("export_db", against=tmp_path / "other.json")
    assert SUITES == ("hop_db", "export_db")
