"""The report: one HTML file that needs nothing else, neither network nor server, and lets nothing in it run but us.

The page's Content-Security-Policy names the hashes of the one script and the one sheet, so that nothing a program's text
could smuggle in would be allowed to run. What a reader without scripts gets (verdicts, tables, a picture) stands in
``main`` and is the first picture while the rest is unpacked.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from graphlens.errors import ViewError
from graphlens.files import write_file
from graphlens.view.assets import BUNDLE, ENGINE, SHEET, asset
from graphlens.view.build import Built, build
from graphlens.view.escape import markup
from graphlens.view.options import check_options
from graphlens.view.payload import Section
from graphlens.view.static import image, picture
from graphlens.view.table import html_table
from graphlens.view.wire import encode

_SUMMARY_CSS = """
.graphlens-summary{font:14px/1.5 system-ui,sans-serif;max-width:70rem;margin:1.5rem auto;padding:0 1rem}
.graphlens-summary img{max-width:100%;height:auto}
.graphlens-summary table{border-collapse:collapse;font-size:12px;margin:1rem 0;display:block;overflow-x:auto}
.graphlens-summary caption{text-align:left;font-weight:600;padding:.25rem 0}
.graphlens-summary th,.graphlens-summary td{border:1px solid #8886;padding:.15rem .5rem;text-align:left;vertical-align:top}
.graphlens-summary .number{text-align:right;font-variant-numeric:tabular-nums}
"""


def report(
    objects: Any, path: str | os.PathLike[str], *, title: str = "", source: str = "relative", expand: int = 1
) -> Path:
    """Write one self-contained HTML file.

    Parameters
    ----------
    objects
        A Program, Diff, RoundTrip or other result, or a sequence of them: one tab each.
    path
        The file; it is replaced as a whole or left as it was.
    title
        Title of the page; by default the names of the objects.
    source
        What is shown of file names and source lines: ``"none"``, ``"relative"`` or ``"full"``.
    expand
        How many levels of modules and nested graphs stand open at first.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ViewError
        An object cannot be shown, or the front end is not built.
    GraphLensError
        The file cannot be written.
    """
    return write_file(path, report_html(objects, title=title, source=source, expand=expand))


def report_html(objects: Any, *, title: str = "", source: str = "relative", expand: int = 1) -> str:
    """Return what `report` writes."""
    options = check_options(expand, title, source)
    given = tuple(objects) if isinstance(objects, Sequence) else (objects,)
    if not given:
        raise ViewError("a report of nothing was asked for; give at least one program, diff or round trip")
    return _page(build(given, title=options.title, source=options.source, expand=options.expand))


def _page(built: Built) -> str:
    script, sheet = _script(asset(BUNDLE)), asset(SHEET).decode("utf-8") + _SUMMARY_CSS
    if "</style" in sheet.lower():
        raise ViewError(f"{SHEET} would end its own style element; build the front end again")
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}' 'wasm-unsafe-eval' blob:; worker-src blob:; "
        f"style-src '{_hash(sheet)}'; img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    title = markup(built.payload.title)
    return "\n".join(
        (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">',
            f'<meta name="generator" content="{markup(built.payload.generator)}">',
            f"<title>{title}</title>\n<style>{sheet}</style>\n</head>\n<body>",
            f'<main id="app">{_summary(built)}</main>',
            f'<script type="application/gzip;base64" id="graphlens-data">{_base64(encode(built.payload))}</script>',
            f'<script type="application/gzip;base64" id="graphlens-engine">{_packed(asset(ENGINE))}</script>',
            f'<script type="module">{script}</script>\n</body>\n</html>\n',
        )
    )


def _summary(built: Built) -> str:
    """Write what is seen before and without scripts."""
    parts = [_section(built, section) for section in built.payload.sections]
    note = (
        "<noscript><p>This is a summary; the interactive view needs scripts to be allowed for this file.</p></noscript>"
    )
    return (
        f'<div class="graphlens-summary"><h1>{markup(built.payload.title)}</h1>{note}{"".join(parts)}'
        f"<p>{markup(built.payload.generator)}</p></div>"
    )


def _section(built: Built, section: Section) -> str:
    svg = picture(built, section)
    drawn = image(svg, f"Graph of {section.title}").replace(' style="max-width:100%;height:auto"', "") if svg else ""
    tables = "".join(html_table(table, built.payload.strings, most=20) for table in section.tables)
    verdict = f"<p>{markup(section.verdict)}</p>" if section.verdict else ""
    return f"<section><h2>{markup(section.title)}</h2>{verdict}{tables}{drawn}</section>"


def _script(code: bytes) -> str:
    """Make a script safe to stand in a page: nothing in it may end or disturb its element."""
    text = code.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\\0")
    lower = text.lower()
    if "</script" in lower or "<!--" in lower or "<script" in lower:
        text = text.replace("<!--", "<\\!--").replace("</script", "<\\/script").replace("<script", "<\\script")
        if "</script" in text.lower() or "<!--" in text:
            raise ViewError(f"{BUNDLE} would end its own script element; build the front end again")
    return text


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


@lru_cache(maxsize=2)
def _packed(data: bytes) -> str:
    return _base64(gzip.compress(data, compresslevel=9, mtime=0))
