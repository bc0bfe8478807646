"""What can be shown where neither widgets nor scripts run: a picture, tables and text in one piece of HTML."""

from __future__ import annotations

import base64
from collections.abc import Container, Sequence
from functools import cached_property
from typing import Any

from graphlens.errors import ViewError
from graphlens.view.build import Built, build
from graphlens.view.draw.svg import scene_svg
from graphlens.view.draw.walk import walk_regions
from graphlens.view.escape import markup, printable
from graphlens.view.opening import first_open
from graphlens.view.options import Options
from graphlens.view.payload import Section
from graphlens.view.payload_scene import Table
from graphlens.view.table import html_table
from graphlens.view.text import outline, section_text

LARGEST_PICTURE = 90_000
"""Characters of SVG that a snapshot carries at most; a deeper fold is shown instead of a larger one."""

MOST_DRAWN = 3_000
"""Boxes and regions directly in the root; more make a picture that is too large however it is folded."""

PATIENCE = 4.0
"""Seconds that Graphviz gets per region of a snapshot; nobody waits longer for a cell to show itself."""

_STYLE = (
    "font-family:system-ui,sans-serif;font-size:13px;max-width:100%;overflow-x:auto",
    "max-width:100%;height:auto",
)


class StaticView:
    """The snapshot of a view; `_repr_mimebundle_`, `html` and `str()` are all it does."""

    def __init__(self, objects: Sequence[Any], options: Options, *, built: Built | None = None) -> None:
        self._built = built or build(objects, title=options.title, source=options.source, expand=options.expand)

    @cached_property
    def html(self) -> str:
        """The snapshot as an HTML fragment without scripts and styles sheets."""
        built = self._built
        parts = [_section_html(built, section) for section in built.payload.sections]
        return f'<div class="graphlens-static" style="{_STYLE[0]}">{"".join(parts)}</div>'

    def __str__(self) -> str:
        return static_text(self._built)

    def bundle(self) -> dict[str, str]:
        """Return the MIME bundle of the snapshot."""
        return {"text/html": self.html, "text/plain": str(self)}

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, str]:
        kinds = self.bundle()
        return {
            kind: text
            for kind, text in kinds.items()
            if (include is None or kind in include) and (exclude is None or kind not in exclude)
        }


def plain_bundle(objects: Sequence[Any]) -> dict[str, str]:
    """Return the MIME bundle of objects as nothing but their text."""
    text = "\n\n".join(printable(str(obj), keep="\n") for obj in objects)
    return {"text/html": f'<pre style="white-space:pre-wrap">{markup(text, keep=chr(10))}</pre>', "text/plain": text}


def static_text(built: Built) -> str:
    """Write all sections as text: verdict, tables, and of a program its outline."""
    parts = []
    for section in built.payload.sections:
        parts.append(section_text(section, built.payload.strings, shown_tables(built, section)))
        if section.kind == "program" and section.views:
            view = section.views[0]
            parts.append(outline(built.scenes[view.kind, view.index], view.open))
    return "\n\n".join(parts)


def picture(built: Built, section: Section) -> str:
    """Return the SVG of a section's first view, folded as far as needed to stay small; `""` if it has none."""
    if not section.views:
        return ""
    view = section.views[0]
    scene, marks = built.scenes[view.kind, view.index], built.marks.get((view.kind, view.index))
    root = walk_regions(scene).regions[0]
    if len(root.boxes) + len(root.children) > MOST_DRAWN:
        return ""
    svg = scene_svg(scene, view.open, title=section.title, marks=marks, timeout=PATIENCE)
    if len(svg) > LARGEST_PICTURE:
        svg = scene_svg(scene, [0], title=section.title, marks=marks, timeout=PATIENCE)
    return svg if len(svg) <= LARGEST_PICTURE * 4 else ""


def image(svg: str, alt: str) -> str:
    """Put an SVG into HTML as an image: nothing in it can run, and no sanitizer takes it apart."""
    data = base64.b64encode(svg.encode("utf-8", "replace")).decode("ascii")
    return f'<img style="{_STYLE[1]}" alt="{markup(alt)}" src="data:image/svg+xml;base64,{data}">'


def _section_html(built: Built, section: Section) -> str:
    head = f"<p><strong>{markup(section.title)}</strong><br>{markup(section.verdict)}</p>"
    svg = picture(built, section)
    drawn = image(svg, f"Graph of {section.title}") if svg else ""
    tables = "".join(html_table(table, built.payload.strings, most=10) for table in shown_tables(built, section))
    return f"<section>{head}{drawn}{tables}</section>"


def shown_tables(built: Built, section: Section) -> list[Table]:
    """Return the tables of a section, the summary of a diff among them."""
    first = [view for view in section.views[:1] if view.kind == "diff" and section.kind == "diff"]
    summaries = [built.payload.diffs[view.index].summary for view in first]
    return [*(table for table in summaries if table.columns[0].cells), *section.tables]


def first_svg(built: Built, *, expanded: Sequence[str] | None = None) -> str:
    """Return the SVG of the first view, at any size, with the regions of these keys open.

    Raises
    ------
    ViewError
        There is nothing to draw.
    """
    section = next((section for section in built.payload.sections if section.views), None)
    if section is None:
        raise ViewError("there is no graph in it to draw")
    view = section.views[0]
    scene = built.scenes[view.kind, view.index]
    wanted = view.open if expanded is None else [i for i, r in enumerate(scene.regions) if r.key in set(expanded)]
    return scene_svg(scene, wanted, title=section.title, marks=built.marks.get((view.kind, view.index)))


def deep_svg(obj: Any, depth: int, *, timeout: float) -> str:
    """Draw the first view of an object with everything open down to a depth, however large that is.

    Raises
    ------
    ViewError
        There is nothing to draw.
    """
    built = build((obj,), expand=depth)
    section = built.payload.sections[0]
    if not section.views:
        raise ViewError(f"there is no graph in {section.title!r} to draw")
    shown = section.views[0].kind, section.views[0].index
    opened = first_open(built.scenes[shown], depth, budget=1_000_000)
    return scene_svg(built.scenes[shown], opened, title=section.title, marks=built.marks.get(shown), timeout=timeout)
