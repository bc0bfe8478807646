"""The search: which node became which. It proposes pairs with their evidence and never says that two things are the same."""

from __future__ import annotations

from collections.abc import Sequence

from graphlens.diff.alignment import Alignment
from graphlens.diff.search.programs import align_programs
from graphlens.diff.search.unchanged import unchanged
from graphlens.program.collector import without_collector
from graphlens.program.program import Program

Pin = tuple[str, str]


def align(a: Program, b: Program, *, pins: Sequence[Pin] = ()) -> Alignment:
    """Propose which node of `a` became which node of `b`, in every graph.

    Parameters
    ----------
    a, b
        Two programs.
    pins
        Pairs ``(node of a, node of b)`` that are taken as given and come first. A node of a nested graph is written with
        its graph path, ``cond.true_fn:add`` or ``cond.true_fn/add``.

    Returns
    -------
    Alignment
        Pairs, groups and ambiguous nodes with their evidence; what has no counterpart; which symbol became which.

    Raises
    ------
    DiffError
        A pin that names no node, names one twice, or contradicts another.
    """
    with without_collector():
        same = None if pins else unchanged(a, b)
        return align_programs(a, b, tuple(pins)) if same is None else same
