"""How much of the file system a drawing may show."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import Literal, TypeAlias

from graphlens.errors import ViewError

Source: TypeAlias = Literal["none", "relative", "full"]

_ABSOLUTE = re.compile(r"^([/\\]|[A-Za-z]:[/\\]|~)")
_PACKAGES = re.compile(r"^.*[/\\](?:site-packages|dist-packages|lib[/\\]python[0-9.]+)[/\\]")
_SEPARATOR = re.compile(r"[/\\]+")


def check_source(source: str) -> Source:
    """Return `source` if it is a policy.

    Raises
    ------
    ViewError
        If it is not.
    """
    if source == "none":
        return "none"
    if source == "relative":
        return "relative"
    if source == "full":
        return "full"
    raise ViewError(f"source={source!r} is not a policy; choose 'none', 'relative' or 'full'")


@lru_cache(maxsize=4096)
def shorten(file: str, source: Source) -> str:
    """Return a file name as the policy allows: relative to its package or the working directory, else its last two parts."""
    if source == "none":
        return ""
    if source == "full" or not _ABSOLUTE.match(file):
        return file
    inside = _PACKAGES.sub("", file)
    if inside != file:
        return inside
    here = os.getcwd().rstrip(os.sep) + os.sep  # noqa: PTH109 - text, as the trace has it
    if file.startswith(here):
        return file[len(here) :]
    return "…/" + "/".join(_SEPARATOR.split(file)[-2:])
