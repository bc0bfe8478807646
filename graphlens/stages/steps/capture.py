"""Stages that capture a model: torch.export, strict or not, and before dispatch."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

from graphlens.stages.part import CAPTURE, MODEL, Stage, Subject


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


def pre_dispatch(subject: Subject, _product: Any) -> Any:
    """Export to the dialect before dispatch, with autograd still in the graph.

    `torch.export._trace._export(pre_dispatch=True)` is what PyTorch's own tests call (torch 2.5 to 2.13). Where a torch
    has lost the switch, `torch.export.export` stands in: since 2.6 it captures before dispatch itself.
    """
    if subject.exported:
        return subject.model
    from torch.export import _trace

    traced = _trace._export  # noqa: SLF001 - there is no public name for it
    options = {"dynamic_shapes": subject.dynamic_shapes, "strict": subject.strict}
    if "pre_dispatch" not in inspect.signature(traced).parameters:
        return export(subject, None)
    return traced(subject.model, subject.args, dict(subject.kwargs), pre_dispatch=True, **options)


def retrace(subject: Subject, program: Any) -> Any:
    """Export the module of an exported program once more, on the same inputs and dynamic shapes."""
    import torch

    args, kwargs = (subject.args, dict(subject.kwargs)) if subject.args or subject.kwargs else _inputs(program)
    return torch.export.export(
        program.module(), args, kwargs, dynamic_shapes=subject.dynamic_shapes, strict=subject.strict
    )


def _inputs(program: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    args, kwargs = program.example_inputs or ((), {})
    return tuple(args), dict(kwargs)


STAGES = (
    Stage(name="export", needs=MODEL, run=export, capture=True),
    Stage(name="export:strict", needs=MODEL, run=partial(export, strict=True), capture=True),
    Stage(name="export:non-strict", needs=MODEL, run=partial(export, strict=False), capture=True),
    Stage(name="pre_dispatch", needs=MODEL, run=pre_dispatch, capture=True),
    Stage(name="retrace", needs=CAPTURE, run=retrace),
)
