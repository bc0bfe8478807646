"""Anything to a Program: one door in front of live torch objects and `.pt2` archives. Imports no torch by itself."""

from __future__ import annotations

import os
import sys
from typing import Any

from graphlens.errors import SourceError
from graphlens.program.program import Program

__all__ = ["read"]

ACCEPTED = "an ExportedProgram, GraphModule, fx.Graph, a .pt2 path or binary file, or a Program"


def read(obj: Any, /, *, model: str | None = None, source: str = "relative") -> Program:
    """Read a captured program from wherever it is.

    Parameters
    ----------
    obj
        `ExportedProgram`, `GraphModule`, `fx.Graph`, the path of a ``.pt2`` or a binary file that holds one, or a
        `Program`, which is returned as it is.
    model
        Which model of an archive that holds several.
    source
        What is kept of the source files that stack traces name: ``"none"``, ``"relative"`` (paths relative to the
        working directory or to the package they belong to) or ``"full"``.

    Returns
    -------
    Program

    Raises
    ------
    SourceError
        `obj` is none of these.
    ArchiveError
        The file is broken, hostile, of an unreadable layout, or holds several models and `model` names none of them.
    """
    if source not in ("none", "relative", "full"):
        raise SourceError(f"source={source!r} is not a policy; choose 'none', 'relative' or 'full'")
    if isinstance(obj, Program):
        return obj
    if isinstance(obj, str | os.PathLike) or _is_binary_file(obj):
        from graphlens.read.archive import read_archive

        return read_archive(obj, model=model, source=source)
    if sys.modules.get("torch") is not None:
        from graphlens.read.live import is_live, read_live

        if is_live(obj):
            if model is not None:
                raise SourceError(
                    f"model={model!r} chooses a model of an archive, and {_named(obj)} is one program; drop it"
                )
            return read_live(obj, source=source)
    raise SourceError(f"cannot read {_named(obj)}: {_advice(obj)}")


def _is_binary_file(obj: Any) -> bool:
    return all(callable(getattr(type(obj), name, None)) for name in ("read", "seek", "tell"))


def _named(obj: Any) -> str:
    kind = type(obj)
    article = "an object of type " if not isinstance(obj, type) else "the class "
    name = obj if isinstance(obj, type) else kind
    return f"{article}{name.__module__}.{name.__qualname__}"


def _advice(obj: Any) -> str:
    if isinstance(obj, bytes | bytearray | memoryview):
        return "wrap the bytes of an archive in io.BytesIO"
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(obj, torch.nn.Module):
        return "a module is not a captured program; export it with torch.export.export(module, args) first, or call graphlens.roundtrip"
    return f"expected {ACCEPTED}"
