"""Watching passes: a Program before the first one and after each, and every node that they create, erase or replace.

>>> with graphlens.watch(graph_module) as watched:
...     fold(graph_module)
...     manager(graph_module)
>>> watched.passes, watched.mismatches, watched.events
"""

from __future__ import annotations

from typing import Any

from graphlens.stages.watch.result import NodeEvent, PassRow, Watched

__all__ = ["NodeEvent", "PassRow", "Watched", "watch"]


def watch(source: Any, *, depth: int = 1) -> Watched:
    """Watch the passes that run inside a `with` block.

    A pass is a function that is called from inside the block and is given the graph module, its graph, or the
    ExportedProgram around it. What a pass manager calls (any callable with a list of `passes`) is a pass each. Where a
    pass returns another graph module, that one is watched from then on.

    Parameters
    ----------
    source
        A GraphModule, or an ExportedProgram.
    depth
        How many calls below the block a pass stands: 2 sees the passes that a function of your own calls.

    Returns
    -------
    Watched
        Its tables are filled when the block has ended. What a pass raises goes on to the user unchanged.

    Raises
    ------
    StageError
        `source` holds no graph, or the block is entered twice.
    """
    from graphlens.stages.roundtrip import require_torch

    require_torch()
    return Watched(source, depth)
