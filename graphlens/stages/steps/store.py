"""Stages that take a captured program through a file and back."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphlens.stages.part import CAPTURE, Stage, Subject
from graphlens.stages.preflight.result import Problem


def reload(_subject: Subject, program: Any) -> Any:
    """Save to a file with `torch.export.save` and load it again."""
    import torch

    with tempfile.TemporaryDirectory(prefix="graphlens-") as folder:
        path = Path(folder) / "program.pt2"
        torch.export.save(program, path)
        with _causes_from_the_log():
            return torch.export.load(path)


def serialize(_subject: Subject, program: Any) -> Any:
    """Go through `serialize` and `deserialize` of torch's serde, in memory and without the archive around it."""
    from torch._export.serde.serialize import deserialize, serialize

    with _causes_from_the_log():
        return deserialize(serialize(program))


def explain(program: Any) -> tuple[Problem, ...]:
    """List everything that stands in the way of saving and loading a program, not only what raised first."""
    from graphlens.stages.preflight import preflight

    return preflight(program).found


@contextlib.contextmanager
def _causes_from_the_log() -> Iterator[None]:
    """Raise what really went wrong in `torch.export.load`, which logs the cause and raises an error that points there.

    It also keeps off the screen that torch 2.13 logs its fallback for fake example inputs with a broken format string.
    """
    causes: list[BaseException] = []

    def keep(record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[1] is not None:
            causes.append(record.exc_info[1])
        return not record.exc_info

    log, before = logging.getLogger("torch.export"), logging.raiseExceptions
    logging.raiseExceptions = False
    log.addFilter(keep)
    try:
        yield
    except RuntimeError as error:
        if causes:
            raise causes[-1] from error
        raise
    finally:
        log.removeFilter(keep)
        logging.raiseExceptions = before


STAGES = (
    Stage(name="reload", needs=CAPTURE, run=reload, explain=explain),
    Stage(name="serialize", needs=CAPTURE, run=serialize, explain=explain),
)
