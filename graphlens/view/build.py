"""From objects to one payload: a section per object, programs that several share written once."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from graphlens.view import payload
from graphlens.view.builder import Builder
from graphlens.view.draw.svg import Marks
from graphlens.view.payload import Payload
from graphlens.view.privacy import Source
from graphlens.view.scene import Scene
from graphlens.view.sections import section


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
    builder = Builder(source, expand)
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


def build_payload(objects: Sequence[Any], **options: Any) -> Payload:
    """Write objects for the front end; see `build`."""
    return build(objects, **options).payload
