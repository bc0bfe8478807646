"""Stages that capture a model: torch.export, strict or not, and before dispatch."""

from __future__ import annotations

from functools import partial
from typing import Any

from graphlens.stages.part import MODEL, Stage, Subject


def export(subject: Subject, _product: Any, strict: bool | None = None) -> Any:
    """Run `torch.export.export`; an ExportedProgram that was given is its own export."""
    import torch

    if subject.exported:
        return subject.model
    return torch.export.export(
        subject.model,
        subject.args,
        dict(subject.kwargs),
        dynamic_shapes=subject.dynamic_shapes,
        strict=subject.strict if strict is None else strict,
    )


STAGES = (
    Stage(name="export", needs=MODEL, run=export, capture=True),
    Stage(name="export:strict", needs=MODEL, run=partial(export, strict=True), capture=True),
    Stage(name="export:non-strict", needs=MODEL, run=partial(export, strict=False), capture=True),
)
