"""A scene as one static SVG: what the browser draws, without the browser."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from graphlens.view.draw.compose import compose
from graphlens.view.draw.geometry import number
from graphlens.view.draw.marks import NOTHING, Marks, Tally, shown_marks, tallies
from graphlens.view.draw.picture import Picture, picture_of
from graphlens.view.draw.shapes import frame_svg, header_svg, label_svg, pill_svg, shape_svg, wire_svg
from graphlens.view.draw.theme import style
from graphlens.view.draw.walk import Walk, walk_scene
from graphlens.view.escape import markup
from graphlens.view.layout import TIME_LIMIT
from graphlens.view.scene import Scene


def scene_svg(
    scene: Scene,
    expanded: Iterable[int],
    *,
    title: str = "",
    marks: Marks | None = None,
    timeout: float = TIME_LIMIT,
) -> str:
    """Draw a scene with a set of open regions.

    Parameters
    ----------
    scene
        What is drawn.
    expanded
        Regions to open; one is open if everything around it is, too. The root always is.
    title
        Text for readers who cannot see the picture.
    marks
        What a diff adds.
    timeout
        Seconds per region for Graphviz; after that a simple layout of ours is used.

    Returns
    -------
    str
        An SVG document, without XML declaration, its size in px.
    """
    opened = tuple(expanded)
    walk = walk_scene(scene, opened)
    picture = picture_of(walk, compose(walk, opened, timeout=timeout))
    body = _body(walk, picture, marks)
    scope = f"gl{hashlib.blake2b(body.encode('utf-8', 'replace'), digest_size=5).hexdigest()}"
    size = f"{number(picture.width)} {number(picture.height)}"
    width, height = size.split()
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{scope}" role="img" width="{width}" height="{height}" '
        f'viewBox="0 0 {size}"><title>{markup(title or "graph")}</title><style>{style(scope)}</style>'
        f"<defs>{_markers(scope)}</defs>"
        f'<rect class="bg" width="100%" height="100%"/>{body.replace("#MARKER", f"#{scope}")}</svg>'
    )


def _markers(scope: str) -> str:
    """Draw the arrow heads: one for lines of both sides, one for each side's own."""
    heads = (("both", "head"), ("a", "b-only_a"), ("b", "b-only_b"))
    return "".join(
        f'<marker id="{scope}-{side}" viewBox="0 0 8 8" refX="7.4" refY="4" markerWidth="8" markerHeight="8" '
        f'markerUnits="userSpaceOnUse" orient="auto"><path class="{kind}" d="M0 .8L8 4L0 7.2z"/></marker>'
        for side, kind in heads
    )


def _body(walk: Walk, picture: Picture, marks: Marks | None) -> str:
    shown = shown_marks(marks) if marks else ()
    counted = tallies(walk, marks) if marks else ()

    def of(entity: int) -> tuple[str, Tally]:
        if entity >= 0:
            return (shown[entity] if shown else ""), NOTHING
        region, tally = walk.regions[-1 - entity], counted[-1 - entity] if counted else NOTHING
        if region.kind == "call" and shown and shown[region.owner]:
            return shown[region.owner], NOTHING
        return (tally.mark if tally.whole else ""), tally

    parts = [frame_svg(walk, frame, of(-1 - frame.region)[0]) for frame in picture.frames]
    for wire in picture.wires:
        sides = {marks.side[use] for use in wire.link.uses if use < walk.flow.ties} if marks else set()
        parts.append(wire_svg(walk, wire, "MARKER", sides.pop() if len(sides) == 1 else "both"))
    parts += [header_svg(walk, frame, *of(-1 - frame.region)) for frame in picture.frames]
    parts += [shape_svg(walk, shape, *of(shape.entity)) for shape in picture.shapes]
    parts += [pill_svg(pill) for pill in picture.pills]
    parts += [label_svg(wire) for wire in picture.wires]
    return "".join(parts)
