"""The magic in a real IPython shell."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from IPython.core.error import UsageError

from graphlens.errors import GraphLensError
from graphlens.magic import look_up

ARCHIVE = Path(__file__).parents[1] / "data" / "archives" / "torch-2.13.0" / "nested_control_flow.pt2"


@pytest.fixture(scope="module")
def shell(terminal):
    terminal.run_line_magic("load_ext", "graphlens")
    yield terminal
    terminal.run_line_magic("unload_ext", "graphlens")


@pytest.fixture
def program(shell):
    from graphlens import read

    shell.user_ns["program"] = read(ARCHIVE)
    return shell.user_ns["program"]


def test_diff_returns_and_stores_the_result(shell, program):
    result = shell.run_line_magic("graphlens", "diff program program -o same")
    assert result.ok
    assert shell.user_ns["same"] is result


def test_diff_takes_a_file_and_items_of_a_dict(shell, program):
    shell.user_ns["by_stage"] = {"export": program, 3: program}
    assert shell.run_line_magic("graphlens", f"diff {ARCHIVE} by_stage['export']").ok
    assert shell.run_line_magic("graphlens", "diff by_stage[3] program --profile pytorch").ok


def test_view_returns_the_widget(shell, program):
    view = shell.run_line_magic("graphlens", "view program --expand 2")
    assert type(view).__name__ == "GraphView"


def test_html_writes_a_report(shell, program, tmp_path, capsys):
    out = tmp_path / "out.html"
    shell.run_line_magic("graphlens", f"diff program program --html {out}")
    assert out.read_text().startswith("<!doctype html>")
    assert str(out) in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("diff program", "the following arguments are required: B"),
        ("nope", "invalid choice: 'nope'"),
        ("view programm", "did you mean program"),
        ("view absent_thing", "neither a name here nor a file"),
        ("view program.absent", "has no attribute 'absent'"),
        ("view 'unclosed", "No closing quotation"),
        ("view program --expand -1", "-1"),
    ],
)
def test_bad_lines_are_usage_errors_of_one_clear_message(shell, program, line, says):
    with pytest.raises(UsageError, match=says):
        shell.run_line_magic("graphlens", line)


def test_help_prints_and_returns_nothing(shell, capsys):
    assert shell.run_line_magic("graphlens", "-h") is None
    assert "roundtrip" in capsys.readouterr().out


def test_names_are_completed(shell, program):
    _, matches = shell.complete("prog", "%graphlens view prog", len("%graphlens view prog"))
    assert "program" in matches


def test_nothing_is_evaluated():
    calls = []

    class Trap(dict):
        def __missing__(self, key):
            calls.append(key)

    space = {"f": lambda: calls.append("called"), "d": Trap(), "o": SimpleNamespace(x=[1, 2])}
    with pytest.raises(GraphLensError):
        look_up("f()", space)
    with pytest.raises(GraphLensError):
        look_up("d['x']", space)
    assert look_up("o.x[-1]", space) == 2
    assert calls == []
