"""Before a program is saved: what cannot be saved, will not load, or comes back as something else."""

from __future__ import annotations

from typing import Any

from graphlens.stages.preflight.result import Preflight, Problem

__all__ = ["Preflight", "Problem", "preflight"]


def preflight(program: Any) -> Preflight:
    """List what stands in the way of `torch.export.save` and `load`, each with the reason and what to do.

    Nothing is written. Each node is given to torch's own serializer by itself, so all that fail are found, not only the
    first; what saves and then cannot be loaded, or is loaded as another value, is known from torch 2.13 and checked on
    what the program holds.

    Parameters
    ----------
    program
        An ExportedProgram.

    Returns
    -------
    Preflight
        ``str(result)`` is the verdict, ``result.problems`` one row per problem.

    Raises
    ------
    StageError
        `program` is no ExportedProgram.
    """
    from graphlens.errors import StageError
    from graphlens.stages.roundtrip import require_torch

    require_torch()
    import torch

    if not isinstance(program, torch.export.ExportedProgram):
        raise StageError(f"preflight: a {type(program).__name__} cannot be saved; give an ExportedProgram")
    from graphlens.stages.preflight.checks import CHECKS

    found = [problem for check in CHECKS for problem in check(program)]
    return Preflight(found=tuple(dict.fromkeys(found)))
