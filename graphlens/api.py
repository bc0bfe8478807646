"""The public functions: each takes anything that `read` takes, and hands plain Programs to the room that does the work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphlens.read import read

if TYPE_CHECKING:
    from graphlens.diff import Diff, ManyDiff
    from graphlens.stages import RoundTrip
    from graphlens.stages.capture import Capture
    from graphlens.stages.numerics import Numerics
    from graphlens.view import GraphView

__all__ = ["capture", "diff", "diff_many", "numerics", "read", "report", "roundtrip", "view"]


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


def diff_many(sources: Sequence[Any], *, names: Sequence[str] | None = None, **options: Any) -> ManyDiff:
    """Compare several programs with the first of them: the ranks of a job, the stages of a pipeline.

    Parameters
    ----------
    sources
        Two or more of what `read` takes; the first is the reference.
    names
        What to call them in the tables.
    **options
        As in `diff`.
    """
    from graphlens.diff import compare_many

    return compare_many([read(source) for source in sources], names, **options)


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


def numerics(
    a: Any,
    b: Any,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    **options: Any,
) -> Numerics:
    """Run two programs side by side, compare every value that both have, and name the first node that departs on its own.

    Parameters
    ----------
    a, b
        The reference and the other: ExportedProgram, GraphModule, or the path of a ``.pt2``. They are run: trust an archive
        as you would trust code.
    args, kwargs
        Inputs of one call, by default the program's own example inputs.
    **options
        Passed on to `graphlens.stages.numerics.numerics`: `seed`, `pins`.

    Returns
    -------
    Numerics
        ``str(result)`` is the verdict, ``result.first`` the first guilty node, ``result.table`` one row per pair of nodes.
    """
    from graphlens.stages.numerics import numerics as run

    return run(a, b, args, kwargs, **options)


def capture(**options: Any) -> Capture:
    """Record what torch.compile does in a block: ``with graphlens.capture() as cap: compiled(x)``.

    Parameters
    ----------
    **options
        ``aot=True`` keeps AOTAutograd's graphs too; see `graphlens.stages.capture.capture`.

    Returns
    -------
    Capture
        ``str(cap)`` is the verdict; graphs, frames, breaks, recompiles and the timeline are DataFrames.
    """
    from graphlens.stages.capture import capture as listen

    return listen(**options)


def _viewable(source: Any) -> Any:
    """Leave results of graphlens as they are; read everything else."""
    from graphlens.program.display import Displayable

    return source if isinstance(source, Displayable) else read(source)
