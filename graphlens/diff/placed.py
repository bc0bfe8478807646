"""A finding with its place in two programs."""

from __future__ import annotations

from msgspec import Struct, structs

from graphlens.diff.matching import GraphMatch
from graphlens.diff.rows import Finding
from graphlens.program.graph import Node


class Placed(Struct, frozen=True, gc=False):
    """A finding with the nodes it is about. `graph_b` is the path in `b` where there is one."""

    graph: str
    graph_b: str | None
    a: Node | None
    b: Node | None
    finding: Finding

    def inherited(self, source: str) -> Placed:
        """Return the same, following from the node `source`."""
        return structs.replace(self, finding=structs.replace(self.finding, inherited_from=source))


def place(match: GraphMatch, a: Node | None, b: Node | None, finding: Finding) -> Placed:
    """Place a finding in a matched pair of graphs."""
    return Placed(match.path_a, match.path_b, a, b, finding)
