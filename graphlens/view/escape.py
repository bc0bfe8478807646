"""Texts from a program made safe to show: what cannot be seen is written out, what has a meaning in markup is escaped."""

from __future__ import annotations

import html


def printable(text: str, *, keep: str = "") -> str:
    r"""Write control characters, direction overrides and other invisible ones as escapes (`\u202e`)."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else _written_out(c) for c in text)


def _written_out(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")


def markup(text: str, *, keep: str = "") -> str:
    """Escape a text for HTML and XML, in elements and in double-quoted attributes."""
    return html.escape(printable(text, keep=keep))
