"""What takes long says so on a terminal or in a notebook, and reads the weights once."""

from __future__ import annotations

from importlib import import_module

import pytest
import torch
from msgspec.structs import replace

import graphlens as gl
from graphlens import progress
from graphlens.diff import compare
from graphlens.program.argument import Ref
from graphlens.program.frozen import freeze
from graphlens.program.graph import Graph, Node
from graphlens.program.program import Program
from graphlens.read import read


def chain(length: int) -> Program:
    nodes = [Node(name="x", op="placeholder", target="x")]
    nodes += [
        Node(
            name=f"n{i}",
            op="call_function",
            target="aten.sin.default",
            args=(Ref(nodes[-1].name if not i else f"n{i - 1}"),),
        )
        for i in range(length)
    ]
    nodes.append(Node(name="output", op="output", target="output", args=(Ref(nodes[-1].name),)))
    return Program(graphs=freeze({"": Graph(tuple(nodes))}))


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setattr(progress, "_disabled", lambda: False)


def test_a_long_diff_names_its_phases(terminal, capsys):
    program = chain(progress.FEW)
    assert compare(program, program).ok
    shown = capsys.readouterr().err
    assert "aligning" in shown
    assert shown.endswith("\r")  # the bar is gone at the end
    assert compare(chain(100), chain(100)).ok
    assert capsys.readouterr().err == ""


def test_logs_stay_clean(capfd):
    program = chain(progress.FEW)
    assert compare(program, program).ok
    assert capfd.readouterr().err == ""


class Counting:
    """Content that knows how often it was read."""

    def __init__(self, content):
        self.content, self.read = content, 0

    def digest(self):
        self.read += 1
        return self.content.digest()

    def element_bytes(self):
        return self.content.element_bytes()


def counted(program: Program) -> tuple[Program, list[Counting]]:
    contents = [Counting(stored.content) for stored in program.stored]
    stored = tuple(replace(s, content=c) for s, c in zip(program.stored, contents, strict=True))
    return replace(program, stored=stored), contents


def test_weights_are_read_once_for_one_diff(terminal, monkeypatch, capsys):
    monkeypatch.setattr(import_module("graphlens.diff.weights"), "LONG_BYTES", 1)
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 3))
    ours, theirs = (counted(read(torch.export.export(model, (torch.ones(1, 3),)))) for _ in range(2))
    assert gl.diff(ours[0], theirs[0]).proof.same
    assert [each.read for each in ours[1] + theirs[1]] == [1] * 8
    assert "weights" in capsys.readouterr().err
