"""How results show themselves: the one seam through which data finds the views, by name and only when asked."""

from __future__ import annotations

import importlib
import os
from collections.abc import Container
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


class Displayable:
    """What a Program, a Diff, a RoundTrip and every other result can do to be looked at."""

    __slots__ = ()

    def view(self, **options: Any) -> Any:
        """Show it as a widget (`graphlens.view.view` says which options there are)."""
        return _views().view(self, **options)

    def to_html(self, path: str | os.PathLike[str], **options: Any) -> Path:
        """Write one self-contained HTML file that opens without a network, and return its path.

        Parameters
        ----------
        path
            The file; it is replaced as a whole or left as it was.
        **options
            Passed on to `graphlens.view.report`: `title`, `source`, `expand`.
        """
        written: Path = _views().report(self, path, **options)
        return written

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, Any] | tuple[dict[str, Any], dict[str, Any]]:
        bundle: dict[str, Any] = _views().mimebundle(self, include=include, exclude=exclude)
        return bundle


def _views() -> Any:
    return importlib.import_module("graphlens.view")
