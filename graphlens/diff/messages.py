"""The text of an assertion: people read it when the assertion fails, and it names nodes and symbols of its own program."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from graphlens.program.argument import Argument

MESSAGE: Final = "assert_msg"
"""What torch's operators call it."""

_WORDS = re.compile(r"\w+|\W")


def are_messages(a: Argument, b: Argument, parameter: str) -> bool:
    """Whether two arguments are texts of assertions."""
    return parameter == MESSAGE and isinstance(a, str) and isinstance(b, str)


def same_message(a: str, b: str, same_name: Callable[[str, str], bool]) -> bool:
    """Whether two messages are one up to the names of nodes and symbols, which `same_name` tells."""
    if a == b:
        return True
    ours, theirs = _WORDS.findall(a), _WORDS.findall(b)
    return len(ours) == len(theirs) and all(x == y or same_name(x, y) for x, y in zip(ours, theirs, strict=True))
