"""The functions of the view: a widget, a MIME bundle, DOT and SVG."""

from __future__ import annotations

import sys
from collections.abc import Container, Sequence
from typing import TYPE_CHECKING, Any

from graphlens.errors import ViewError
from graphlens.program.program import Program
from graphlens.view.layout import TIME_LIMIT
from graphlens.view.options import check_options, choose

if TYPE_CHECKING:
    from graphlens.view.widget import GraphView


def view(
    obj: Any,
    *,
    expand: int = 1,
    title: str = "",
    source: str = "relative",
    query: str = "",
    selection: str = "",
    theme: str = "auto",
    height: int = 600,
) -> GraphView:
    """Show an object as a widget, or as static HTML and text where widgets cannot run.

    Parameters
    ----------
    obj
        A Program, Diff, RoundTrip or other result, or a sequence of them: one tab each.
    expand
        How many levels of modules and nested graphs stand open at first, as long as the picture stays small.
    title
        Title of the view; by default the names of the objects.
    source
        What is shown of file names and source lines: ``"none"``, ``"relative"`` or ``"full"``.
    query
        What to search for at first, ``"op:linear dtype:bf16"``.
    selection
        Key of the box to select at first: graph path and node name, ``"cond.true_fn/mul"``.
    theme
        ``"auto"`` (as the notebook), ``"light"`` or ``"dark"``.
    height
        Height in px, at least 120.

    Raises
    ------
    ViewError
        The object cannot be shown, or the front end is not built.
    """
    from graphlens.view.widget import GraphView

    options = check_options(expand, title, source)
    objects = tuple(obj) if isinstance(obj, Sequence) else (obj,)
    if theme not in ("auto", "light", "dark"):
        raise ViewError(f"theme={theme!r} is none; choose 'auto', 'light' or 'dark'")
    if isinstance(height, bool) or not isinstance(height, int) or height < 120:
        raise ViewError(f"height={height!r} is no height; give a number of px, at least 120")
    return GraphView(objects, options, query=query, selection=selection, theme=theme, height=height)


def mimebundle(
    obj: Any, *, include: Container[str] | None = None, exclude: Container[str] | None = None
) -> dict[str, Any]:
    """Return what a notebook shows of a result: the widget with static HTML and text beside it.

    Where the widget cannot be made, because the front end is not built, there is still the rest; of what cannot be drawn,
    as a diff that was read back without its programs, the text.
    """
    from graphlens.view.static import StaticView, plain_bundle

    options = check_options(1, "", "relative")
    if _in_terminal():
        include = {"text/plain"} if include is None else {"text/plain"} & {kind for kind in _KINDS if kind in include}
    widget_wanted = (include is None or _WIDGET in include) and (exclude is None or _WIDGET not in exclude)
    if widget_wanted:
        try:
            data, _ = view(obj)._repr_mimebundle_(include, exclude)
        except ViewError:
            pass
        else:
            return data
    try:
        return StaticView((obj,), options)._repr_mimebundle_(include, exclude)
    except ViewError:
        return choose(plain_bundle((obj,)), include, exclude)


_WIDGET = "application/vnd.jupyter.widget-view+json"
_KINDS = (_WIDGET, "text/html", "text/plain")


def _in_terminal() -> bool:
    """Say whether this is IPython in a terminal, which shows text only: nothing else need be made."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "TerminalInteractiveShell"


def to_svg(obj: Any, depth: int = 1, *, timeout: float = TIME_LIMIT) -> str:
    """Draw a program or a diff as SVG, with all module calls and nested graphs open down to a depth.

    Parameters
    ----------
    obj
        A Program; of a Diff the union of its programs is drawn, of another result its first drawing.
    depth
        0 shows the root graph with its regions folded.
    timeout
        Seconds that Graphviz gets per region; after that a simple layout of ours is used.

    Returns
    -------
    str
        An SVG document. It follows the light or dark theme of where it is shown, and holds no links or scripts.
    """
    from graphlens.view.static import deep_svg

    return deep_svg(obj, _check_depth(depth), timeout=timeout)


def to_dot(program: Program, depth: int = 1) -> str:
    """Write a program as DOT for a Graphviz of your own: module calls and nested graphs are clusters down to a depth."""
    from graphlens.view.program_dot import program_dot

    return program_dot(program, _check_depth(depth))


def _check_depth(depth: int) -> int:
    if isinstance(depth, bool) or not isinstance(depth, int) or depth < 0:
        raise ViewError(f"depth={depth!r} is not a number of levels; give 0, 1, 2 …")
    return depth
