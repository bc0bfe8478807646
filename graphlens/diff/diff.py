"""What a comparison gives: rows, evidence, proof, and one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphlens.diff.alignment import Alignment
from graphlens.diff.evidence import node_rows
from graphlens.diff.explain import explain
from graphlens.diff.left_out import keep
from graphlens.diff.modules import LoneModule, lone_modules
from graphlens.diff.patterns import make_patterns
from graphlens.diff.proof import Proof
from graphlens.diff.quality import Quality, quality
from graphlens.diff.rows import Mismatch, NodeRow, Pattern, Severity, rank
from graphlens.diff.selectors import check_only
from graphlens.diff.settings import DEFAULTS, Settings
from graphlens.diff.severity import Selector, selects
from graphlens.diff.verdict import roots, verdict
from graphlens.errors import DiffError
from graphlens.program.collector import without_collector
from graphlens.program.display import Displayable
from graphlens.program.line import display
from graphlens.program.program import Program

if TYPE_CHECKING:
    import pandas as pd

    from graphlens.diff.junit import Never


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class Diff(Displayable):
    """The differences between two programs.

    Attributes
    ----------
    a, b
        The two programs; `None` in a diff that was read back from JSON without them.
    rows
        The differences as data; `mismatches` is the same as a table.
    proof
        In which sense the two are the same, as the checker decided it.
    alignment
        Which node became which, and why.
    ignored
        How many rows were left out because the user asked for it.
    """

    a: Program | None
    b: Program | None
    alignment: Alignment | None
    proof: Proof
    rows: tuple[Mismatch, ...]
    settings: Settings = DEFAULTS
    ignored: int = 0
    stored: Mapping[str, Any] = field(default_factory=dict)

    @property
    def profile(self) -> str:
        """Which contract was compared."""
        return self.settings.profile

    @property
    def ok(self) -> bool:
        """Whether there is no difference: no row, and the checker says same (or every row was ignored on request).

        With ``profile="pytorch"``, whether PyTorch's own test passes.
        """
        if self.rows:
            return False
        return self.profile == "pytorch" or self.proof.same or (self.ignored > 0 and self.proof.level == "different")

    @property
    def worst(self) -> Severity | None:
        """The worst severity among the root differences; `None` without rows."""
        return min((row.severity for row in roots(self.rows)), key=rank, default=None)

    @cached_property
    def verdict(self) -> str:
        """One sentence: the level, the counts, the worst difference."""
        return display(str(self.stored["verdict"]) if "verdict" in self.stored else verdict(self))

    @cached_property
    def node_rows(self) -> tuple[NodeRow, ...]:
        """One row per matched pair, group, ambiguous class and unmatched node, as data."""
        if self.a is None or self.b is None or self.alignment is None:
            return tuple(self.stored.get("nodes", ()))
        return node_rows(self.a, self.b, self.alignment, self.rows)

    @cached_property
    def pattern_rows(self) -> tuple[Pattern, ...]:
        """One row per distinct edit, as data."""
        if "patterns" in self.stored:
            return tuple(self.stored["patterns"])
        with without_collector():
            return make_patterns(self.rows, self.a, self.b)

    @cached_property
    def lone_modules(self) -> tuple[LoneModule, ...]:
        """The modules that only one side has as a whole (a removed layer), as data."""
        if "modules" in self.stored:
            return tuple(self.stored["modules"])
        return lone_modules(self.rows, self.a, self.b)

    @cached_property
    def mismatches(self) -> pd.DataFrame:
        """One row per difference: ``graph node_a node_b target module source field kind severity cause a b``."""
        from graphlens.diff.tables import mismatch_table

        return mismatch_table(self.rows)

    @cached_property
    def nodes(self) -> pd.DataFrame:
        """One row per matched node, group or unmatched node: ``graph node_a node_b target_a target_b match confidence fields``."""
        from graphlens.diff.tables import node_table

        return node_table(self.node_rows)

    @cached_property
    def patterns(self) -> pd.DataFrame:
        """One row per distinct edit: ``pattern count regions changed only_a only_b rewired severity example_a example_b``."""
        from graphlens.diff.tables import pattern_table

        return pattern_table(self.pattern_rows)

    @cached_property
    def quality(self) -> Quality:
        """Counts that need no truth, of how well the two were aligned."""
        if self.a is None or self.b is None or self.alignment is None:
            stored: Quality = self.stored.get("quality", Quality())
            return stored
        return quality(self.a, self.b, self.alignment)

    def summary(self) -> pd.DataFrame:
        """Count the rows by severity, kind, field and module: ``by value rows roots nodes``."""
        from graphlens.diff.tables import summary_table

        return summary_table(self.rows)

    def by_module(self) -> pd.DataFrame:
        """Count the rows of each module, one column per severity, then all ``rows`` and ``roots``; the worst roots first.

        The module ``""`` holds what lies in no module: rows of the program itself, inputs, nodes of the outermost one.
        """
        from graphlens.diff.tables import module_table

        return module_table(self.rows)

    def only(self, *fields: Selector) -> Diff:
        """Return the same diff with the rows of these fields only; the others count as ignored.

        Raises
        ------
        DiffError
            Something given is neither a field nor a pair of field and kind, or nothing knows such a field.
        """
        check_only(fields, self.rows, (self.a, self.b))
        kept = keep(self.rows, lambda row: any(selects(s, row.field, row.kind) for s in fields))
        stored = {key: value for key, value in self.stored.items() if key not in ("verdict", "patterns", "modules")}
        return replace(self, rows=kept, ignored=self.ignored + len(self.rows) - len(kept), stored=stored)

    def explain(self, node: str | tuple[str, str]) -> str:
        """Say in words why a node was matched as it was, what the evidence is and what differs.

        Parameters
        ----------
        node
            A name, ``"graph path:name"``, or a pair of graph path and name; of `a`, else of `b`.

        Raises
        ------
        DiffError
            There is no such node, or the diff was read back without its programs.
        """
        if self.a is None or self.b is None or self.alignment is None:
            raise DiffError(
                "this diff was read back without its programs; give them to Diff.from_json(text, a=..., b=...)"
            )
        return explain(self.a, self.b, self.alignment, self.rows, node)

    def to_text(self, limit: int = 30) -> str:
        """Write the diff for a terminal or a review: verdict, proof, then at most `limit` folded lines."""
        from graphlens.diff.text import to_text

        return to_text(self, limit)

    def to_markdown(self, limit: int = 50) -> str:
        """Write the diff as GitHub-flavoured Markdown, at most `limit` folded rows."""
        from graphlens.diff.markdown import to_markdown

        return to_markdown(self, limit)

    def to_junit(self, fail_on: Severity | Never = "cosmetic") -> str:
        """Write the diff as JUnit XML: one test per field and graph, failed by roots of `fail_on` or worse (or ``"never"``)."""
        from graphlens.diff.junit import to_junit

        return to_junit(self, fail_on)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON-ready data."""
        from graphlens.diff.serial import to_dict

        return to_dict(self)

    def to_json(self, path: str | Path | None = None) -> str:
        """Return the diff as JSON text, and write it to `path` if one is given."""
        from graphlens.diff.serial import to_json

        return to_json(self, path)

    @classmethod
    def from_json(cls, source: str | bytes | Path, *, a: Program | None = None, b: Program | None = None) -> Diff:
        """Read what `to_json` wrote, from text or from a file.

        Parameters
        ----------
        source
            The JSON text, or a `Path`.
        a, b
            The programs that were compared, to get `explain` and `view` back; they are checked by their digests.

        Raises
        ------
        DiffError
            The text is not a diff, or the programs are not the ones that were compared.
        """
        from graphlens.diff.serial import from_json

        return from_json(source, a, b)

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        return f"<graphlens.Diff {'ok' if self.ok else self.worst or self.proof.level}: {len(self.rows)} rows>"
