"""A view as text: what a terminal, a log or a screen reader gets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphlens.view.draw.content import region_line
from graphlens.view.draw.lift import members_of, open_regions
from graphlens.view.draw.walk import Walk, walk_scene
from graphlens.view.escape import printable
from graphlens.view.payload import Section
from graphlens.view.payload_scene import Table
from graphlens.view.scene import Scene

MOST_LINES = 60


def section_text(section: Section, strings: Sequence[str], tables: Sequence[Table], *, rows: int = 10) -> str:
    """Write a section: title, verdict, tables."""
    parts = [section.title, section.verdict]
    parts += [text_table(table, strings, most=rows) for table in tables]
    return "\n\n".join(printable(part, keep="\n") for part in parts if part)


def text_table(table: Table, strings: Sequence[str], *, most: int = 10, widest: int = 40) -> str:
    """Write a table with aligned columns, at most `most` rows of it; the last may be long."""
    texts = [[column.name, *("" if c < 0 else strings[c] for c in column.cells[:most])] for column in table.columns]
    room = [*[widest] * (len(texts) - 1), 4 * widest]
    shown = [[_short(text, most) for text in column] for column, most in zip(texts, room, strict=True)]
    widths = [max(map(len, column)) for column in shown]
    right = [column.type == "number" for column in table.columns]
    lines = [
        "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)).rstrip()
        for row in zip(*shown, strict=True)
    ]
    count = len(table.columns[0].cells) if table.columns else 0
    more = [f"… {count - most} more rows"] if count > most else []
    return "\n".join([f"{table.title}:", *lines, *more])


def _short(text: str, widest: int) -> str:
    flat = printable(text.replace("\n", " "))
    return flat if len(flat) <= widest else f"{flat[: widest - 1]}…"


def outline(scene: Scene, expanded: Iterable[int], *, most: int = MOST_LINES) -> str:
    """Write the drawing of a scene as an indented list: regions with `+` (closed) and `-` (open), boxes with values."""
    wanted = tuple(expanded)
    walk = walk_scene(scene, wanted)
    opened = frozenset(open_regions(walk, wanted))
    lines: list[str] = []
    stack = [(0, member) for member in reversed(members_of(walk, 0))]
    while stack and len(lines) < most:
        depth, entity = stack.pop()
        is_open = entity < 0 and -1 - entity in opened
        lines.append("  " * depth + _line(walk, entity, is_open=is_open))
        if is_open:
            stack.extend((depth + 1, member) for member in reversed(members_of(walk, -1 - entity)))
    if stack:
        lines.append(f"… {len(stack)} more at the levels shown")
    return "\n".join(lines)


def _line(walk: Walk, entity: int, *, is_open: bool) -> str:
    if entity < 0:
        region = walk.regions[-1 - entity]
        return f"{'-' if is_open else '+'} {printable(region.label)}  ({printable(region_line(walk, -1 - entity))})"
    box = walk.boxes[entity]
    name = box.name
    used = [walk.boxes[walk.flow.src[use]].name for use in walk.flow.into[entity] if use < walk.flow.ties]
    call = f" = {box.label}({', '.join([*used, *filter(None, [box.literals])])})" if box.role == "op" else ""
    if box.role == "output":
        return printable(f"  return {', '.join(used)}")
    return printable(f"  {name}: {box.sub}{call}" if box.sub else f"  {name}{call}")
