"""What a payload is being written from: the texts, programs and diffs so far, each once."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from graphlens.program.program import Program
from graphlens.view import payload
from graphlens.view.diff_data import diff_data, whole_regions
from graphlens.view.draw.marks import Marks
from graphlens.view.drawn import Drawn, draw
from graphlens.view.forms import Forms
from graphlens.view.opening import first_open
from graphlens.view.payload import View
from graphlens.view.privacy import Source
from graphlens.view.program_data import program_data
from graphlens.view.scene import Scene
from graphlens.view.wire import Interner

_SEPARATOR = re.compile(r"[/\\]+")


class Builder:
    """Programs and diffs by index; what stands in several sections is written once."""

    def __init__(self, source: Source, expand: int, done: Callable[[], None] = lambda: None) -> None:
        self.text = Interner()
        self.source = source
        self.expand = expand
        self._done = done
        self.programs: list[payload.ProgramData] = []
        self.diffs: list[payload.DiffData] = []
        self.scenes: dict[tuple[str, int], Scene] = {}
        self.marks: dict[tuple[str, int], Marks] = {}
        self._forms = Forms()
        self._drawn: list[Drawn] = []
        self._programs: dict[int, tuple[Program, int]] = {}
        self._diffs: dict[int, tuple[Any, int]] = {}

    def program(self, program: Program, name: str = "") -> int:
        """Add a program and return its index; it keeps the name that it is first added under."""
        known = self._programs.get(id(program))
        if known is None:
            name = name or self.short_names([program.origin.name])[0] or program.origin.kind
            drawn = draw(program, self._forms)
            known = self._programs[id(program)] = (program, len(self.programs))
            self.programs.append(program_data(drawn, self.text, name=name, source=self.source))
            self.scenes["program", known[1]] = drawn.scene
            self._drawn.append(drawn)
            self._done()
        return known[1]

    def program_view(self, program: Program, label: str = "", *, name: str = "") -> View:
        """Add a program and return a view of it."""
        index = self.program(program, name)
        opened = first_open(self.scenes["program", index], self.expand)
        return View(label or self.programs[index].name, "program", index, opened)

    def diff_view(self, diff: Any, label: str) -> View:
        """Add a diff with its programs and return a view of it."""
        known = self._diffs.get(id(diff))
        if known is None:
            a, b = self.program(diff.a), self.program(diff.b)
            made = diff_data(diff, (a, b), (self._drawn[a], self._drawn[b]), self.text, name=label)
            known = self._diffs[id(diff)] = (diff, len(self.diffs))
            self.diffs.append(made.data)
            self.scenes["diff", known[1]] = made.scene
            self.marks["diff", known[1]] = made.marks
            self._done()
        scene, data = self.scenes["diff", known[1]], self.diffs[known[1]]
        worst = next((box for box in data.summary.boxes if box >= 0), -1)
        opened = first_open(scene, self.expand, towards=worst, closed=whole_regions(scene, data.status))
        return View(label, "diff", known[1], opened)

    def short_names(self, names: Sequence[str]) -> list[str]:
        """Return names for people: of paths the last part, of several equal ones as much as tells them apart."""
        parts = [_SEPARATOR.split(name) if name.endswith(".pt2") else [name] for name in names]
        for keep in range(1, 4):
            short = ["/".join(part[-keep:]) for part in parts]
            if len(set(short)) == len(set(names)):
                return short
        return ["/".join(part[-1:]) for part in parts]
