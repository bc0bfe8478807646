"""A real browser for the tests, and what is watched in every page: console, errors, requests."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import graphlens as gl
from graphlens.read import read
from graphlens.view.assets import STATIC

ARCHIVES = Path(__file__).parents[1] / "data" / "archives" / "torch-2.13.0"
JS = Path(__file__).parents[2] / "js"


def _missing(reason: str) -> None:
    if os.environ.get("GRAPHLENS_REQUIRE_BROWSER") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict) -> dict:
    candidates = (os.environ.get("CHROMIUM"), "/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome")
    found = next((path for name in candidates if name and (path := shutil.which(name))), None)
    if found is None:
        _missing("no Chromium: set CHROMIUM or install one (Debian: apt-get install chromium)")
    if not (STATIC / "graphlens.js").exists():
        _missing("the front end is not built: run `npm run build` in js/")
    flags = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
    return {**browser_type_launch_args, "executable_path": found, "args": flags}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict) -> dict:
    return {**browser_context_args, "viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce"}


class Watched:
    """What a page said, did wrong and asked for."""

    def __init__(self, page, allowed: tuple[str, ...] = ()) -> None:
        self.console: list[str] = []
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda m: m.type in ("error", "warning") and self.console.append(f"{m.type}: {m.text}"))
        page.on("pageerror", lambda error: self.errors.append(f"{error}\n{getattr(error, 'stack', '')}"))
        page.on("dialog", lambda dialog: (self.errors.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda r: r.url.startswith(("data:", "blob:", *allowed)) or self.requests.append(r.url))

    def ours(self) -> list[str]:
        """What our code did wrong, in a page that is not ours: our bundle runs from a blob URL."""
        said = [line for line in self.console if "graphlens" in line.lower()]
        return [error for error in self.errors if "blob:" in error or error.startswith("dialog")] + said

    def clean(self) -> None:
        assert self.errors == []
        assert self.console == []
        assert self.requests == []


@pytest.fixture
def opened(page) -> Iterator[Callable]:
    """Open a report from disk without a network; at the end the console must be clean and nothing asked for."""
    page.context.set_offline(True)
    watched: list[Watched] = []

    def open_report(path: Path, fragment: str = ""):
        watched.append(Watched(page, (path.as_uri(),)))
        page.goto(path.as_uri() + fragment)
        page.wait_for_selector('[data-testid="graphlens"][data-state="ready"]')
        return page

    yield open_report
    for one in watched:
        one.clean()


@pytest.fixture
def bring(page) -> Callable:
    """Move the drawing with the wheel until something is in the middle of it."""

    def wheel(target) -> None:
        canvas, box = page.locator(".gl-canvas").first.bounding_box(), target.bounding_box()
        middle = (canvas["x"] + canvas["width"] / 2, canvas["y"] + canvas["height"] / 2)
        page.mouse.move(*middle)
        page.mouse.wheel(box["x"] + box["width"] / 2 - middle[0], box["y"] + box["height"] / 2 - middle[1])
        page.wait_for_timeout(60)

    return wheel


@pytest.fixture(scope="session")
def nested_report(tmp_path_factory) -> Path:
    """`cond` in `cond`, `map`, `while_loop` and more, read from an archive."""
    return gl.report(read(ARCHIVES / "nested_control_flow.pt2"), tmp_path_factory.mktemp("report") / "nested.html")


@pytest.fixture(scope="session")
def diff_report(tmp_path_factory) -> Path:
    """The same decoder before and after decompositions, and a second object."""
    a, b = read(ARCHIVES / "decoder_static.pt2"), read(ARCHIVES / "decoder_decomposed.pt2")
    return gl.report([gl.diff(a, b), a], tmp_path_factory.mktemp("report") / "diff.html")


@pytest.fixture(scope="session")
def fewer_report(tmp_path_factory) -> Path:
    """A decoder of three layers, and of two: the middle one is gone."""
    torch = pytest.importorskip("torch")

    class Layer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.up, self.down = torch.nn.LayerNorm(4), torch.nn.Linear(4, 8), torch.nn.Linear(8, 4)

        def forward(self, x):
            return x + self.down(self.up(self.norm(x)).relu())

    class Decoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.ModuleList(Layer() for _ in range(3))

        def forward(self, x):
            for layer in self.layers:
                x = layer(x)
            return x

    model, args = Decoder().eval(), (torch.zeros(2, 4),)
    whole = torch.export.export(model, args)
    del model.layers[1]
    return gl.diff(whole, torch.export.export(model, args)).to_html(tmp_path_factory.mktemp("report") / "fewer.html")


@pytest.fixture(scope="session")
def archives() -> Path:
    return ARCHIVES


@pytest.fixture
def watch() -> type[Watched]:
    return Watched


@pytest.fixture(scope="session")
def serve() -> Callable[[str, Path], contextlib.AbstractContextManager[str]]:
    """Run a Jupyter server (`jupyterlab` or `notebook`) in a directory; a context manager that gives its address."""
    return _server


@pytest.fixture(scope="session")
def write_notebook() -> Callable[..., None]:
    return _write_notebook


@pytest.fixture
def run_notebook(page) -> Callable[[str], None]:
    """Open a notebook and run all its cells."""

    def run(url: str) -> None:
        page.goto(url)
        page.wait_for_function(_CONNECTED, timeout=60_000)
        page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")

    return run


_CONFIG = """
c = get_config()
from jupyterlab.galata import configure_jupyter_server
configure_jupyter_server(c)
c.ServerApp.port = {port}
c.ServerApp.port_retries = 0
c.ServerApp.ip = "127.0.0.1"
c.ServerApp.root_dir = {root!r}
c.ServerApp.allow_root = True
c.ServerApp.open_browser = False
c.JupyterNotebookApp.expose_app_in_browser = True
"""


@contextlib.contextmanager
def _server(module: str, home: Path) -> Iterator[str]:
    """Run `python -m MODULE` in a directory of its own and yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = home / "jupyter_config.py"
    config.write_text(_CONFIG.format(port=port, root=str(home)))
    places = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    env = {**os.environ, **{name: str(home / name.lower()) for name in places}, "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    log = (home / "server.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", module, f"--config={config}"], cwd=home, env=env, stdout=log, stderr=subprocess.STDOUT
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _await(f"{address}/api/status", process, home / "server.log")
        yield address
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def _await(url: str, process: subprocess.Popen, log: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
            if answer.status == 200:
                return
        time.sleep(0.1)
    raise AssertionError(f"the Jupyter server did not start:\n{log.read_text('utf-8', 'replace')[-3000:]}")


def _write_notebook(path: Path, *cells: str) -> None:
    """Write a notebook of code cells."""
    made = [
        {"cell_type": "code", "id": f"c{i}", "source": source, "metadata": {}, "outputs": [], "execution_count": None}
        for i, source in enumerate(cells)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook))


_CONNECTED = """() => window.jupyterapp?.shell?.currentWidget?.context?.sessionContext?.session?.kernel
    ?.connectionStatus === 'connected'"""
