"""What the checker has found so far."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from graphlens.diff.proof import Refusal

MAX_REFUSALS = 200_000


@dataclass
class Findings:
    """A notebook that the parts of the checker write in: counts, rules used, what was refused or left open."""

    nodes: int = 0
    edges: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    assumptions: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    refusals: list[Refusal] = field(default_factory=list)
    names: tuple[dict[str, str], dict[str, str]] = field(default_factory=lambda: ({}, {}))

    def renames(self, x: str, y: str) -> bool:
        """Whether what is called `x` in `a` may be what is called `y` in `b`: one to one with all that was asked before."""
        return self.names[0].setdefault(x, y) == y and self.names[1].setdefault(y, x) == x

    def refuse(self, graph: str, node_a: str, node_b: str, check: str, message: str) -> None:
        """Note something that is not accepted."""
        if len(self.refusals) < MAX_REFUSALS:
            self.refusals.append(Refusal(graph=graph, node_a=node_a, node_b=node_b, check=check, message=message[:300]))


def counted(notes: Counter[str]) -> tuple[str, ...]:
    """Write notes with their counts, in the order in which they were first made: ``text (3)``."""
    return tuple(text if count == 1 else f"{text} ({count})" for text, count in notes.items())
