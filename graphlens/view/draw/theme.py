"""Colours of the static drawing, light and dark, as CSS without variables, which Inkscape and rsvg do not know."""

from __future__ import annotations

from functools import cache

FONT = "Helvetica,Arial,'Liberation Sans','Segoe UI',Roboto,system-ui,sans-serif"

_COLOURS = (
    # selectors, property, light, dark
    (".bg", "fill", "#fff", "#14171c"),
    (".pane", "stroke", "#cfd6de", "#3a424d"),
    (".pane0", "fill", "#f6f8fa", "#1a1e24"),
    (".pane1", "fill", "#edf1f5", "#20252c"),
    (".is-call", "stroke", "#b49ae0", "#7f66b8"),
    (".card", "fill", "#fff", "#262c34"),
    (".card .pill", "stroke", "#c3ccd6", "#48525f"),
    (".closed", "fill", "#eaf1fb", "#263140"),
    (".pill", "fill", "#edf1f5", "#20252c"),
    ("text", "fill", "#1d2430", "#e6eaf0"),
    (".line .value", "fill", "#5b6675", "#9aa5b4"),
    (".folded", "fill", "#7d5b10", "#d0ab5c"),
    (".tag", "fill", "#2f66b0", "#7fb0ee"),
    (".value", "stroke", "#fff", "#14171c"),
    (".halo0", "stroke", "#f6f8fa", "#1a1e24"),
    (".halo1", "stroke", "#edf1f5", "#20252c"),
    (".wire", "stroke", "#8a96a5", "#6c7887"),
    (".head", "fill", "#8a96a5", "#6c7887"),
    (".chevron", "stroke", "#5b6675", "#9aa5b4"),
    (".arrow", "stroke", "#2f66b0", "#7fb0ee"),
    (".c-matmul", "fill", "#3f73d8", "#6f9df2"),
    (".c-reduce", "fill", "#1f9d8b", "#43c3b0"),
    (".c-shape", "fill", "#a3aebb", "#7b8796"),
    (".c-point", "fill", "#7c6bd0", "#a294ee"),
    (".c-control", "fill", "#a455c0", "#c98ae0"),
    (".c-stored", "fill", "#b98a1c", "#d8b35c"),
    (".s-changed", "stroke", "#c77700", "#f0a83a"),
    (".s-inherited", "stroke", "#d9a860", "#8f6a2c"),
    (".s-only_a", "stroke", "#c2363b", "#ef7479"),
    (".s-only_b", "stroke", "#1a8043", "#52c47f"),
    (".s-ambiguous", "stroke", "#7d5bc0", "#ad90ea"),
    (".b-changed", "fill", "#c77700", "#f0a83a"),
    (".b-inherited", "fill", "#d9a860", "#8f6a2c"),
    (".b-only_a", "fill", "#c2363b", "#ef7479"),
    (".b-only_b", "fill", "#1a8043", "#52c47f"),
    (".b-ambiguous", "fill", "#7d5bc0", "#ad90ea"),
    (".glyph", "fill", "#fff", "#14171c"),
)

_FIXED = (
    ("text", f"font-family:{FONT};font-size:11px;white-space:pre"),
    (".title", "font-size:13px;font-weight:700"),
    (".wire", "fill:none;stroke-width:1.3"),
    (".s-changed", "stroke-width:2"),
    (".s-inherited", "stroke-width:1.2"),
    (".s-only_a", "stroke-width:2;stroke-dasharray:5 3"),
    (".s-only_b", "stroke-width:2"),
    (".s-ambiguous", "stroke-width:2;stroke-dasharray:1.5 3"),
    (".chevron .arrow", "fill:none;stroke-width:1.5;stroke-linecap:round;stroke-linejoin:round"),
    (".value", "font-size:10px"),
    (".halo", "paint-order:stroke;stroke-width:3px;stroke-linejoin:round"),
    (".glyph", "font-size:12px;font-weight:700;text-anchor:middle"),
)


@cache
def style(scope: str) -> str:
    """Return the sheet of a drawing, every rule under the class `scope`."""
    here = f".{scope} "
    sheet = "".join(_rule(here, selectors, body) for selectors, body in _FIXED)
    return sheet + _colours(here, 2) + f"@media (prefers-color-scheme:dark){{{_colours(here, 3)}}}"


def _colours(scope: str, shade: int) -> str:
    return "".join(_rule(scope, row[0], f"{row[1]}:{row[shade]}") for row in _COLOURS)


def _rule(scope: str, selectors: str, body: str) -> str:
    return f"{','.join(scope + selector for selector in selectors.split())}{{{body}}}"
