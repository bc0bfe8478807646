"""Stages that rewrite a captured program: decompositions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphlens.stages.part import CAPTURE, Stage, Subject


def decompose(_subject: Subject, program: Any, table: Mapping[Any, Any] | None = None) -> Any:
    """Run `run_decompositions` with torch's default table or the user's."""
    return program.run_decompositions(None if table is None else dict(table))


STAGES = (Stage(name="decompose", needs=CAPTURE, run=decompose),)
