"""Conformance: op by flow, what failed and why, and what has changed since a baseline. Imports neither torch nor pandas."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from graphlens.errors import StageError
from graphlens.program.display import Displayable
from graphlens.stages import tables

if TYPE_CHECKING:
    import pandas as pd

_ORDER = ("failed", "wrong", "unavailable", "ok")
_VERSION = 1


class CaseRow(Struct, frozen=True, kw_only=True):
    """One sample in one flow.

    `status`: ``ok``, ``failed`` (a stage or a run of it raised), ``wrong`` (another answer), ``unavailable``; `lost` is
    what the stages took from passes and people; `expected` is what torch itself says of the case, where it says
    that it is not supported.
    """

    suite: str
    case: str
    sample: int
    flow: str
    status: str
    error: str = ""
    lost: str = ""
    seconds: float | None = None
    expected: str = ""


class Change(Struct, frozen=True):
    """One sample in one flow that is not what it was in the baseline; `""` where one side has no such case."""

    suite: str
    case: str
    sample: int
    flow: str
    before: str
    now: str
    why: str


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Conformance(Displayable):
    """The result of `graphlens.conformance`.

    `torch` is the version that was checked; `unseen` names the registered higher-order ops that no sample reached.
    """

    suite: str
    torch: str
    rows: tuple[CaseRow, ...]
    unseen: tuple[str, ...] = ()
    baseline: tuple[CaseRow, ...] | None = None
    interrupted: bool = False

    @property
    def name(self) -> str:
        """What it is called in reports."""
        return f"conformance {self.suite}, torch {self.torch}"

    @property
    def ok(self) -> bool:
        """Every case that torch supports is ok in every flow; against a baseline: nothing became worse."""
        if self.interrupted:
            return False
        if self.baseline is not None:
            return not any(_rank(change.now) < _rank(change.before) for change in self.change_rows if change.now)
        return all(row.status in ("ok", "unavailable") or row.expected for row in self.rows)

    @cached_property
    def cases(self) -> pd.DataFrame:
        """One row per sample and flow: ``suite case sample flow status error lost seconds expected``."""
        return tables.frame(self.rows, CaseRow.__struct_fields__)

    @cached_property
    def table(self) -> pd.DataFrame:
        """Op by flow: the worst status of its samples, and why."""
        import pandas as pd

        cells: dict[tuple[str, str], dict[str, str]] = {}
        for row in sorted(self.rows, key=lambda row: -_rank(row.status)):
            if row.flow:
                text = row.status + (f": {row.error}" if row.error else f", lost {row.lost}" if row.lost else "")
                cells.setdefault((row.suite, row.case), {})[row.flow] = text
        index = pd.MultiIndex.from_tuples(sorted(cells), names=["suite", "case"])
        flows = list(dict.fromkeys(row.flow for row in self.rows if row.flow))
        return pd.DataFrame([cells[key] for key in sorted(cells)], index=index, columns=flows)

    @cached_property
    def change_rows(self) -> tuple[Change, ...]:
        """What is not what it was in the baseline, as data."""
        if self.baseline is None:
            return ()
        before, now = ({_key(row): row for row in rows} for rows in (self.baseline, self.rows))
        changed = []
        for key in {**before, **now}:
            old, new = before.get(key), now.get(key)
            if (old.status if old else "") != (new.status if new else ""):
                why = (new or old).error  # type: ignore[union-attr]
                changed.append(Change(*key, old.status if old else "", new.status if new else "", why))
        return tuple(changed)

    @cached_property
    def changes(self) -> pd.DataFrame:
        """What is not what it was in the baseline: ``suite case sample flow before now why``."""
        return tables.frame(self.change_rows, Change.__struct_fields__)

    @property
    def verdict(self) -> str:
        """How many cases are ok, and one line for each that is not."""
        names = dict.fromkeys((row.suite, row.case) for row in self.rows if row.flow)
        bad = [row for row in self.rows if row.status in ("failed", "wrong")]
        broken = dict.fromkeys((row.suite, row.case) for row in bad)
        lines = [
            f"torch {self.torch}: {len(names) - len(broken)} of {len(names)} cases of {self.suite} are ok in every flow"
        ]
        for suite, case in broken:
            own = [row for row in bad if (row.suite, row.case) == (suite, case)]
            flows = ", ".join(dict.fromkeys(row.flow for row in own))
            note = f" (torch says: {own[0].expected})" if own[0].expected else ""
            lines.append(f"  {case}: {own[0].status} in {flows}{note}: {own[0].error}")
        lines += [
            f"  {row.case or row.suite}: unavailable: {row.error}" for row in self.rows if row.status == "unavailable"
        ]
        if self.unseen:
            lines.append(f"  no sample reaches {', '.join(self.unseen)}")
        if self.baseline is not None:
            lines.append(f"  {len(self.change_rows)} changes since the baseline")
            lines += [
                f"    {c.case} {c.flow}: {c.before or 'absent'} → {c.now or 'absent'}: {c.why}"
                for c in self.change_rows
            ]
        if self.interrupted:
            lines.append("  interrupted: what was finished is here")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.verdict

    def __repr__(self) -> str:
        return f"<graphlens.Conformance {self.suite}: {'ok' if self.ok else 'not ok'}>"

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready data; `conformance(..., against=)` takes it as a baseline."""
        return {
            "kind": "conformance",
            "version": _VERSION,
            "suite": self.suite,
            "torch": self.torch,
            "ok": self.ok,
            "verdict": self.verdict,
            "rows": [tables.plain(row) for row in self.rows],
            "unseen": list(self.unseen),
            "changes": [tables.plain(change) for change in self.change_rows],
        }

    def to_json(self, path: str | Path | None = None) -> str:
        """Return the result as JSON text, and write it to `path` if one is given."""
        from graphlens.files import write_file

        text = json.dumps(self.to_dict(), indent=1, allow_nan=False)
        if path is not None:
            write_file(path, text)
        return text


def baseline_rows(source: Conformance | Mapping[str, Any] | str | Path) -> tuple[CaseRow, ...]:
    """Read the rows of an earlier result, of its `to_dict`, or of the file that `to_json` wrote.

    Raises
    ------
    StageError
        It is none of these, or of another version.
    """
    if isinstance(source, Conformance):
        return source.rows
    try:
        data = source if isinstance(source, Mapping) else json.loads(Path(source).read_text(encoding="utf-8"))
        rows = msgspec.convert(data["rows"], tuple[CaseRow, ...])
        kind, version = data["kind"], data["version"]
    except (OSError, ValueError, KeyError, TypeError, msgspec.ValidationError) as error:
        raise StageError(
            f"{str(source)[:80]!r} is no baseline of conformance ({error}); write one with Conformance.to_json"
        ) from error
    if (kind, version) != ("conformance", _VERSION):
        raise StageError(
            f"{str(source)[:80]!r} is a {kind} of version {version}, not a conformance of version {_VERSION}"
        )
    return rows


def _key(row: CaseRow) -> tuple[str, str, int, str]:
    return row.suite, row.case, row.sample, row.flow


def _rank(status: str) -> int:
    return _ORDER.index(status) if status in _ORDER else len(_ORDER)
