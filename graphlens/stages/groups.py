"""A diff whose rewritten groups were run on random inputs: what tested equal is no wrong result."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from msgspec import structs
from torch import fx

from graphlens.diff import Diff, Mismatch
from graphlens.stages.part import Judged, OpProof
from graphlens.stages.tested import run_groups, sides


def by_testing(before: Any, after: Any, diff: Diff) -> Judged:
    """Test the groups of a diff, and take back ``wrong_result`` from those that are equal on all inputs.

    Parameters
    ----------
    before, after
        The graph modules that the two programs of the diff were read from; anything else leaves the diff as it is.
    diff
        The diff of the two.
    """
    live = isinstance(before, fx.GraphModule) and isinstance(after, fx.GraphModule)
    if not live or diff.alignment is None or diff.a is None or diff.b is None:
        return Judged(diff)
    found: list[OpProof] = []
    equal: set[tuple[str, str]] = set()
    for path, group, outcome, reason in run_groups(diff.alignment, sides(before, diff.a), sides(after, diff.b)):
        fine = outcome.startswith("tested equal")
        target = ", ".join(dict.fromkeys(diff.a.graphs[path][name].target for name in group.a))
        found.append(
            OpProof(
                graph=path,
                node=", ".join(group.a),
                target=target,
                nodes_b=group.b,
                status=outcome if fine else "different" if outcome else "unknown",
                reason="" if fine else outcome or reason,
            )
        )
        if fine:
            equal |= {(path, name) for name in group.a}
    return Judged(replace(diff, rows=tuple(_eased(row, equal) for row in diff.rows)), tuple(found))


def _eased(row: Mismatch, equal: set[tuple[str, str]]) -> Mismatch:
    computes = row.field == "target" or row.field.startswith("val")
    if row.severity != "wrong_result" or not computes or (row.graph, row.node_a) not in equal:
        return row
    return structs.replace(row, severity="breaks_pass", aspect="tested equal")
