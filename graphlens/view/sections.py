"""Objects as sections, by what they offer rather than by their class: the view never imports the rooms above it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from graphlens.errors import ViewError
from graphlens.program.display import Displayable
from graphlens.program.program import Program
from graphlens.view.builder import Builder
from graphlens.view.diff_data import struct_table
from graphlens.view.escape import printable
from graphlens.view.facts import make_table
from graphlens.view.payload import Section, View
from graphlens.view.payload_scene import Table

Judgement = Literal["ok", "warn", "fail", "none"]


def section(builder: Builder, obj: Any) -> Section:
    """Write one object as a section.

    Raises
    ------
    ViewError
        It is nothing that can be shown.
    """
    check_section(obj)
    if isinstance(obj, Program):
        return _program_section(builder, obj)
    if _has(obj, "alignment", "rows", "proof"):
        return _diff_section(builder, obj)
    if _has(obj, "stage_rows", "leaf_rows", "programs"):
        return _roundtrip_section(builder, obj)
    return _other_section(builder, obj)


def check_section(obj: Any) -> None:
    """Refuse what cannot be shown.

    Raises
    ------
    ViewError
        It is nothing that can be shown.
    """
    if not isinstance(obj, Displayable):
        raise ViewError(
            f"cannot show an object of type {type(obj).__module__}.{type(obj).__qualname__}; give a Program, Diff, RoundTrip or "
            "another result of graphlens (graphlens.read makes a Program of a model)"
        )
    diff = _has(obj, "alignment", "rows", "proof")
    if diff and None in (getattr(obj, "a", None), getattr(obj, "b", None), getattr(obj, "alignment", None)):
        raise ViewError("this diff was read back without its programs; give them to Diff.from_json(text, a=..., b=...)")


def _has(obj: Any, *names: str) -> bool:
    return isinstance(obj, Displayable) and all(hasattr(obj, name) for name in names)


def _program_section(builder: Builder, program: Program) -> Section:
    view = builder.program_view(program)
    return Section(kind="program", title=view.label, verdict="", status="none", views=[view], tables=[])


def _diff_section(builder: Builder, diff: Any) -> Section:
    names = [program.origin.name or side for side, program in (("a", diff.a), ("b", diff.b))]
    short = builder.short_names(names)
    title = f"{short[0]} → {short[1]}" if short[0] != short[1] else f"{short[0]} (a → b)"
    views = [builder.diff_view(diff, "a → b")]
    for side, name, program in zip("ab", short, (diff.a, diff.b), strict=True):
        views.append(builder.program_view(program, side if name == side else f"{side}: {name}"))
    return Section(kind="diff", title=title, verdict=str(diff.verdict), status=_judge(diff), views=views, tables=[])


def _judge(result: Any) -> Judgement:
    if result.ok:
        return "ok"
    return "fail" if result.worst in (None, "wrong_result") else "warn"


def _roundtrip_section(builder: Builder, trip: Any) -> Section:
    against = {row.stage: row.against for row in trip.stage_rows}
    programs = [builder.program_view(program, stage, name=stage) for stage, program in trip.programs.items()]
    diffs = [
        (diff, builder.diff_view(diff, f"{against.get(stage) or 'a'} → {stage}")) for stage, diff in trip.diffs.items()
    ]
    worst = [view for diff, view in diffs if diff.worst == "wrong_result"]
    views = [*worst[:1], *programs[:1], *(view for _, view in diffs if view not in worst[:1]), *programs[1:]]
    return Section(
        kind="roundtrip",
        title=trip.name,
        verdict=str(trip.verdict),
        status="ok" if trip.ok else "fail",
        views=views,
        tables=_roundtrip_tables(builder, trip),
    )


def _roundtrip_tables(builder: Builder, trip: Any) -> list[Table]:
    text = builder.text
    failures = [
        (name, f.type, f.cause, f.where, f.hint, printable(f.trace, keep="\n")) for name, f in trip.failures.items()
    ]
    tables = [
        struct_table(text, "Stages", trip.stage_rows),
        struct_table(text, "Outputs", trip.leaf_rows),
        struct_table(text, "Runtimes", trip.runtime_rows),
        struct_table(text, "Found by running", trip.findings),
        make_table(text, "Failures", ("stage or runtime", "error", "cause", "where", "hint", "traceback"), failures),
    ]
    return [table for table in tables if table.columns and table.columns[0].cells]


def _other_section(builder: Builder, obj: Any) -> Section:
    """Show a result without graphs of its own: its verdict, its tables, and the programs or diffs that it holds."""
    ok = getattr(obj, "ok", None)
    views: list[View] = []
    diffs = _mapping(obj, "diffs")
    departing = {name: diff for name, diff in diffs.items() if not getattr(diff, "ok", False)}
    for name, diff in (departing or diffs).items():
        if _has(diff, "alignment", "rows", "proof") and diff.a is not None and diff.alignment is not None:
            views.append(builder.diff_view(diff, str(name)))
    for name, program in _mapping(obj, "programs").items():
        if isinstance(program, Program):
            views.append(builder.program_view(program, str(name)))
    return Section(
        kind="tables",
        title=str(getattr(obj, "name", "") or type(obj).__name__),
        verdict=str(getattr(obj, "verdict", "") or str(obj)),
        status="none" if ok is None else "ok" if ok else "fail",
        views=views,
        tables=[frame_table(builder, title, frame) for title, frame in _frames(obj)],
    )


def _mapping(obj: Any, name: str) -> Mapping[Any, Any]:
    value = getattr(obj, name, None)
    return value if isinstance(value, Mapping) else {}


def _frames(obj: Any) -> list[tuple[str, Any]]:
    """Find the tables that an object offers as DataFrames, in the order in which its class defines them."""
    found: list[tuple[str, Any]] = []
    for name in vars(type(obj)):
        if name.startswith("_") or callable(vars(type(obj))[name]):
            continue
        value = getattr(obj, name)
        if hasattr(value, "itertuples") and hasattr(value, "columns") and len(value):
            found.append((name.replace("_", " ").capitalize(), value))
    return found


def frame_table(builder: Builder, title: str, frame: Any) -> Table:
    """Make a table of a DataFrame; NaN, NA and None are empty cells."""
    names = [str(column) for column in frame.columns]
    frame = frame.astype(object).where(frame.notna(), None)
    rows: Sequence[Sequence[Any]] = [
        [None if cell is None else _cell(cell) for cell in row] for row in frame.itertuples(index=False, name=None)
    ]
    return make_table(builder.text, title, names, rows)


def _cell(cell: Any) -> Any:
    if isinstance(cell, tuple):
        cell = ", ".join(map(str, cell))
    return cell if isinstance(cell, bool | int | float | str) else printable(str(cell), keep="\n")
