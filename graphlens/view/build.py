"""From objects to one payload: a section per object, programs that several share written once."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from graphlens.program.collector import without_collector
from graphlens.program.program import Program
from graphlens.progress import phases
from graphlens.view import payload
from graphlens.view.builder import Builder
from graphlens.view.draw.marks import Marks
from graphlens.view.payload import Payload
from graphlens.view.privacy import Source
from graphlens.view.scene import Scene
from graphlens.view.sections import check_section, section


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
    count = size(objects)
    with without_collector(), phases(_steps(objects), count) as done:
        builder = Builder(source, expand, done)
        sections = [section(builder, obj) for obj in objects]
    document = Payload(
        version=payload.VERSION,
        generator=f"graphlens {importlib.import_module('graphlens').__version__}",
        title=title or " · ".join(part.title for part in sections),
        strings=builder.text.strings,
        programs=builder.programs,
        diffs=builder.diffs,
        sections=sections,
    )
    return Built(document, builder.scenes, builder.marks)


def check_showable(objects: Sequence[Any]) -> None:
    """Refuse what `build` would refuse, before it starts.

    Raises
    ------
    ViewError
        If one of them is nothing that can be shown.
    """
    for obj in objects:
        check_section(obj)


def size(objects: Sequence[Any]) -> int:
    """Count the nodes of the programs that objects show."""
    programs = {id(program): program for obj in objects for program in _programs(obj)}
    return sum(len(graph) for program in programs.values() for graph in program.graphs.values())


def _programs(obj: Any) -> list[Program]:
    held = getattr(obj, "programs", None)
    found = [
        obj,
        getattr(obj, "a", None),
        getattr(obj, "b", None),
        *(held.values() if isinstance(held, Mapping) else ()),
    ]
    return [program for program in found if isinstance(program, Program)]


def _steps(objects: Sequence[Any]) -> tuple[str, ...]:
    """Name what is drawn, one after the other: each program, and what joins two of them."""
    found: list[str] = []
    for obj in objects:
        diffs = getattr(obj, "diffs", None)
        found += ["drawing"] * len(_programs(obj))
        found += ["joining"] * (len(diffs) if isinstance(diffs, Mapping) else int(hasattr(obj, "alignment")))
    return (*found, "writing")


def build_payload(objects: Sequence[Any], **options: Any) -> Payload:
    """Write objects for the front end; see `build`."""
    return build(objects, **options).payload
