"""Several programs that should be one (ranks of a job, stages of a pipeline): who departs, and where."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from graphlens.diff.comparison import compare
from graphlens.diff.diff import Diff
from graphlens.diff.layers_text import ranges
from graphlens.diff.rows import Mismatch, rank
from graphlens.diff.verdict import roots
from graphlens.diff.wording import phrase, plural
from graphlens.errors import DiffError
from graphlens.program.display import Displayable
from graphlens.program.frozen import freeze
from graphlens.program.line import display
from graphlens.program.program import Program

if TYPE_CHECKING:
    import pandas as pd

_KEY_COLUMNS = ("graph", "node", "target", "module", "field", "severity", "departs")


_MOST_TOLD: Final = 3
_NUMBERED: Final = re.compile(r"(.*?)(\d{1,9})")


def named(names: Sequence[str]) -> str:
    """Write several names in short: ``rank1..2,4``, else one after the other."""
    parts = [_NUMBERED.fullmatch(name) for name in names]
    stems = {part[1] if part is not None and str(int(part[2])) == part[2] else None for part in parts}
    if len(names) > 2 and len(stems) == 1 and None not in stems:
        return f"{stems.pop()}{ranges({int(part[2]) for part in parts if part is not None}, most=len(names))}"
    return ", ".join(names)


def _where(diff: Diff) -> str:
    """Say where a program departs first, and how much more there is."""
    if not diff.rows:
        return f"is {diff.verdict}"
    counted = roots(diff.rows)
    first = min(counted, key=lambda row: rank(row.severity))
    more = f" (1 of {plural(len(counted), 'difference')})" if len(counted) > 1 else ""
    return f"first at {first.severity}{more}: {phrase(first)}"


@dataclass(frozen=True, repr=False, eq=False)
class ManyDiff(Displayable):
    """The differences of several programs from the first, or of each from the one before it."""

    names: tuple[str, ...]
    diffs: Mapping[str, Diff]
    against: str

    @property
    def ok(self) -> bool:
        """Whether no program departs."""
        return all(diff.ok for diff in self.diffs.values())

    @property
    def worst(self) -> str | None:
        """The worst severity of any departure."""
        return min((diff.worst for diff in self.diffs.values() if diff.worst is not None), key=rank, default=None)

    @property
    def departing(self) -> tuple[str, ...]:
        """Names of the programs that differ from what they are compared with."""
        return tuple(name for name, diff in self.diffs.items() if not diff.ok)

    @cached_property
    def verdict(self) -> str:
        """One sentence: who departs, and where first."""
        count, away = len(self.names), self.departing
        base = f"from {self.names[0]}" if self.against == "first" else "from the one before"
        left_out = next((diff for diff in self.diffs.values() if not diff.proof.same), None)
        if not away and left_out is not None:
            return f"none of {count} programs departs in what is asked: {left_out.verdict}"
        if not away:
            return f"all {count} programs are the same: {next(iter(self.diffs.values())).verdict}"
        text = f"{len(away)} of {plural(count - 1, 'program')} {'departs' if len(away) == 1 else 'depart'} {base}: {named(away)}"
        told = [f"{named(names)} {_where(diff)}" for diff, names in self._alike() if not diff.ok]
        more = f"; and {plural(len(told) - _MOST_TOLD, 'other departure')}" if len(told) > _MOST_TOLD else ""
        return f"{text}; {'; '.join(told[:_MOST_TOLD])}{more}"

    def _alike(self) -> list[tuple[Diff, list[str]]]:
        """Put the programs together of which the same is said."""
        found: dict[str, tuple[Diff, list[str]]] = {}
        for name, diff in self.diffs.items():
            found.setdefault(diff.verdict, (diff, []))[1].append(name)
        return list(found.values())

    @cached_property
    def table(self) -> pd.DataFrame:
        """Who departs where: one row per place and field, `departs` names the programs, then what each has there.

        Columns: ``graph node target module field severity departs`` and one column per program.
        """
        import pandas as pd

        places: dict[tuple[str, str, str, str], dict[str, Mismatch]] = {}
        for name, diff in self.diffs.items():
            for row in diff.rows:
                places.setdefault((row.graph, row.node, row.field, row.where), {})[name] = row
        found = []
        for (graph, node, field, _), rows in places.items():
            first = next(iter(rows.values()))
            worst = min((str(row.severity) for row in rows.values()), key=rank)
            base = {self.names[0]: first.a} if self.against == "first" else {}
            texts = base | {name: row.b for name, row in rows.items()}
            cells = [texts.get(name, first.a if self.against == "first" else "") for name in self.names]
            found.append((graph, node, first.target, first.module, field, worst, tuple(rows), *cells))
        found.sort(key=lambda row: rank(str(row[5])))
        return pd.DataFrame(found, columns=[*_KEY_COLUMNS, *self.names], dtype=object)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON-ready data."""
        diffs = {name: diff.to_dict() for name, diff in self.diffs.items()}
        return {
            "verdict": self.verdict,
            "ok": self.ok,
            "names": list(self.names),
            "against": self.against,
            "diffs": diffs,
        }

    def __str__(self) -> str:
        lines = [self.verdict, *(f"  {named(names)}: {diff.verdict}" for diff, names in self._alike())]
        return "\n".join(map(display, lines))

    def __repr__(self) -> str:
        return f"<graphlens.ManyDiff: {len(self.departing)} of {len(self.names)} depart>"


def compare_many(
    programs: Sequence[Program] | Mapping[str, Program],
    names: Iterable[str] | None = None,
    *,
    against: str = "first",
    **options: Any,
) -> ManyDiff:
    """Compare several programs that should be the same.

    Parameters
    ----------
    programs
        At least two, or a mapping from name to program.
    names
        What to call them; else ``rank0``, ``rank1`` …
    against
        ``"first"`` compares each with the first (ranks of a job), ``"previous"`` with the one before (stages of a pipeline).
    **options
        Passed on to `compare`.

    Raises
    ------
    DiffError
        Fewer than two programs, names that repeat or do not fit, or an unknown `against`.
    """
    given = (
        list(programs.items()) if isinstance(programs, Mapping) else [(f"rank{i}", p) for i, p in enumerate(programs)]
    )
    if names is not None:
        chosen = list(names)
        if len(chosen) != len(given):
            raise DiffError(f"{len(chosen)} names for {len(given)} programs; give one name for each")
        given = [(str(name), program) for name, (_, program) in zip(chosen, given, strict=True)]
    labels = [name for name, _ in given]
    if len(given) < 2:
        raise DiffError(f"{plural(len(given), 'program')} given; compare at least two")
    if len(set(labels)) != len(labels):
        raise DiffError(f"names repeat in {labels}; give each program its own")
    if against not in ("first", "previous"):
        raise DiffError(f"against={against!r} does not exist; choose 'first' or 'previous'")
    diffs: dict[str, Diff] = {}
    known: dict[tuple[int, int], Diff] = {}
    for i, (name, program) in enumerate(given[1:]):
        base = given[0 if against == "first" else i][1]
        key = (id(base), id(program))
        if key not in known:
            known[key] = compare(base, program, **options)
        diffs[name] = known[key]
    return ManyDiff(tuple(labels), freeze(diffs), against)
