"""Runtimes that call Python: the module itself, and captured programs through `ExportedProgram.module()`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphlens.stages.part import MODEL, Runtime, Subject


def eager(_subject: Subject, model: Any) -> Callable[..., Any]:
    """Return the module as it was given."""
    return model  # type: ignore[no-any-return]


def captured(_subject: Subject, product: Any) -> Callable[..., Any]:
    """Return what runs a captured program: `ExportedProgram.module()`, or the GraphModule itself."""
    return product.module() if hasattr(product, "module") and hasattr(product, "graph_signature") else product  # type: ignore[no-any-return]


RUNTIMES = (
    Runtime(name="eager", needs=MODEL, load=eager),
    Runtime(name="exported", needs="capture", load=captured),
    Runtime(name="decomposed", needs="decompose", load=captured),
    Runtime(name="reloaded", needs="reload", load=captured),
)
