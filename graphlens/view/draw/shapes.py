"""The SVG of boxes, frames, lines and tags. Every text goes through `markup`; there are no links and no scripts."""

from __future__ import annotations

from graphlens.view.draw.category import category_of
from graphlens.view.draw.compose import HEADER, Placed
from graphlens.view.draw.content import CHEVRON, LEFT, LINE, SMALL, TITLE, TITLE_LINE, TOP, region_line
from graphlens.view.draw.geometry import number as n
from graphlens.view.draw.geometry import path_data
from graphlens.view.draw.marks import GLYPHS, NOTHING, Tally
from graphlens.view.draw.picture import Frame, Pill, Wire
from graphlens.view.draw.walk import Walk
from graphlens.view.escape import markup
from graphlens.view.measure import fit_text, text_width


def frame_svg(walk: Walk, frame: Frame, status: str) -> str:
    """Draw the pane of an open region."""
    call = " is-call" if walk.regions[frame.region].kind == "call" else ""
    kinds = f"pane pane{frame.depth % 2}{call}{_status(status)}"
    pane = f'<rect class="{kinds}" width="{n(frame.width)}" height="{n(frame.height)}" rx="10"/>'
    return _group(frame.x, frame.y, pane)


def header_svg(walk: Walk, frame: Frame, status: str, tally: Tally) -> str:
    """Draw the head of an open region, over the lines that cross it: its name and what it is."""
    region = walk.regions[frame.region]
    title = fit_text(region.label, TITLE, frame.width - 60, bold=True)
    used = 27 + text_width(title, TITLE, bold=True)
    note = region_line(walk, frame.region) if region.kind != "call" else ""
    room = frame.width - used - 30
    halo = f"halo halo{frame.depth % 2}"
    second = _text(f"line {halo}", used + 9, 20, fit_text(note, SMALL, room)) if note and room > 40 else ""
    body = f'<path class="chevron" d="M10.5 12.5l4.5 5.5l4.5 -5.5"/>{_text(f"title {halo}", 27, 20, title)}{second}'
    return _group(frame.x, frame.y, body + _badge(status, tally, frame.width))


def shape_svg(walk: Walk, shape: Placed, status: str, tally: Tally = NOTHING) -> str:
    """Draw a box or a closed region."""
    content, entity = shape.content, shape.entity
    region = walk.regions[-1 - entity] if entity < 0 else None
    box = None if region else walk.boxes[entity]
    pill = box is not None and box.role in ("input", "output")
    size = f'width="{n(shape.width)}" height="{n(shape.height)}" rx="{n(min(16, shape.height / 2)) if pill else 7}"'
    parts = [f"<title>{markup(_tooltip(walk, entity))}</title>"]
    if region and region.kind == "repeat":
        parts += [f'<rect class="card" x="{step}" y="{step}" {size}/>' for step in (8, 4)]
    parts.append(f'<rect class="card{" closed" if region else ""}{_status(status)}" {size}/>')
    left = LEFT
    if region:
        parts.append(f'<path class="chevron" d="M{LEFT - 3} {TOP + 4}l5 4.5l-5 4.5"/>')
        left += CHEVRON
    elif box is not None and not pill:
        kind = category_of(box.role, box.label)
        parts.append(f'<rect class="c-{kind}" x="5" y="8" width="3" height="{n(shape.height - 16)}" rx="1.5"/>')
    if pill and not content.lines:
        parts.append(_text("title middle", shape.width / 2, TOP + 12, content.title))
    else:
        parts.append(_text("title", left, TOP + (13 if content.lines else 11), content.title))
    for i, line in enumerate(content.lines):
        y = TOP + TITLE_LINE + 12 + i * LINE
        if line.kind == "tag":
            parts.append(f'<path class="arrow" d="M{left + 4} {y}v-8m-3 3l3 -3l3 3"/>')
        kinds = "line" if line.kind == "text" else f"line {line.kind}"
        parts.append(_text(kinds, left + (12 if line.kind == "tag" else 0), y, line.text))
    parts.append(_badge(status, tally, shape.width))
    return _group(shape.x, shape.y, "".join(parts))


def wire_svg(walk: Walk, wire: Wire, marker: str, side: str) -> str:
    """Draw a line, with an arrow head where it ends."""
    end = f' marker-end="url(#{marker}-{side})"' if wire.head else ""
    kind = {"a": " s-only_a", "b": " s-only_b"}.get(side, "")
    values = ", ".join(f"{walk.boxes[box].name} {walk.boxes[box].sub}".strip() for box in list(wire.link.values)[:8])
    return f'<path class="wire{kind}" d="{path_data(wire.points)}"{end}><title>{markup(values)}</title></path>'


def label_svg(wire: Wire) -> str:
    """Draw the value that a line carries."""
    if wire.label is None:
        return ""
    halo = f" halo halo{wire.depth % 2}" if wire.depth else " halo"
    return _text(f"value{halo}", wire.label.x, wire.label.y, wire.label.text)


def pill_svg(pill: Pill) -> str:
    """Draw the name of a value that comes from far away, in the header of a region that uses it."""
    body = (
        f'<rect class="pill" width="{n(pill.width)}" height="{n(pill.height)}" rx="{n(pill.height / 2)}"/>'
        f'<path class="arrow" d="M10 13v-8m-3 3l3 -3l3 3"/>{_text("line tag", 16, 13, pill.text)}'
    )
    return _group(pill.x, pill.y, body)


def _tooltip(walk: Walk, entity: int) -> str:
    if entity < 0:
        return f"{walk.regions[-1 - entity].label}, {region_line(walk, -1 - entity)}"
    box = walk.boxes[entity]
    return " ".join(part for part in (box.key, "=", box.label, box.sub) if part)


def _badge(status: str, tally: Tally, width: float) -> str:
    """Draw the mark of a diff at the top right corner: of a box its status, of a region how many boxes differ."""
    if status in GLYPHS and not tally.count:
        return (
            f'<g transform="translate({n(width - 3)} 3)"><circle class="b-{status}" r="8.5"/>'
            f'<text class="glyph" y="4">{GLYPHS[status]}</text></g>'
        )
    if not tally.count:
        return ""
    text = f"{GLYPHS[tally.mark]} {tally.count}"
    wide = text_width(text, 12, bold=True) + 14
    return (
        f'<g transform="translate({n(width - wide + 6)} {n(-HEADER / 5)})"><rect class="b-{tally.mark}" width="{n(wide)}" '
        f'height="17" rx="8.5"/><text class="glyph" x="{n(wide / 2)}" y="13">{text}</text></g>'
    )


def _status(status: str) -> str:
    return f" s-{status}" if status in GLYPHS else ""


def _group(x: float, y: float, body: str) -> str:
    return f'<g transform="translate({n(x)} {n(y)})">{body}</g>'


def _text(kind: str, x: float, y: float, text: str) -> str:
    return f'<text class="{kind}" x="{n(x)}" y="{n(y)}">{markup(text)}</text>'
