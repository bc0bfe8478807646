"""Preflight: the problems as data, a table and a sentence. Imports neither torch nor pandas."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from graphlens.program.display import Displayable
from graphlens.stages import tables

if TYPE_CHECKING:
    import pandas as pd

SAVE = "cannot be saved"
LOAD = "cannot be loaded"
CHANGE = "loads as something else"
NEEDS = "needs something where it is loaded"
_ORDER = (SAVE, LOAD, CHANGE, NEEDS)


class Problem(Struct, frozen=True):
    """One problem: where it is (a node with its line, a tensor, a pytree), what follows, why, and what to do."""

    where: str
    consequence: str
    reason: str
    advice: str


@dataclass(frozen=True, eq=False, repr=False)
class Preflight(Displayable):
    """What `graphlens.preflight` found, in order of the checks."""

    found: tuple[Problem, ...]
    name: str = "preflight"

    @property
    def ok(self) -> bool:
        """It can be saved and loaded here, and comes back as it was."""
        return all(problem.consequence == NEEDS for problem in self.found)

    @cached_property
    def problems(self) -> pd.DataFrame:
        """One row per problem, worst first: ``where consequence reason advice``."""
        ordered = sorted(self.found, key=lambda problem: _ORDER.index(problem.consequence))
        return tables.frame(ordered, Problem.__struct_fields__)

    @property
    def verdict(self) -> str:
        """Whether it can be saved and loaded, and one line per problem."""
        head = "can be saved and loaded here" if self.ok else "cannot be trusted to save and load"
        lines = [
            f"{problem.where}: {problem.consequence}: {problem.reason}; {problem.advice}" for problem in self.found
        ]
        return "\n  ".join([head, *lines])

    def __str__(self) -> str:
        return self.verdict

    def __repr__(self) -> str:
        return f"<graphlens.Preflight: {len(self.found)} problems>"

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return {
            "kind": "preflight",
            "ok": self.ok,
            "verdict": self.verdict,
            "problems": [tables.plain(p) for p in self.found],
        }
