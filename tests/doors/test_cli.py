"""The command line, in this process where that is enough and as a process where imports and exit matter."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from graphlens.cli import main

ARCHIVES = Path(__file__).parents[1] / "data" / "archives"
NESTED = ARCHIVES / "torch-2.13.0" / "nested_control_flow.pt2"
DECODER = ARCHIVES / "torch-2.13.0" / "decoder_static.pt2"
OLD_DECODER = ARCHIVES / "torch-2.5.1" / "decoder_static.pt2"
LOWERED, OLD_LOWERED = (ARCHIVES / f"torch-{torch}" / "decoder_decomposed.pt2" for torch in ("2.13.0", "2.5.1"))


def run(capsys, *argv: str) -> tuple[int, str, str]:
    status = main([str(word) for word in argv])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_show_prints_every_nested_graph(capsys):
    status, out, err = run(capsys, "show", NESTED)
    assert (status, err) == (0, "")
    for text in ("aten.linear.default", "aten.sin.default", "true_fn", "false_fn", "map_impl"):
        assert text in out


def test_show_finds_nodes(capsys):
    status, out, _ = run(capsys, "show", DECODER, "--find", "op:linear shape:48 module:blocks.1")
    assert status == 0
    assert out.splitlines()[-1] == "1 node found"
    assert "blocks.1" in out


def test_show_find_as_json(capsys):
    _, out, _ = run(capsys, "show", NESTED, "--find", "target:sin", "--format", "json")
    (row,) = json.loads(out)
    assert row["graph"] == "cond.true_fn/cond.true_fn"


@pytest.mark.parametrize(("form", "starts"), [("dot", "digraph"), ("svg", "<svg"), ("json", "{")])
def test_show_in_other_formats(capsys, form, starts):
    status, out, _ = run(capsys, "show", NESTED, "--format", form)
    assert status == 0
    assert out.lstrip().startswith(starts)


def test_diff_of_a_file_with_itself_is_0(capsys):
    status, out, _ = run(capsys, "diff", NESTED, NESTED)
    assert status == 0
    assert "identical" in out


def test_diff_exit_status_follows_fail_on(capsys):
    assert run(capsys, "diff", DECODER, OLD_DECODER)[0] == 1
    assert run(capsys, "diff", DECODER, OLD_DECODER, "--fail-on", "never")[0] == 0


@pytest.mark.parametrize("form", ["text", "json", "markdown", "junit", "html"])
def test_diff_formats(capsys, form, tmp_path):
    out = tmp_path / "out"
    status, said, _ = run(capsys, "diff", DECODER, OLD_DECODER, "--format", form, "-o", out)
    assert status == 1
    assert str(out) in said
    text = out.read_text()
    if form == "json":
        assert json.loads(text)["mismatches"]
    if form == "junit":
        assert ET.fromstring(text).find(".//failure") is not None
    if form == "html":
        assert text.startswith("<!doctype html>")


def test_diff_options_are_those_of_the_function(capsys):
    assert run(capsys, "diff", LOWERED, OLD_LOWERED, "--fail-on", "wrong_result")[0] == 1
    mild = [f"--severity={field}=cosmetic" for field in ("target", "args", "weights", "val.*")]
    assert run(capsys, "diff", LOWERED, OLD_LOWERED, "--fail-on", "wrong_result", *mild)[0] == 0
    assert "rows ignored" in run(capsys, "diff", DECODER, OLD_DECODER, "--ignore", "stack_trace")[1]
    assert run(capsys, "diff", NESTED, NESTED, "--stack-trace", "user", "--weights", "exact")[0] == 0
    for words, says in (
        (["--pin", "nope=nope"], "no node 'nope'"),
        (["--pin", "nope"], "--pin 'nope' is not A=B"),
        (["--severity", "args=awful"], "'awful' is not a severity"),
    ):
        status, out, err = run(capsys, "diff", NESTED, NESTED, *words)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert says in err


def test_junit_fails_what_the_exit_status_fails(capsys):
    for fail_on in ("wrong_result", "breaks_pass", "debug_info", "cosmetic", "never"):
        status, out, _ = run(capsys, "diff", LOWERED, OLD_LOWERED, "--format", "junit", "--fail-on", fail_on)
        assert (ET.fromstring(out).find(".//failure") is not None) == (status == 1) == (fail_on != "never")


def test_the_verdict_is_said_where_a_file_is_written(capsys, tmp_path):
    said = run(capsys, "diff", NESTED, NESTED, "--format", "markdown", "-o", tmp_path / "out.md")[1]
    assert "identical" in said


def test_report_writes_one_file(capsys, tmp_path):
    out = tmp_path / "report.html"
    status, said, _ = run(capsys, "report", NESTED, "-o", out)
    assert status == 0
    assert str(out) in said
    assert out.read_text().startswith("<!doctype html>")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def bad_inputs(folder: Path) -> dict[str, Path]:
    text = folder / "text.pt2"
    text.write_text("hello")
    empty = folder / "empty.pt2"
    empty.write_bytes(b"")
    cut = folder / "cut.pt2"
    cut.write_bytes(NESTED.read_bytes()[:-3000])
    return {"text": text, "empty": empty, "cut": cut, "folder": folder, "absent": folder / "absent.pt2"}


@pytest.mark.parametrize("command", ["show", "diff", "report"])
@pytest.mark.parametrize("kind", ["text", "empty", "cut", "folder", "absent"])
def test_bad_input_is_one_line_and_2(capsys, tmp_path, command, kind):
    path = bad_inputs(tmp_path)[kind]
    rest = {"show": [], "diff": [NESTED], "report": ["-o", tmp_path / "x.html"]}[command]
    status, out, err = run(capsys, command, path, *rest)
    assert (status, out) == (2, "")
    assert len(err.strip().splitlines()) == 1
    assert path.name in err
    assert not (tmp_path / "x.html").exists()


def test_an_unwritable_output_keeps_what_was_there(capsys, tmp_path):
    status, _, err = run(capsys, "report", NESTED, "-o", tmp_path / "no" / "such" / "x.html")
    assert status == 2
    assert "cannot write" in err


def test_a_broken_query_is_2(capsys):
    status, _, err = run(capsys, "show", NESTED, "--find", "/(/")
    assert status == 2
    assert "regular expression" in err


def test_archives_never_import_torch(tmp_path):
    code = (
        "import sys; from graphlens.cli import main\n"
        f"main(['show', {str(NESTED)!r}]); main(['diff', {str(NESTED)!r}, {str(DECODER)!r}])\n"
        f"assert main(['report', {str(NESTED)!r}, '-o', sys.argv[1]]) == 0\n"
        "assert 'torch' not in sys.modules, 'torch'"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "r.html")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_import_is_light():
    code = "import sys, graphlens; assert not {'torch', 'pandas', 'numpy', 'IPython', 'ipywidgets'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


FACTORY = """
import torch
def make():
    return torch.nn.Linear(3, 2), (torch.ones(1, 3),)
def wrong():
    return torch.nn.Linear(3, 2)
"""


def test_roundtrip_of_a_factory(capsys, tmp_path, monkeypatch):
    (tmp_path / "models_here.py").write_text(FACTORY)
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "trip.html"
    status, said, _ = run(capsys, "roundtrip", "models_here.py:make", "-o", out)
    assert status == 0, said
    assert out.exists()
    assert run(capsys, "roundtrip", "models_here:make")[0] == 0


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("no_colon", "is not MODULE:FACTORY"),
        ("absent_module:make", "cannot import"),
        ("absent_file.py:make", "cannot import"),
        ("models_here.py:absent", "has no 'absent'"),
        ("models_here.py:wrong", "it must give (model, args)"),
    ],
)
def test_roundtrip_of_a_bad_factory(capsys, tmp_path, monkeypatch, given, says):
    (tmp_path / "models_here.py").write_text(FACTORY)
    monkeypatch.chdir(tmp_path)
    status, _, err = run(capsys, "roundtrip", given)
    assert status == 2
    assert says in err
    assert len(err.strip().splitlines()) == 1


def test_a_closed_pipe_is_no_traceback():
    if shutil.which("head") is None:
        pytest.skip("no head here")
    line = f"{sys.executable} -m graphlens show {DECODER} | head -1"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
    assert "Traceback" not in done.stderr


def test_conformance_of_one_case_against_its_own_baseline(capsys, tmp_path):
    baseline, page = tmp_path / "base.json", tmp_path / "page.html"
    assert run(capsys, "conformance", "--suite", "export_db", "--only", "assume_constant_result", "-o", baseline)[
        0
    ] in (0, 1)
    status, out, _ = run(
        capsys,
        "conformance",
        "--suite",
        "export_db",
        "--only",
        "assume_constant_result",
        "--against",
        baseline,
        "-o",
        page,
    )
    assert status in (0, 1)
    assert page.read_text().startswith("<!doctype html>")
    assert "assume_constant_result" in page.read_text() or "conformance" in out.lower()


def test_conformance_of_an_unknown_case_is_2(capsys):
    status, _, err = run(capsys, "conformance", "--only", "no_such_case")
    assert status == 2
    assert "no_such_case" in err


def test_a_pattern_that_is_none_is_said_to_be_text(capsys):
    status, out, _ = run(capsys, "show", NESTED, "--find", "op:[")
    assert (status, "0 nodes found: 'op:[' is looked for as it is written" in out) == (0, True)
    status, out, err = run(capsys, "show", NESTED, "--find", "op:/[/")
    assert (status, out, "is no regular expression" in err) == (2, "", True)


@pytest.mark.parametrize("option", ["--ignore=nope", "--severity=nope=cosmetic"])
def test_a_field_that_nothing_has_is_an_error(capsys, option):
    status, out, err = run(capsys, "diff", NESTED, NESTED, option)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "there is no field 'nope', and no node of either program has such metadata" in err
    assert run(capsys, "diff", NESTED, NESTED, option.replace("nope", "nope*"))[0] == 0
