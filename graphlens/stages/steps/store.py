"""Stages that take a captured program through a file and back."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphlens.stages.part import CAPTURE, Stage, Subject


def reload(_subject: Subject, program: Any) -> Any:
    """Save to a file with `torch.export.save` and load it again."""
    import torch

    with tempfile.TemporaryDirectory(prefix="graphlens-") as folder:
        path = Path(folder) / "program.pt2"
        torch.export.save(program, path)
        with _quiet_logging():
            return torch.export.load(path)


def serialize(_subject: Subject, program: Any) -> Any:
    """Go through `serialize` and `deserialize` of torch's serde, in memory and without the archive around it."""
    from torch._export.serde.serialize import deserialize, serialize

    with _quiet_logging():
        return deserialize(serialize(program))


@contextlib.contextmanager
def _quiet_logging() -> Iterator[None]:
    """Torch 2.13 logs its fallback for fake example inputs with a broken format string; keep that off the screen."""
    before = logging.raiseExceptions
    logging.raiseExceptions = False
    try:
        yield
    finally:
        logging.raiseExceptions = before


STAGES = (Stage(name="reload", needs=CAPTURE, run=reload), Stage(name="serialize", needs=CAPTURE, run=serialize))
