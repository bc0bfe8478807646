"""Watched: what each pass of a pipeline made of a graph. Imports neither torch nor pandas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from msgspec import Struct

from graphlens.program.display import Displayable
from graphlens.program.program import Program
from graphlens.stages import tables
from graphlens.stages.rows import MISMATCH_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

    from graphlens.diff import Diff

START = "start"
"""The name of the program before the first pass."""


class NodeEvent(Struct, frozen=True):
    """One node that a pass ``created``, ``erased`` or ``replaced``; `by` is the line that did it, `now` what replaced it."""

    step: str
    event: str
    node: str
    target: str
    by: str
    now: str = ""


class PassRow(Struct, frozen=True, kw_only=True):
    """One pass: how long it took in seconds, and how many nodes there were after it, nested graphs included."""

    step: str
    status: str
    seconds: float
    nodes: int | None = None
    created: int = 0
    erased: int = 0
    replaced: int = 0
    error: str = ""


@dataclass
class Log:
    """What a watch has written down so far."""

    programs: dict[str, Program] = field(default_factory=dict)
    rows: list[PassRow] = field(default_factory=list)
    events: list[NodeEvent] = field(default_factory=list)
    diffs: dict[str, Diff] = field(default_factory=dict)


class Watched(Displayable):
    """What `graphlens.watch` saw; a context manager that is entered once."""

    def __init__(self, source: Any, depth: int = 1) -> None:
        from graphlens.stages.watch.watcher import Watcher

        self._log = Log()
        self._watcher = Watcher(source, depth, self._log)
        self.name: str = self._watcher.name

    def __enter__(self) -> Self:
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watcher.stop(error)

    @property
    def programs(self) -> Mapping[str, Program]:
        """``"start"`` and then each pass, in order, to the Program after it: N passes give N + 1 programs."""
        return dict(self._log.programs)

    @property
    def diffs(self) -> Mapping[str, Diff]:
        """The diff that each pass made, by its name: N passes give N diffs."""
        from graphlens.diff import compare

        made, names = self._log.diffs, list(self._log.programs)
        for then, now in pairwise(names):
            if now not in made:
                made[now] = compare(self._log.programs[then], self._log.programs[now])
        return dict(made)

    @property
    def ok(self) -> bool:
        """No pass raised and none made a difference that is ``wrong_result``."""
        clean = all(row.status == "ok" for row in self._log.rows)
        return clean and all(diff.worst != "wrong_result" for diff in self.diffs.values())

    @property
    def passes(self) -> pd.DataFrame:
        """One row per pass: ``step status seconds nodes created erased replaced error``."""
        return tables.frame(self._log.rows, PassRow.__struct_fields__)

    @property
    def events(self) -> pd.DataFrame:
        """One row per node created, erased or replaced: ``step event node target by now``."""
        return tables.frame(self._log.events, NodeEvent.__struct_fields__)

    @property
    def mismatches(self) -> pd.DataFrame:
        """The mismatches of all diffs, in order of the passes, with the pass in the first column."""
        return tables.joined("step", {step: diff.mismatches for step, diff in self.diffs.items()}, MISMATCH_COLUMNS[1:])

    @property
    def verdict(self) -> str:
        """What the passes did, one line each."""
        rows, diffs = self._log.rows, self.diffs
        lines = [f"{self.name}: {len(rows)} pass{'es' * (len(rows) != 1)}"]
        for row in rows:
            counts = f"{row.created} created, {row.erased} erased, {row.replaced} replaced"
            what = diffs[row.step].verdict if row.step in diffs else row.error
            lines.append(
                f"  {row.step}: {counts}: {what}" if row.status == "ok" else f"  {row.step}: {row.status}: {what}"
            )
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.verdict

    def __repr__(self) -> str:
        return f"<graphlens.Watched {self.name}: {len(self._log.rows)} passes>"

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return {
            "kind": "watched",
            "name": self.name,
            "ok": self.ok,
            "verdict": self.verdict,
            "passes": [tables.plain(row) for row in self._log.rows],
            "events": [tables.plain(event) for event in self._log.events],
            "diffs": {step: diff.to_dict() for step, diff in self.diffs.items()},
        }
