"""Two programs run side by side, value by value: where they part, and which node is the first guilty one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from graphlens.errors import MissingDependencyError, StageError
from graphlens.stages.numerics.result import Numerics
from graphlens.stages.numerics.rows import Difference, NodeRow

__all__ = ["Difference", "NodeRow", "Numerics", "numerics"]


def numerics(
    a: Any,
    b: Any,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    pins: Sequence[tuple[str, str]] = (),
) -> Numerics:
    """Run two programs in step along their alignment and compare every value that both have.

    Parameters
    ----------
    a, b
        The reference and the other: ExportedProgram, GraphModule, or the path of a ``.pt2``, which is loaded and run (trust
        it as you would trust code).
    args, kwargs
        Inputs of one call, by default the program's own example inputs. They are copied; fake ones become real.
    seed
        Both sides draw the same random numbers from it.
    pins
        Pairs of node names that are known to correspond.

    Returns
    -------
    Numerics
        ``str(result)`` is the verdict, `first` the first guilty node, `table` one row per pair. Nested graphs are compared
        too, each iteration of a loop. Values are dropped when nothing needs them any more.

    Raises
    ------
    StageError
        A program cannot be run, or the inputs do not fit it.
    MissingDependencyError
        torch is not installed.
    """
    _require_torch()
    from graphlens.stages.numerics.repro import write_repro
    from graphlens.stages.numerics.run import Inputs, run_both
    from graphlens.stages.numerics.subject import example_inputs, subject_of

    if not isinstance(args, tuple | list):
        raise StageError(f"args is a {type(args).__name__}; give the positional inputs as a tuple, (x,)")
    left, right = subject_of(a, "a"), subject_of(b, "b")
    given, named = (tuple(args), dict(kwargs or {})) if args or kwargs else example_inputs(left, right)
    inputs = Inputs(args=given, kwargs=named, seed=seed)
    found = run_both(left, right, inputs, pins)

    def write(row: NodeRow, path: Path) -> Path:
        return write_repro(left, right, inputs, pins, row, path)

    return Numerics(
        program_a=left.program,
        program_b=right.program,
        rows=found.rows,
        output_rows=found.outputs,
        failure=found.failure,
        interrupted=found.interrupted,
        write_repro=write,
    )


def _require_torch() -> None:
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            f"running programs needs torch >= 2.9 ({error}); pip install 'graphlens[torch]'"
        ) from error
