"""The public functions: each takes anything that `read` takes, and hands plain Programs to the room that does the work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphlens.read import read

if TYPE_CHECKING:
    from graphlens.diff import Diff
    from graphlens.stages import RoundTrip
    from graphlens.view import GraphView

__all__ = ["diff", "read", "report", "roundtrip", "view"]


def diff(a: Any, b: Any, *, profile: str = "all", **options: Any) -> Diff:
    """Compare two programs and say what became of each node.

    Parameters
    ----------
    a, b
        Anything that `read` takes: ExportedProgram, GraphModule, fx.Graph, the path of a ``.pt2``, Program.
    profile
        ``"all"``, or ``"pytorch"`` for the contract of PyTorch's own serialization test.
    **options
        Passed on to `graphlens.diff.compare`: `pins`, `severities`, `ignore`, `stack_trace`, `weights`.

    Returns
    -------
    Diff
        ``str(diff)`` is the verdict, ``diff.mismatches`` one row per difference.

    Raises
    ------
    GraphLensError
        A source cannot be read, or the options contradict each other or the programs.
    """
    from graphlens.diff import compare

    return compare(read(a), read(b), profile=profile, **options)


def view(source: Any, *, expand: int = 1, **options: Any) -> GraphView:
    """Show a program, diff or round trip as a widget; as static SVG and text where widgets cannot run.

    Parameters
    ----------
    source
        Anything that `read` takes, or a result of graphlens.
    expand
        How many levels of modules and nested graphs stand open at first.
    """
    from graphlens.view import view as show

    return show(_viewable(source), expand=expand, **options)


def report(source: Any, path: str | Path, **options: Any) -> Path:
    """Write one self-contained HTML file about `source` and return its path.

    `source` is anything that `read` takes, a result of graphlens, or a sequence of those. The file opens from disk
    with no network. It is written to a temporary file and renamed, so a failure leaves an older report as it was.
    """
    from graphlens.view import report as write

    if isinstance(source, Sequence) and not isinstance(source, str | bytes):
        return write([_viewable(item) for item in source], path, **options)
    return write(_viewable(source), path, **options)


def roundtrip(
    model: Any,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    **options: Any,
) -> RoundTrip:
    """Put a model through export, decompositions and save/load, and say whether the answer is still the same.

    See `graphlens.stages.roundtrip` for the options.
    """
    from graphlens.stages import roundtrip as run

    return run(model, args, kwargs, **options)


def _viewable(source: Any) -> Any:
    """Leave results of graphlens as they are; read everything else."""
    from graphlens.program.display import Displayable

    return source if isinstance(source, Displayable) else read(source)
