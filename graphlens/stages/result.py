"""RoundTrip: what a model's stages and runtimes left behind. Imports neither torch nor pandas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphlens.errors import StageError
from graphlens.program.display import Displayable
from graphlens.program.frozen import EMPTY
from graphlens.program.program import Program
from graphlens.stages import tables
from graphlens.stages.failure import Failure
from graphlens.stages.part import Judged, OpProof
from graphlens.stages.preflight.result import Problem
from graphlens.stages.rows import MISMATCH_COLUMNS, SEVERITIES, UNEQUAL, Finding, LeafRow, RuntimeRow, StageRow

if TYPE_CHECKING:
    import pandas as pd

    from graphlens.diff import Diff


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class RoundTrip(Displayable):
    """The result of `graphlens.roundtrip`.

    `programs` maps the name of each stage that ran to its Program; `failures` maps the name of each stage and runtime
    that raised to its `Failure` (with the whole traceback); `problems` maps a stage that could not save or load to
    everything that stands in its way.
    """

    name: str
    stage_rows: tuple[StageRow, ...]
    runtime_rows: tuple[RuntimeRow, ...] = ()
    leaf_rows: tuple[LeafRow, ...] = ()
    programs: Mapping[str, Program] = EMPTY
    findings: tuple[Finding, ...] = ()
    failures: Mapping[str, Failure] = EMPTY
    problems: Mapping[str, tuple[Problem, ...]] = EMPTY
    judges: Mapping[str, Callable[[Program, Program], Judged]] = EMPTY
    interrupted: bool = False

    @property
    def ok(self) -> bool:
        """Everything asked for ran or is unavailable here, every output is equal, no row is ``wrong_result``.

        Equal is bit-equal; for runtimes that compile or decompose, within rounding of the fp64 answer.
        """
        states = [row.status for row in self.stage_rows] + [row.status for row in self.runtime_rows]
        ran = all(status in ("ok", "unavailable") for status in states)
        equal = all(row.status not in UNEQUAL for row in self.leaf_rows)
        return ran and equal and not self.interrupted and self.worst != "wrong_result"

    @property
    def worst(self) -> str | None:
        """The worst severity of any root difference between stages; `None` without differences."""
        found = [finding.severity for finding in self.findings]
        found += [diff.worst for diff in self.diffs.values() if diff.worst is not None]
        return min(found, key=SEVERITIES.index, default=None)

    @cached_property
    def diffs(self) -> Mapping[str, Diff]:
        """The diff of each stage with the one it started from, by the name of the stage; made when first asked for."""
        pairs = [(row.stage, row.against) for row in self.stage_rows]
        return {stage: self.diff(start, stage) for stage, start in pairs if {stage, start} <= self.programs.keys()}

    @cached_property
    def _made(self) -> dict[tuple[str, str], Judged]:
        return {}

    def diff(self, a: str, b: str) -> Diff:
        """Compare the programs of two stages.

        Raises
        ------
        StageError
            One of them left no program; the message says which do.
        """
        for name in (a, b):
            if name not in self.programs:
                raise StageError(f"no program of a stage {name!r}: there are {', '.join(self.programs) or 'none'}")
        return self._judged(a, b).diff

    def _judged(self, a: str, b: str) -> Judged:
        if (a, b) not in self._made:
            from graphlens.diff import compare

            against = {row.stage: row.against for row in self.stage_rows}
            judge = self.judges.get(b) if against.get(b) == a else None
            one, two = self.programs[a], self.programs[b]
            self._made[a, b] = judge(one, two) if judge is not None else Judged(compare(one, two))
        return self._made[a, b]

    @cached_property
    def stages(self) -> pd.DataFrame:
        """One row per stage: ``stage status seconds graphs nodes error hint``."""
        return tables.frame(self.stage_rows, ("stage", "status", "seconds", "graphs", "nodes", "error", "hint"))

    @cached_property
    def runtimes(self) -> pd.DataFrame:
        """One row per runtime: ``runtime status prepare seconds leaves deterministic error hint``."""
        return tables.frame(self.runtime_rows, RuntimeRow.__struct_fields__)

    @cached_property
    def outputs(self) -> pd.DataFrame:
        """One row per runtime and leaf: ``runtime leaf status equal max_abs max_rel dtype shape error``."""
        return tables.frame(self.leaf_rows, LeafRow.__struct_fields__)

    @cached_property
    def proofs(self) -> pd.DataFrame:
        """One row per op that a stage rewrote: ``stage graph node target nodes_b status reason``.

        `status`: ``equal by torch's decomposition``, ``tested equal on k inputs``, ``different``, ``unknown``.
        """
        made = {stage: tables.frame(ops, OpProof.__struct_fields__) for stage, ops in self._proved().items()}
        return tables.joined("stage", made, OpProof.__struct_fields__)

    def _proved(self) -> Mapping[str, tuple[OpProof, ...]]:
        shown = self.diffs
        pairs = [(row.stage, row.against) for row in self.stage_rows if row.stage in self.judges and row.stage in shown]
        return {stage: self._judged(start, stage).ops for stage, start in pairs}

    @cached_property
    def mismatches(self) -> pd.DataFrame:
        """The mismatches of all stages, worst first, with the stage in the first column."""
        found = tables.frame(self.findings, MISMATCH_COLUMNS)
        made = tables.joined(
            "stage", {stage: diff.mismatches for stage, diff in self.diffs.items()}, MISMATCH_COLUMNS[1:]
        )
        told = set(zip(found["stage"], found["field"], strict=True))
        fresh = [pair not in told for pair in zip(made["stage"], made["field"], strict=True)]
        return tables.worst_first(tables.below(found, made[fresh]))

    @property
    def verdict(self) -> str:
        """What became of the model, in a few lines."""
        from graphlens.stages.verdict import verdict_text

        return verdict_text(self)

    def __str__(self) -> str:
        return self.verdict

    def __repr__(self) -> str:
        return f"<graphlens.RoundTrip {self.name}: {'ok' if self.ok else 'not ok'}>"

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return {
            "kind": "roundtrip",
            "name": self.name,
            "ok": self.ok,
            "worst": self.worst,
            "verdict": self.verdict,
            "interrupted": self.interrupted,
            "stages": [tables.plain(row) for row in self.stage_rows],
            "runtimes": [tables.plain(row) for row in self.runtime_rows],
            "outputs": [tables.plain(row) for row in self.leaf_rows],
            "findings": [tables.plain(finding) for finding in self.findings],
            "failures": {name: tables.plain(failure) for name, failure in self.failures.items()},
            "problems": {stage: [tables.plain(problem) for problem in found] for stage, found in self.problems.items()},
            "proofs": {stage: [tables.plain(op) for op in ops] for stage, ops in self._proved().items()},
            "diffs": {stage: diff.to_dict() for stage, diff in self.diffs.items()},
        }

    def report(self, path: str | Path, **options: Any) -> Path:
        """Write one self-contained HTML file and return its path."""
        from graphlens.view import report

        return report(self, path, **options)
