"""The built front end: which files it is, and how each host hands them to it.

`npm run build` in `js/` writes three files into `graphlens/static/`:

``graphlens.js``
    One ES module without imports. Exports ``render(element, payload, options)`` (`payload`: gzipped bytes;
    ``options.asset(name) -> Promise<Uint8Array>`` gives the other files; ``options.host`` holds the shared state;
    ``options.signal`` ends it) and, as default, the anywidget ``{ render({ model, el, signal, asset }) }``.
    In a report nobody calls it: where the page has a ``script#graphlens-data`` it starts itself in ``main#app``.
``graphlens-engine.js``
    Graphviz as the source text of one classic worker, WebAssembly included (an IIFE, for a blob URL).
``graphlens.css``
    Every rule, under ``.graphlens``. Nothing may set a ``style`` attribute as text: the report's
    Content-Security-Policy allows this sheet only (setting ``element.style.x`` is fine).

The widget sends each file once per page, as gzip, when the loader asks for it (`graphlens.view.widget`). The report
carries them inline: ``script#graphlens-engine[type="application/gzip;base64"]``, ``script#graphlens-data`` (same type),
one ``style`` and the module itself.

While it works, the root element says so: ``data-testid="graphlens"``, ``data-state`` is ``loading``, ``ready`` or
``error``, ``data-nodes`` counts the boxes drawn and ``data-regions`` the regions that are open.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from graphlens.errors import ViewError

BUNDLE = "graphlens.js"
ENGINE = "graphlens-engine.js"
SHEET = "graphlens.css"
NAMES = (BUNDLE, ENGINE, SHEET)

STATIC = Path(__file__).parents[1] / "static"


def asset(name: str) -> bytes:
    """Return one built file.

    Raises
    ------
    ViewError
        If the front end has not been built.
    """
    if name not in NAMES:
        raise ViewError(f"no asset {name!r}: the front end has {', '.join(NAMES)}")
    try:
        return (STATIC / name).read_bytes()
    except FileNotFoundError:
        raise ViewError(
            f"the front end is not built ({STATIC / name} is missing): run `npm run build` in js/"
        ) from None


@cache
def _digest(path: Path, _mtime_ns: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def digest(name: str) -> str:
    """Return the digest by which a page knows the file again, `""` where it is not built."""
    path = STATIC / name
    return _digest(path, path.stat().st_mtime_ns) if path.exists() else ""
