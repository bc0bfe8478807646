"""From objects to one payload: a section per object, programs that several share written once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from graphlens.errors import ViewError
from graphlens.program.program import Program
from graphlens.view import payload
from graphlens.view.draw.svg import Marks
from graphlens.view.opening import first_open
from graphlens.view.payload import Interner, Payload, Section, View
from graphlens.view.privacy import Source
from graphlens.view.program_data import program_data
from graphlens.view.scene import Scene


class Builder:
    """What is being written: the texts, the programs and the diffs so far."""

    def __init__(self, source: Source, expand: int) -> None:
        self.text = Interner()
        self.source = source
        self.expand = expand
        self.programs: list[payload.ProgramData] = []
        self.diffs: list[payload.DiffData] = []
        self.scenes: dict[tuple[str, int], Scene] = {}
        self.marks: dict[tuple[str, int], Marks] = {}
        self._numbers: dict[int, tuple[Program, int, Scene]] = {}

    def program(self, program: Program, name: str = "") -> tuple[int, Scene]:
        """Add a program, once; return its index and its scene."""
        known = self._numbers.get(id(program))
        if known is None:
            data, scene = program_data(program, self.text, name=name, source=self.source)
            known = self._numbers[id(program)] = (program, len(self.programs), scene)
            self.programs.append(data)
            self.scenes["program", known[1]] = scene
        return known[1], known[2]


class Built(Struct, frozen=True):
    """A payload, with the scenes behind its views and what a diff adds to them, by kind and index of the view."""

    payload: Payload
    scenes: dict[tuple[str, int], Scene]
    marks: dict[tuple[str, int], Marks]


def build(objects: Sequence[Any], *, title: str = "", source: Source = "relative", expand: int = 1) -> Built:
    """Write objects for the front end, with regions open at first down to depth `expand`.

    Raises
    ------
    ViewError
        If one of them is nothing that can be shown.
    """
    from graphlens import __version__

    builder = Builder(source, expand)
    sections = [section(builder, obj) for obj in objects]
    document = Payload(
        version=payload.VERSION,
        generator=f"graphlens {__version__}",
        title=title or " · ".join(part.title for part in sections),
        strings=builder.text.strings,
        programs=builder.programs,
        diffs=builder.diffs,
        sections=sections,
    )
    return Built(document, builder.scenes, builder.marks)


def build_payload(objects: Sequence[Any], **options: Any) -> Payload:
    """Write objects for the front end; see `build`."""
    return build(objects, **options).payload


def section(builder: Builder, obj: Any) -> Section:
    """Write one object as a section, by what it offers rather than by its class."""
    if isinstance(obj, Program):
        return _program_section(builder, obj)
    raise ViewError(f"cannot show an object of type {type(obj).__module__}.{type(obj).__qualname__}")


def _program_section(builder: Builder, program: Program) -> Section:
    index, scene = builder.program(program)
    name = builder.programs[index].name
    view = View(name, "program", index, first_open(scene, builder.expand))
    return Section(kind="program", title=name, verdict="", status="none", views=[view], tables=[])
