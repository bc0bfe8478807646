"""Stages that make another form of a captured program in memory."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from graphlens.program.program import Program
from graphlens.stages.part import CAPTURE, Judged, Stage, Subject
from graphlens.stages.steps.passes import copied


def decompose(_subject: Subject, program: Any, table: Mapping[Any, Any] | None = None) -> Any:
    """Run `run_decompositions` with torch's default table or the user's."""
    return program.run_decompositions(None if table is None else dict(table))


def judged(program: Any, product: Any, table: Mapping[Any, Any] | None = None) -> Callable[[Program, Program], Judged]:
    """Hold what became of each op against torch's own decomposition of that op."""
    from graphlens.stages.decomposition.judge import prepare

    return prepare(program, product, table)


def deepcopy(_subject: Subject, program: Any) -> Any:
    """Copy with `copy.deepcopy`, weights and all."""
    return copy.deepcopy(program)


def unflatten(_subject: Subject, program: Any) -> Any:
    """Rebuild the module hierarchy with `torch.export.unflatten`, of a copy: it writes into the nodes it is given."""
    import torch

    return torch.export.unflatten(copied(program))


STAGES = (
    Stage(name="decompose", needs=CAPTURE, run=decompose, judge=judged, exact=False),
    Stage(name="deepcopy", needs=CAPTURE, run=deepcopy),
    Stage(name="unflatten", needs=CAPTURE, run=unflatten),
)
