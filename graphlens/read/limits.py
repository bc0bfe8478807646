"""How much of an untrusted file is believed before memory is taken for it."""

from __future__ import annotations

MAX_MEMBERS = 1_000_000
MAX_DIRECTORY_BYTES = 256 << 20
MAX_NAME = 4096
"""Characters of a member's name."""

MAX_STORED_BYTES = 2 << 30
"""Of JSON that lies uncompressed in the file, as torch writes it."""

MAX_INFLATED_BYTES = 512 << 20
"""Of JSON that has to be inflated, all members together."""

MAX_RATIO = 200
"""Inflated to deflated size of a member, above `RATIO_FREE_BYTES`. JSON of programs stays under 40."""

RATIO_FREE_BYTES = 16 << 20
MAX_NOTICES = 20
"""Notices of one kind; the rest is counted."""

MAX_UNKNOWN = 1000
MAX_UNKNOWN_TEXT = 10_000
"""Unknown fields kept, and characters of each."""

MAX_LOGICAL_FACTOR = 64
"""Logical size of a stored tensor to the size of its storage (an expanded tensor repeats elements)."""


def brief(text: str, length: int = 120) -> str:
    """Quote untrusted text for a message: one line, no control characters, not long."""
    quoted = repr(text[: length + 1])
    return quoted if len(text) <= length else f"{quoted[: length - 1]}…' ({len(text)} characters)"
