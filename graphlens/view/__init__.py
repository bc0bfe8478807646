"""Program, Diff or RoundTrip -> what a person looks at: widget, HTML report, SVG, DOT, tables, text.

Imports no torch and computes no difference. Everything is imported when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphlens.view.api import mimebundle, to_dot, to_svg, view
    from graphlens.view.page import report, report_html
    from graphlens.view.static import StaticView
    from graphlens.view.widget import GraphView

__all__ = ["GraphView", "StaticView", "mimebundle", "report", "report_html", "to_dot", "to_svg", "view"]

_LAZY = {
    "GraphView": "widget",
    "StaticView": "static",
    "mimebundle": "api",
    "report": "page",
    "report_html": "page",
    "to_dot": "api",
    "to_svg": "api",
    "view": "api",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value
    return value
