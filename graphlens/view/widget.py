"""The widget: an anywidget whose state is its traits, and whose code and layout engine are sent once per page.

The page asks for the bundle, the sheet and the engine by message (``{"kind": "asset", "id", "name"}``) and gets one gzip
buffer each; it keeps them by digest, so a second widget on the page costs its payload only.
"""

from __future__ import annotations

import gzip
from collections.abc import Container, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from graphlens.errors import ViewError
from graphlens.view.assets import NAMES, asset, digest
from graphlens.view.options import Options, choose

if TYPE_CHECKING:
    from graphlens.view.build import Built

LARGE = 30_000
"""From more nodes on, drawing takes over a second, and waits until a page shows the widget."""

_LOADER = Path(__file__).with_name("loader.js")


class GraphView(anywidget.AnyWidget):  # type: ignore[misc]
    """A view of programs, diffs or round trips in a notebook.

    Its traits are the state of the view; link them (`ipywidgets.jslink`) to make two views move together.

    Attributes
    ----------
    payload, waits_for
        What is drawn. Of a large program it is made when a page first asks for it, and until then `waits_for` says of how
        many nodes.
    section, view
        Which tab is shown, and which drawing of it.
    expanded
        Keys of the open regions; `None` until the user or a program opens or closes one.
    selection
        Key of the selected box (graph path and node name, ``cond.true_fn/mul``) or region, ``""`` for none.
    query
        What is searched for.
    table
        Title of the open table, ``""`` for none, `None` as the front end chooses.
    camera
        Where the drawing is: x, y and scale; `None` to fit it.
    theme
        ``"auto"`` (as the notebook), ``"light"`` or ``"dark"``.
    height
        Height in px.
    """

    _esm = _LOADER.read_text("utf-8")
    _assets = traitlets.Dict().tag(sync=True)
    payload = traitlets.Bytes(b"").tag(sync=True)
    waits_for = traitlets.Unicode("").tag(sync=True)
    section = traitlets.Int(0).tag(sync=True)
    view = traitlets.Int(0).tag(sync=True)
    expanded = traitlets.List(traitlets.Unicode(), allow_none=True, default_value=None).tag(sync=True)
    selection = traitlets.Unicode("").tag(sync=True)
    query = traitlets.Unicode("").tag(sync=True)
    table = traitlets.Unicode(allow_none=True, default_value=None).tag(sync=True)
    camera = traitlets.List(traitlets.Float(), allow_none=True, default_value=None).tag(sync=True)
    theme = traitlets.Enum(("auto", "light", "dark"), "auto").tag(sync=True)
    height = traitlets.Int(600, min=120).tag(sync=True)

    def __init__(self, objects: Sequence[Any], options: Options, **traits: Any) -> None:
        from graphlens.view.build import check_showable, size

        for name in NAMES:
            asset(name)  # say now that the front end is not built, not in the page
        self._objects, self._options = tuple(objects), options
        check_showable(self._objects)
        self._nodes = size(self._objects)
        digests = {name: digest(name) for name in NAMES}
        super().__init__(_assets=digests, **traits)
        if self._nodes <= LARGE:
            self._draw()
        else:
            self.waits_for = f"{self._nodes:,} nodes"
        self.on_msg(self._answer)

    @cached_property
    def _built(self) -> Built:
        from graphlens.view.build import build

        options = self._options
        return build(self._objects, title=options.title, source=options.source, expand=options.expand)

    def _draw(self) -> None:
        from graphlens.view.wire import encode

        self.payload = encode(self._built.payload)

    def _answer(self, _widget: Any, message: Any, _buffers: Any) -> None:
        """Answer a request of the page; whatever is wrong with it is told to the page, not raised here."""
        kind = message.get("kind") if isinstance(message, dict) else None
        if kind == "payload":
            self._send_payload(message.get("id"))
        if kind != "asset":
            return
        answer = {"kind": "asset", "id": message.get("id"), "name": message.get("name")}
        try:
            name = str(message.get("name"))
            self.send(answer, [_packed(name, digest(name))] if name in NAMES else [gzip.compress(asset(name))])
        except ViewError as error:
            self.send({**answer, "error": str(error)})

    def _send_payload(self, request: Any) -> None:
        answer = {"kind": "payload", "id": request}
        try:
            if not self.payload:
                self._draw()
        except ViewError as error:
            answer["error"] = str(error)
        except KeyboardInterrupt:
            answer["error"] = "graphlens: interrupted. Run the cell again to draw the graph."
        self.send(answer)

    def static(self) -> Any:
        """Return the same as HTML that needs neither widgets nor scripts: a picture, tables, text."""
        from graphlens.view.static import StaticView

        return StaticView(self._objects, self._options, built=self._built)

    def to_html(self, path: str | Path) -> Path:
        """Write one self-contained, interactive HTML file and return its path."""
        from graphlens.view.page import report

        return report(self._objects, path, **self._options.for_report())

    def to_svg(self) -> str:
        """Return a static SVG of the first drawing, with the regions open that are open in the widget."""
        from graphlens.view.static import first_svg

        return first_svg(self._built, expanded=self.expanded)

    def __str__(self) -> str:
        return str(self.static())

    def __repr__(self) -> str:
        return f"<graphlens.GraphView {self._options.title or ', '.join(map(repr, self._objects))}>"

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None, **_: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        made = super()._repr_mimebundle_()
        data, metadata = made if isinstance(made, tuple) else (made or {}, {})
        wanted = include is None or "text/html" in include or "text/plain" in include
        still = self._still() if wanted else {}
        return choose({**data, **still}, include, exclude), metadata

    def _still(self) -> dict[str, str]:
        """Return what is shown where no widget runs: of what waits to be drawn its text, which costs no drawing."""
        if self.payload:
            found: dict[str, str] = self.static().bundle()
            return found
        from graphlens.view.static import plain_bundle

        return plain_bundle(self._objects)


@lru_cache(maxsize=8)
def _packed(name: str, _digest: str) -> bytes:
    return gzip.compress(asset(name), mtime=0)
