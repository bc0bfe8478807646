"""What can be chosen about a view, checked once."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from msgspec import Struct, structs

from graphlens.errors import ViewError
from graphlens.view.privacy import Source, check_source


class Options(Struct, frozen=True, kw_only=True):
    """Options of `view` and `report`."""

    expand: int = 1
    title: str = ""
    source: Source = "relative"

    def for_report(self) -> dict[str, Any]:
        """Return them as keyword arguments of `report`."""
        return structs.asdict(self)


def check_options(expand: Any, title: Any, source: Any) -> Options:
    """Make options of what the user gave.

    Raises
    ------
    ViewError
        One of them has no meaning.
    """
    if isinstance(expand, bool) or not isinstance(expand, int) or expand < 0:
        raise ViewError(f"expand={expand!r} is not a number of levels; give 0, 1, 2 …")
    return Options(expand=expand, title=str(title), source=check_source(source))


def choose(data: dict[str, Any], include: Container[str] | None, exclude: Container[str] | None) -> dict[str, Any]:
    """Keep of a MIME bundle what is asked for."""
    return {
        kind: value
        for kind, value in data.items()
        if (include is None or kind in include) and (exclude is None or kind not in exclude)
    }
