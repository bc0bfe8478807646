"""Capture: what torch.compile did while a block ran."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from msgspec import Struct, to_builtins

from graphlens.errors import StageError
from graphlens.program.display import Displayable
from graphlens.program.program import Program
from graphlens.stages.capture import rows
from graphlens.stages.capture.recording import Recording
from graphlens.stages.capture.rows import GraphRow, RecompileRow

if TYPE_CHECKING:
    import pandas as pd

    from graphlens.diff import Diff

DYNAMO_KINDS = ("dynamo", "export")


class Capture(Displayable):
    """What torch.compile captured, broke on and compiled again while ``with gl.capture() as cap:`` was open.

    The tables can be read at any time, in the block and after it. `notices` says what could not be recorded here.
    A function that was compiled before the block and needs no compilation in it leaves nothing: call
    `torch._dynamo.reset()` first to see it compiled.
    """

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._open = contextlib.ExitStack()
        self._diffs: dict[tuple[str, str], Diff] = {}

    def __enter__(self) -> Self:
        from graphlens.stages.capture.session import listen

        self._open.enter_context(listen(self._recording))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def programs(self) -> Mapping[str, Program]:
        """Every captured graph by name: function and compile id, ``Model.forward 0/1``, of AOT with its part."""
        with self._recording.lock:
            return dict(self._recording.programs)

    @property
    def notices(self) -> tuple[str, ...]:
        """What this torch does not tell, or what could not be recorded."""
        return tuple(self._recording.notices)

    @property
    def graphs(self) -> pd.DataFrame:
        """One row per graph: ``name compile_id kind function source graphs nodes ops inputs outputs backend options ended_by thread``."""
        return _frame(self._recording.graphs, rows.GRAPH_COLUMNS)

    @property
    def frames(self) -> pd.DataFrame:
        """One row per frame that was compiled: ``compile_id function source status ops nodes inputs guards at seconds backend_seconds error thread``.

        Times are in seconds, `at` since the capture began.
        """
        return _frame(self._recording.frames, rows.FRAME_COLUMNS)

    @property
    def breaks(self) -> pd.DataFrame:
        """One row per graph break: ``compile_id function source line reason explanation hint outcome at thread stack``."""
        return _frame(self._recording.breaks, rows.BREAK_COLUMNS)

    @property
    def recompiles(self) -> pd.DataFrame:
        """One row per guard that failed: ``compile_id against function source guard user_line graph_a graph_b changes verdict``.

        `graph_a` is the graph that could not be used again, `graph_b` the one that was made instead; `changes` counts
        the differences between the two (`Capture.diff` has them), `verdict` says them in a sentence.
        """
        import pandas as pd

        found = [(row, *self._changed(row)) for row in self._recording.recompiles]
        records = [(r.compile_id, r.against, r.function, r.source, r.guard, r.user_line, *rest) for r, *rest in found]
        return pd.DataFrame(records, columns=list(rows.RECOMPILE_COLUMNS))

    @property
    def timeline(self) -> pd.DataFrame:
        """Everything in order of time: ``at seconds event compile_id function status detail thread``.

        `event`: ``compile`` (torch's own callbacks, from start to end), ``frame``, ``break``, ``recompile``, ``reset``.
        """
        from graphlens.stages.capture.timeline import timeline_table

        return timeline_table(self._recording)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many: ``frames failed graphs ops breaks recompiles compiles``; ops are those of Dynamo's graphs."""
        record = self._recording
        return {
            "frames": sum(row.status != "backward" for row in record.frames),
            "failed": sum(row.status == "failed" for row in record.frames),
            "graphs": sum(row.kind in DYNAMO_KINDS for row in record.graphs),
            "ops": sum(row.ops for row in record.graphs if row.kind in DYNAMO_KINDS),
            "breaks": len(record.breaks),
            "recompiles": len({(row.compile_id, row.at) for row in record.recompiles}),
            "compiles": len(record.spans),
        }

    def diff(self, a: str, b: str) -> Diff:
        """Compare two captured graphs by name.

        Raises
        ------
        StageError
            One of them was not captured; the message lists what was.
        """
        programs = self.programs
        for name in (a, b):
            if name not in programs:
                raise StageError(f"no captured graph is called {name!r}: there are {', '.join(programs) or 'none'}")
        if (a, b) not in self._diffs:
            from graphlens.diff import compare

            self._diffs[a, b] = compare(programs[a], programs[b])
        return self._diffs[a, b]

    def _graph_of(self, compile_id: str, row: RecompileRow, *, before: bool) -> str:
        """Name the graph of a compile id that was nearest to a recompile: ids begin anew after a reset."""
        found = [
            graph.name
            for graph in self._recording.graphs
            if graph.compile_id == compile_id and graph.kind in DYNAMO_KINDS and (graph.at < row.at) == before
        ]
        return found[-1 if before else 0] if found else ""

    def _changed(self, row: RecompileRow) -> tuple[str, str, int | None, str]:
        a, b = self._graph_of(row.against, row, before=True), self._graph_of(row.compile_id, row, before=False)
        if not a or not b:
            return a, b, None, "the earlier graph was made before this capture" if b else "no new graph was made"
        try:
            diff = self.diff(a, b)
        except Exception as error:  # noqa: BLE001 - a recompile is a row, whatever its graphs are
            return a, b, None, f"the graphs cannot be compared: {error}"
        return a, b, len(diff.mismatches), str(diff.verdict).split("\n", 1)[0]

    @property
    def diffs(self) -> Mapping[str, Diff]:
        """The diff of each recompile whose two graphs were captured, by their names: ``f 0/0 → f 0/1``."""
        pairs = [self._changed(row) for row in self._recording.recompiles]
        return {f"{a} → {b}": self.diff(a, b) for a, b, changes, _ in pairs if changes is not None}

    @property
    def verdict(self) -> str:
        """What torch.compile did, in a few lines."""
        from graphlens.stages.capture.timeline import verdict_text

        return verdict_text(self, self._recording)

    def __str__(self) -> str:
        return self.verdict

    def __repr__(self) -> str:
        counts = self.counts
        return f"<graphlens.Capture: {counts['graphs']} graphs, {counts['breaks']} breaks, {counts['recompiles']} recompiles>"

    def to_dict(self) -> dict[str, Any]:
        """Everything but the programs, JSON-ready."""
        record = self._recording
        tables: dict[str, Iterable[Struct]] = {
            "graphs": record.graphs,
            "frames": record.frames,
            "breaks": record.breaks,
            "recompiles": record.recompiles,
            "compiles": record.spans,
        }
        return {
            "verdict": self.verdict,
            "counts": dict(self.counts),
            **{name: [to_builtins(row) for row in table] for name, table in tables.items()},
            "notices": list(record.notices),
        }


def _frame(records: Iterable[GraphRow | Any], columns: tuple[str, ...]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame([[getattr(row, c) for c in columns] for row in tuple(records)], columns=list(columns))
