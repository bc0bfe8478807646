"""Where a capture listens to Dynamo. Leaf functions of torch are wrapped while a capture is open, and put back after.

Every wrapped function only reports (it makes no decision and calls no user code), so that a frame of graphlens never stands
in the traceback of an error that the user's model, a backend or Dynamo raises.
"""

from __future__ import annotations

import functools
import importlib
import threading
from collections.abc import Callable
from typing import Any, Protocol

Call = tuple[tuple[Any, ...], dict[str, Any]]


class Listener(Protocol):
    """What is told of each event: its name, the arguments of torch's function, and what that returned or raised."""

    def hear(self, event: str, call: Call, result: Any, error: BaseException | None) -> None:
        """Take note of one event. Must not raise."""


_AOT = "torch._functorch._aot_autograd.graph_compile"

POINTS: tuple[tuple[str, str, str, str], ...] = (
    ("output_graph", "torch._dynamo.output_graph", "OutputGraph.__init__", "after"),
    ("graph_break", "torch._dynamo.symbolic_convert", "InstructionTranslatorBase.log_graph_break", "before"),
    ("graph_break", "torch._dynamo.symbolic_convert", "log_graph_break", "before"),
    ("recompile", "torch._dynamo.convert_frame", "get_and_maybe_log_recompilation_reasons", "after"),
    ("metrics", "torch._dynamo.utils", "add_compilation_metrics_to_chromium", "before"),
    ("compile_start", "torch._dynamo.callback", "CompilationCallbackHandler.run_start_callbacks", "before"),
    ("compile_end", "torch._dynamo.callback", "CompilationCallbackHandler.run_end_callbacks", "before"),
    ("reset", "torch._dynamo.callback", "CompilationCallbackHandler.clear", "before"),
    ("aot_joint", _AOT, "_log_joint_graph", "before"),
    ("aot_joint", _AOT, "run_joint_graph_passes_on_hops", "before"),
    ("aot_parts", _AOT, "_log_fw_bw_graphs", "before"),
    ("aot_parts", _AOT, "maybe_inline_graph_saved_tensors_hooks", "before"),
    ("aot_inference", _AOT, "_log_inference_graph", "before"),
    ("aot_inference", _AOT, "aot_stage2_inference", "before"),
)
"""Event, module, function, and whether it is reported before or after it ran; the first place of an event that this torch
has is taken. The first ones are those of torch 2.13, the second ones those of torch 2.9 (read in its source)."""

_lock = threading.RLock()
_listeners: tuple[Listener, ...] = ()
_installed: list[tuple[Any, str, Any, Any]] = []


def attach(listener: Listener) -> tuple[str, ...]:
    """Start to tell `listener`; return the events that this torch does not offer."""
    global _listeners  # noqa: PLW0603 - one set of wrappers serves all open captures
    with _lock:
        missing = _install() if not _listeners else _absent()
        _listeners = (*_listeners, listener)
        return missing


def detach(listener: Listener) -> None:
    """Stop to tell `listener`; with the last one, torch is as it was."""
    global _listeners  # noqa: PLW0603
    with _lock:
        _listeners = tuple(other for other in _listeners if other is not listener)
        if not _listeners:
            while _installed:
                owner, name, original, wrapper = _installed.pop()
                if vars(owner).get(name) is wrapper:
                    setattr(owner, name, original)


def _absent() -> tuple[str, ...]:
    there = {wrapper.__graphlens_event__ for *_, wrapper in _installed}
    return tuple(dict.fromkeys(event for event, *_ in POINTS if event not in there))


def _install() -> tuple[str, ...]:
    for event, module, path, when in POINTS:
        if event not in _absent():
            continue
        owner, name = _find(module, path)
        original = vars(owner).get(name) if owner is not None else None
        if callable(original):
            wrapper = _wrapper(event, original, when)
            setattr(owner, name, wrapper)
            _installed.append((owner, name, original, wrapper))
    return _absent()


def _find(module: str, path: str) -> tuple[Any, str]:
    """Find the module or class that holds a function; `None` where this torch has none."""
    *classes, name = path.split(".")
    try:
        owner: Any = importlib.import_module(module)
    except ImportError:
        return None, name
    for part in classes:
        owner = getattr(owner, part, None)
    return owner, name


def _wrapper(event: str, original: Callable[..., Any], when: str) -> Callable[..., Any]:
    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if when == "before":
            _tell(event, (args, kwargs), None, None)
            return original(*args, **kwargs)
        try:
            result = original(*args, **kwargs)
        except Exception as error:
            _tell(event, (args, kwargs), None, error)
            raise
        _tell(event, (args, kwargs), result, None)
        return result

    wrapper.__graphlens_event__ = event  # type: ignore[attr-defined]
    return wrapper


def _tell(event: str, call: Call, result: Any, error: BaseException | None) -> None:
    for listener in _listeners:
        listener.hear(event, call, result, error)
