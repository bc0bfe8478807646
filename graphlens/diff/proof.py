"""In which sense two programs are the same, as decided by `graphlens.diff.verify`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from graphlens.diff.rows import LONGEST_NAME, shorten
from graphlens.diff.wording import plural
from graphlens.program.frozen import EMPTY

IDENTICAL: Final = "identical"
UP_TO: Final = "identical up to"
DIFFERENT: Final = "different"
UNKNOWN: Final = "unknown"
DECOMPOSED: Final = "equal by torch's decomposition"  # given by graphlens.stages, which can run torch's tables
TESTED: Final = "tested equal"  # "tested equal on k inputs": evidence, never called a proof


class Refusal(Struct, frozen=True, kw_only=True):
    """One thing that the checker did not accept.

    `check` is one of ``pairs target arguments edge value subgraph signature outputs order storage symbols ranges guards
    constants pytree schema alignment``; `message` is for people. `node_a` or `node_b` is empty where there is none; `graph` is
    the graph path in `a` (in `b` where `a` has no such graph), ``"program"`` for the program level.
    """

    graph: str
    node_a: str
    node_b: str
    check: str
    message: str


class Proof(Struct, frozen=True, kw_only=True):
    """What was proved about two programs, and what the proof rests on.

    Attributes
    ----------
    level
        ``identical``: a total one-to-one map under which every operator, literal, edge, role, effect order, nested
        graph and constant agrees. ``identical up to``: the same after the exact `rules`. ``different``: something was
        refused. ``unknown``: nothing was refused and something could not be decided (`unknown`). Stages that can run
        torch may raise a level to ``equal by torch's decomposition`` or ``tested equal on k inputs``.
    rules
        Name of each exact rule that was needed, and how often.
    nodes, edges
        How many pairs of nodes, and how many operand edges, were compared.
    assumptions
        What was taken for granted.
    unknown
        What could not be decided, and why.
    refusals
        What was not accepted, in the order of the programs.
    """

    level: str
    rules: Mapping[str, int] = EMPTY
    nodes: int = 0
    edges: int = 0
    assumptions: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    @property
    def same(self) -> bool:
        """Whether the two are proved to be the same program, exactly or up to the rules."""
        return self.level in (IDENTICAL, UP_TO)

    def __str__(self) -> str:
        checked = f"{plural(self.nodes, 'node')} and {plural(self.edges, 'edge')} checked"
        if self.level == UP_TO:
            rules = ", ".join(f"{name} ({count})" for name, count in self.rules.items())
            text = f"identical up to {rules}; {checked}"
        elif self.level == DIFFERENT:
            first = self.refusals[0]
            node = shorten(first.node_a or first.node_b, LONGEST_NAME)
            message = shorten(first.message, 2 * LONGEST_NAME)
            where = f" at {node} ({message})" if node else f": {message}"
            count = len(self.refusals)
            text = f"different in {count:,} place{f's, the first{where}' if count > 1 else where}"
        elif self.level == UNKNOWN:
            text = f"unknown: {self.unknown[0]}" if self.unknown else "unknown"
        else:
            text = f"{self.level}; {checked}"
        return text + (f"; assuming {'; '.join(self.assumptions)}" if self.assumptions and self.same else "")

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return {
            "level": self.level,
            "rules": dict(self.rules),
            "nodes": self.nodes,
            "edges": self.edges,
            "assumptions": list(self.assumptions),
            "unknown": list(self.unknown),
            "refusals": [
                {"graph": r.graph, "node_a": r.node_a, "node_b": r.node_b, "check": r.check, "message": r.message}
                for r in self.refusals
            ],
        }
