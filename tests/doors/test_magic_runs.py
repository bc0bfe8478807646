"""`%%graphlens capture` over a cell and `%graphlens numerics`, in a real IPython shell."""

from __future__ import annotations

import pytest
from IPython.core.error import UsageError

CELL = """
def twice(x):
    print("a side effect")
    return x * 2

out = torch.compile(twice, backend="eager")(torch.ones(3))
"""


@pytest.fixture(scope="module")
def shell(terminal):
    import torch

    terminal.run_line_magic("load_ext", "graphlens")
    terminal.user_ns["torch"] = torch
    yield terminal
    torch._dynamo.reset()
    terminal.run_line_magic("unload_ext", "graphlens")
    assert "graphlens" not in terminal.magics_manager.magics["cell"]


def test_capture_runs_the_cell_and_returns_what_was_compiled(shell):
    cap = shell.run_cell_magic("graphlens", "capture -o found", CELL)
    assert shell.user_ns["out"].tolist() == [2, 2, 2]
    assert shell.user_ns["found"] is cap
    assert cap.breaks["line"].tolist() == ['print("a side effect")']
    assert "1 graph break" in str(cap)


def test_an_error_of_the_cell_is_raised_once_and_the_capture_is_kept(shell, capsys):
    with pytest.raises(ZeroDivisionError):
        shell.run_cell_magic("graphlens", "capture -o broken", CELL + "\n1 / 0")
    assert "ZeroDivisionError" not in capsys.readouterr().out
    assert len(shell.user_ns["broken"].graphs) >= 1
    with pytest.raises(SyntaxError):
        shell.run_cell_magic("graphlens", "capture", "def")
    assert "showtraceback" not in vars(shell)


def test_only_capture_goes_over_a_cell(shell):
    with pytest.raises(UsageError, match="%%graphlens"):
        shell.run_cell_magic("graphlens", "view program", "x = 1")


def test_numerics_of_two_programs(shell):
    torch = shell.user_ns["torch"]
    shell.user_ns["x"] = torch.ones(2)
    shell.user_ns["ep"] = torch.export.export(torch.nn.Linear(2, 2), (torch.ones(2),))
    result = shell.run_line_magic("graphlens", "numerics ep ep x -o n")
    assert result.ok
    assert shell.user_ns["n"] is result
