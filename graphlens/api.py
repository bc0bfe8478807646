"""The public functions: each takes anything that `read` takes, and hands plain Programs to the room that does the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphlens.read import read

if TYPE_CHECKING:
    from graphlens.diff import Diff

__all__ = ["diff", "read"]


def diff(a: Any, b: Any, *, profile: str = "all", **options: Any) -> Diff:
    """Compare two programs. `a` and `b` are anything that `read` takes."""
    from graphlens.diff import compare

    return compare(read(a), read(b), profile=profile, **options)
