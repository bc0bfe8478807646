"""The pairs found so far for one pair of graphs, and on what evidence."""

from __future__ import annotations

from graphlens.diff.search.table import Table


class Match:
    """A growing one-to-one map between the nodes of two tables.

    `mate_a[i]` is the partner of node `i` of `a` or ``-1``, `mate_b` the other way; `how[i]` names the evidence,
    `confidence[i]` its weight.
    """

    __slots__ = ("a", "b", "confidence", "how", "mate_a", "mate_b", "notes", "order")

    def __init__(self, a: Table, b: Table) -> None:
        self.a, self.b = a, b
        self.mate_a = [-1] * len(a)
        self.mate_b = [-1] * len(b)
        self.how: list[str] = [""] * len(a)
        self.confidence: list[float] = [0.0] * len(a)
        self.notes: dict[int, tuple[str, ...]] = {}
        self.order: list[int] = []

    def pair(self, i: int, j: int, how: str, confidence: float) -> bool:
        """Pair two nodes unless one of them is taken."""
        if self.mate_a[i] >= 0 or self.mate_b[j] >= 0:
            return False
        self.mate_a[i] = j
        self.mate_b[j] = i
        self.how[i] = how
        self.confidence[i] = confidence
        self.order.append(i)
        return True

    def complete(self) -> bool:
        """Whether every node of both sides has a partner."""
        return len(self.order) == len(self.mate_a) == len(self.mate_b)

    def anchors(self) -> tuple[list[int], list[int]]:
        """Return one number per pair for `a` and for `b`, ``-1`` where a node has no partner."""
        return [i if j >= 0 else -1 for i, j in enumerate(self.mate_a)], list(self.mate_b)
