"""Colours of the static drawing, light and dark, as CSS without variables, which Inkscape and rsvg do not know."""

from __future__ import annotations

from functools import cache

FONT = "Helvetica,Arial,'Liberation Sans','Segoe UI',Roboto,system-ui,sans-serif"

_COLOURS = (
    # selectors, property, light, dark: the palette of `js/css/theme.css`
    (".bg", "fill", "#ffffff", "#121519"),
    (".pane", "stroke", "#cfd5df", "#38414f"),
    (".pane0", "fill", "#f7f8fa", "#15191f"),
    (".pane1", "fill", "#eef1f6", "#1a1f26"),
    (".is-call", "stroke", "#b39ddb", "#6f5aa8"),
    (".card", "fill", "#ffffff", "#222831"),
    (".card .pill", "stroke", "#c4cad4", "#465062"),
    (".closed", "fill", "#e3e8f0", "#252c37"),
    (".pill", "fill", "#eef1f6", "#1a1f26"),
    ("text", "fill", "#1d2129", "#e6e9ef"),
    (".line .value", "fill", "#565e6c", "#a3adbd"),
    (".tag", "fill", "#2f5fd0", "#84a9ff"),
    (".value", "stroke", "#ffffff", "#121519"),
    (".halo0", "stroke", "#f7f8fa", "#15191f"),
    (".halo1", "stroke", "#eef1f6", "#1a1f26"),
    (".wire", "stroke", "#98a1b0", "#667184"),
    (".head", "fill", "#98a1b0", "#667184"),
    (".chevron", "stroke", "#565e6c", "#a3adbd"),
    (".arrow", "stroke", "#2f5fd0", "#84a9ff"),
    (".c-matmul", "fill", "#2f6fd8", "#6ea0ff"),
    (".c-reduce", "fill", "#c2611f", "#f0965a"),
    (".c-shape", "fill", "#9aa3b2", "#6b7688"),
    (".c-point", "fill", "#2b8f73", "#4fc3a1"),
    (".c-control", "fill", "#7a4fc0", "#b392f0"),
    (".c-stored", "fill", "#9a8a5c", "#c9b67e"),
    (".s-changed", "stroke", "#8a5a00", "#f2c14e"),
    (".s-only_a", "stroke", "#b3261e", "#ff8a80"),
    (".s-only_b", "stroke", "#14713f", "#6fd69a"),
    (".s-ambiguous", "stroke", "#6a3fb5", "#c3a6ff"),
    (".s-grave", "stroke", "#b3261e", "#ff8a80"),
    (".s-slight .s-inherited", "stroke", "#8b8466", "#8d8770"),
    (".card.s-changed .card.s-grave", "fill", "#fff3d6", "#3a2f14"),
    (".card.s-only_a", "fill", "#fdeceb", "#3d1f1e"),
    (".card.s-only_b", "fill", "#e5f6ec", "#173326"),
    (".card.s-ambiguous", "fill", "#f1eafd", "#2c2343"),
    (".b-changed", "fill", "#8a5a00", "#f2c14e"),
    (".b-only_a", "fill", "#b3261e", "#ff8a80"),
    (".b-only_b", "fill", "#14713f", "#6fd69a"),
    (".b-ambiguous", "fill", "#6a3fb5", "#c3a6ff"),
    (".b-grave", "fill", "#b3261e", "#ff8a80"),
    (".b-slight .b-inherited", "fill", "#8b8466", "#8d8770"),
    (".glyph", "fill", "#ffffff", "#15181d"),
)

_FIXED = (
    ("text", f"font-family:{FONT};font-size:11px;white-space:pre"),
    (".title", "font-size:13px;font-weight:700"),
    (".middle", "text-anchor:middle"),
    (".wire", "fill:none;stroke-width:1.3"),
    (".s-changed", "stroke-width:1.6"),
    (".s-grave", "stroke-width:2"),
    (".s-slight .s-inherited", "stroke-width:1.2"),
    (".s-only_a", "stroke-width:1.6;stroke-dasharray:5 3"),
    (".s-only_b", "stroke-width:1.6"),
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
