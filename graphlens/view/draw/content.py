"""What boxes and regions say, and how much room that takes."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from graphlens.view.draw.lift import BORDER, Entity
from graphlens.view.draw.tags import Tag
from graphlens.view.draw.walk import Walk
from graphlens.view.measure import fit_text, text_width

TITLE = 13
SMALL = 11
LINE = 15
WIDEST = 208
MOST_LINES = 4
LEFT, RIGHT, TOP, TITLE_LINE, CHEVRON = 14, 12, 9, 17, 14

_UNNAMED = re.compile(r"^arg\d")


class Line(Struct, frozen=True):
    """One line under the title of a box."""

    kind: Literal["text", "folded", "tag"]
    text: str


class Content(Struct, frozen=True):
    """The texts of a box, cut to fit, and its size."""

    title: str
    lines: tuple[Line, ...]
    width: float
    height: float


def content_of(walk: Walk, entity: Entity, tags: Sequence[Tag]) -> Content:
    """Return what a box or closed region shows."""
    region = walk.regions[-1 - entity] if entity < 0 else None
    title = region.label if region else walk.boxes[entity].label
    own = [Line("text", region_line(walk, -1 - entity))] if region else _box_lines(walk, entity)
    lines = _clip([*own, *(Line("tag", maker_name(walk, tag)) for tag in tags)])
    indent = CHEVRON if region else 0
    shown = fit_text(title, TITLE, WIDEST, bold=True)
    cut = [Line(line.kind, fit_text(line.text, SMALL, WIDEST)) for line in lines]
    widths = [text_width(line.text, SMALL) + (12 if line.kind == "tag" else 0) for line in cut]
    width = max(36, text_width(shown, TITLE, bold=True), *widths)
    height = TOP * 2 + TITLE_LINE + len(cut) * LINE - (1 if cut else 5)
    return Content(shown, tuple(cut), math.ceil(width) + LEFT + indent + RIGHT, height)


def region_line(walk: Walk, number: int) -> str:
    """Return what stands under the name of a region."""
    region = walk.regions[number]
    count = f"{region.size} node{'' if region.size == 1 else 's'}"
    if region.kind == "repeat":
        return f"{region.type} ×{len(region.children)}"
    if region.kind == "call":
        return " | ".join(walk.regions[child].label for child in region.children)
    return f"{region.type} · {count}" if region.type else count


def _box_lines(walk: Walk, box: int) -> list[Line]:
    lines = [Line("text", walk.regions[walk.wrapper[box]].label)] if walk.wrapper[box] >= 0 else []
    if walk.boxes[box].literals:
        lines.append(Line("text", walk.boxes[box].literals))
    for use in walk.flow.into[box]:
        maker = walk.flow.src[use]
        stored = walk.boxes[maker]
        if not walk.folded[maker] or stored.role == "subgraph" or use >= walk.flow.ties:
            continue
        slot = walk.flow.slot[use]
        name = stored.label.rpartition(".")[2] if _UNNAMED.match(slot) else slot
        lines.append(Line("folded", f"{name}  {stored.sub}" if stored.sub else name))
    return lines


def maker_name(walk: Walk, tag: Tag) -> str:
    """Return the name of what makes a value, as its reader sees it."""
    if tag.at != BORDER and tag.at < 0:
        return walk.regions[-1 - tag.at].label
    return f"{len(tag.values)} values" if len(tag.values) > 1 else walk.boxes[tag.values[0]].name


def _clip(lines: list[Line]) -> list[Line]:
    if len(lines) <= MOST_LINES:
        return lines
    return [*lines[: MOST_LINES - 1], Line("text", f"+ {len(lines) - MOST_LINES + 1} more")]
