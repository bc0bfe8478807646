"""Numerics: where two programs part. Imports neither torch nor pandas by itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from graphlens.errors import MissingDependencyError, StageError
from graphlens.program.display import Displayable
from graphlens.program.program import Program
from graphlens.stages.failure import Failure
from graphlens.stages.numerics.rows import (
    ERROR_COLUMNS,
    OUTPUT_COLUMNS,
    TABLE_COLUMNS,
    NodeRow,
    OutputRow,
    badness,
    table_values,
)

if TYPE_CHECKING:
    import pandas as pd

_CALLS = ("call_function", "call_method", "call_module")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Numerics(Displayable):
    """The result of `graphlens.numerics`: every pair of values that both programs have, in the order of `a`.

    `program_a`, `program_b` are the two programs; `failure` says what was raised where a program could not be run to
    its end.
    """

    program_a: Program
    program_b: Program
    rows: tuple[NodeRow, ...]
    output_rows: tuple[OutputRow, ...] = ()
    failure: Failure | None = None
    interrupted: bool = False
    write_repro: Callable[[NodeRow, Path], Path] | None = None

    @property
    def ok(self) -> bool:
        """Both ran to their end, every pair and every output is bit-equal."""
        done = not self.interrupted and self.failure is None
        pairs = [*(row.error for row in self.rows), *(row.error for row in self.output_rows)]
        return done and all(error.equal for error in pairs)

    @property
    def first(self) -> NodeRow | None:
        """The first node that departs on its own; `None` where none does.

        That is the first whose local error is more than rounding; where there is none, the first that draws other random
        numbers; then the first whose local error is rounding; where local errors are not known, the first that differs.
        """
        for statuses in (("departs", "failed"), ("random",), ("rounding",), ("unknown", "incomparable")):
            found = next((row for row in self.rows if row.status in statuses and not row.error.equal), None)
            if found is not None:
                return found
        return None

    @property
    def programs(self) -> Mapping[str, Program]:
        """The two programs, as ``a`` and ``b``."""
        return {"a": self.program_a, "b": self.program_b}

    @cached_property
    def ranks(self) -> Mapping[int, int]:
        """Rank by local error (1 departs most) of each row that has one, by its position."""
        guilty = [(badness(row), -i) for i, row in enumerate(self.rows) if badness(row) > 0]
        return {-i: rank for rank, (_, i) in enumerate(sorted(guilty, reverse=True), start=1)}

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per aligned pair of nodes and iteration, in the order of `a`; `Difference` says what the columns mean.

        ``graph node_a node_b target_a target_b module source iteration match status rank bit_equal``, the error on each
        side's own inputs (``numel differ max_abs mean_abs max_rel mean_rel rms_rel max_ulp cosine sqnr nan inf worst``),
        the error of `b` on the inputs of `a` (``local_equal local_max_abs local_mean_abs local_max_rel local_rms_rel
        local_max_ulp local_cosine local_sqnr``), ``deterministic random shape dtype absorbed note``.

        `status`: ``equal``; ``inherited`` (nothing of its own); ``rounding``; ``random`` (it draws other random numbers);
        ``departs``; ``unknown`` (its inputs have no counterpart); ``incomparable``; ``failed``. `iteration` counts the calls of a nested graph from 0, outer loops
        first (``2.0``). `absorbed` names nodes without a counterpart that the local error includes.
        """
        import pandas as pd

        records = [table_values(row, self.ranks.get(i)) for i, row in enumerate(self.rows)]
        table = pd.DataFrame(records, columns=list(TABLE_COLUMNS))
        for column in ("rank", "max_ulp", "local_max_ulp"):  # whole numbers stay whole beside empty cells
            at = TABLE_COLUMNS.index(column)
            table[column] = pd.Series([record[at] for record in records], dtype="object")
        return table

    @cached_property
    def suspects(self) -> pd.DataFrame:
        """The rows of `table` with an error of their own, worst first."""
        table = self.table
        return table[table["rank"].notna()].sort_values("rank").reset_index(drop=True)

    @cached_property
    def outputs(self) -> pd.DataFrame:
        """One row per leaf of what the programs return: ``leaf bit_equal``, the errors, ``shape dtype note``."""
        import pandas as pd

        records = [
            (row.leaf, row.error.equal, *(getattr(row.error, n) for n in ERROR_COLUMNS), row.shape, row.dtype, row.error.note)
            for row in self.output_rows
        ]  # fmt: skip
        return pd.DataFrame(records, columns=list(OUTPUT_COLUMNS))

    @cached_property
    def coverage(self) -> Mapping[str, int]:
        """How much could be held against something: ``calls`` of `a` in the graphs that ran, ``compared`` of them."""
        graphs = {"", *(row.graph for row in self.rows)}
        calls = {
            (path, node.name)
            for path in graphs
            for node in self.program_a.graphs[path].nodes
            if node.op in _CALLS
        } if self.rows else set()  # fmt: skip
        return {"calls": len(calls), "compared": len(calls & {(row.graph, row.node_a) for row in self.rows})}

    def find(self, node: str, iteration: str | None = None) -> NodeRow:
        """The row of a node of either side by name, or by graph path and name (``cond.true_fn:mul``).

        Without `iteration`, the first one that differs, or the first.

        Raises
        ------
        StageError
            No value of such a node was compared.
        """
        path, _, name = node.rpartition(":")
        found = [
            row
            for row in self.rows
            if name in (row.node_a, row.node_b) and path in ("", row.graph) and iteration in (None, row.iteration)
        ]
        if not found:
            raise StageError(
                f"no value of a node {node!r} was compared" + (f" in iteration {iteration}" if iteration else "")
            )
        return next((row for row in found if not row.error.equal), found[0])

    def repro(
        self, node: str | NodeRow | None = None, path: str | Path = "repro.py", iteration: str | None = None
    ) -> Path:
        """Write a standalone script that shows one node's difference, with its inputs in a ``.pt`` file beside it.

        Parameters
        ----------
        node
            A row, or the name of a node as `find` takes it; the first guilty one by default.
        path
            The script.
        iteration
            Which call of a nested graph.

        Raises
        ------
        StageError
            No node differs, or there is no such row.
        """
        row = node if isinstance(node, NodeRow) else self.find(node, iteration) if node is not None else self.first
        if row is None:
            raise StageError("no node differs: there is nothing to reproduce")
        if self.write_repro is None:
            raise StageError("the programs are not at hand any more")
        return self.write_repro(row, Path(path))

    def plot(self, ax: Any = None) -> Any:
        """Draw the relative error along the program: inherited, and local; return the matplotlib axes.

        Raises
        ------
        MissingDependencyError
            matplotlib is not installed.
        """
        try:
            import matplotlib.pyplot as plt
        except ImportError as error:
            raise MissingDependencyError(f"a plot needs matplotlib ({error}); pip install 'graphlens[plot]'") from error
        if ax is None:
            _, ax = plt.subplots(figsize=(9, 3.5))
        for label, values, style in (
            ("on its own inputs", [row.error.rms_rel for row in self.rows], "-"),
            ("local", [row.local.rms_rel if row.local else None for row in self.rows], "o"),
        ):
            ax.plot([v if v else math.nan for v in values], style, label=label, markersize=3, linewidth=1)
        if self.first is not None:
            at = next(i for i, row in enumerate(self.rows) if row is self.first)
            ax.axvline(at, color="tab:red", linewidth=1, label=f"first: {self.first.node_a or self.first.node_b}")
        ax.set(xlabel="node, in the order of a", ylabel="relative error", yscale="log")
        ax.legend(loc="best", fontsize="small")
        return ax

    @property
    def verdict(self) -> str:
        """Where the two programs part, in a few lines."""
        from graphlens.stages.numerics.wording import verdict_text

        return verdict_text(self)

    def __str__(self) -> str:
        return self.verdict

    def __repr__(self) -> str:
        return f"<graphlens.Numerics: {self.verdict.splitlines()[0]}>"

    def to_dict(self) -> dict[str, Any]:
        """Everything but the programs, JSON-ready; infinite and undefined numbers are text."""
        first = self.first
        data = {
            "verdict": self.verdict,
            "ok": self.ok,
            "first": None if first is None else to_builtins(first),
            "coverage": dict(self.coverage),
            "rows": [to_builtins(row) for row in self.rows],
            "outputs": [to_builtins(row) for row in self.output_rows],
            "failure": None if self.failure is None else to_builtins(self.failure),
            "interrupted": self.interrupted,
        }
        for holder in _holders(data):
            for key, value in holder.items():
                if isinstance(value, float) and not math.isfinite(value):
                    holder[key] = str(value)
        return data


def _holders(data: Any) -> Iterator[dict[str, Any]]:
    """Every dict in nested dicts and lists."""
    stack = [data]
    while stack:
        top = stack.pop()
        if isinstance(top, dict):
            yield top
            stack.extend(top.values())
        elif isinstance(top, list):
            stack.extend(top)
