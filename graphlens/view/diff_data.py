"""A diff as the payload's `DiffData`: the union scene, a status per box, and the rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from msgspec import Struct

from graphlens.view import payload
from graphlens.view.draw.svg import Marks
from graphlens.view.drawn import Drawn
from graphlens.view.facts import cell_text, make_table
from graphlens.view.payload_scene import Table
from graphlens.view.scene import Scene, columns
from graphlens.view.union import Status, UnionScene, union_scene
from graphlens.view.wire import Interner

MOST_ROWS = 20_000
Cause = Literal["", "root", "inherited"]
_RANK = {"wrong_result": 0, "breaks_pass": 1, "debug_info": 2, "cosmetic": 3}


class DiffParts(Struct, frozen=True):
    """A diff for the front end, with the scene behind it."""

    data: payload.DiffData
    scene: Scene
    marks: Marks


def diff_data(
    diff: Any, numbers: tuple[int, int], drawn: tuple[Drawn, Drawn], text: Interner, *, name: str
) -> DiffParts:
    """Write a diff (`graphlens.diff.Diff`) between two programs, given by their indices and as they are drawn."""
    union = union_scene(*drawn, diff.alignment)
    rows = sorted(diff.rows, key=lambda row: (row.cause != "root", _RANK.get(row.severity, 4)))
    boxes = [_box_of(union, row) for row in rows]
    status, severity, cause = _judge(union, rows, boxes)
    shown = rows[:MOST_ROWS]
    data = payload.DiffData(
        name=name,
        a=numbers[0],
        b=numbers[1],
        verdict=str(diff.verdict),
        proof=proof_text(diff.proof),
        ok=bool(diff.ok),
        scene=columns(union.scene, text),
        node_a=list(union.node_a),
        node_b=list(union.node_b),
        status=status,
        severity=[text(worst) for worst in severity],
        cause=cause,
        match=[text(match) for match in union.match],
        side=list(union.side),
        mismatches=_mismatches(shown, boxes, text),
        dropped=len(rows) - len(shown),
        tables=_tables(diff, text),
    )
    return DiffParts(data, union.scene, Marks(status, cause, union.side))


def proof_text(proof: Any) -> str:
    """Write in which sense two programs are the same, and what that rests on."""
    rules = ", ".join(f"{rule} ×{count}" for rule, count in proof.rules.items())
    refused = bool(proof.refusals)  # then nothing else matters of what it would have rested on
    parts = [str(proof) if refused else f"{proof.level}{f' [{rules}]' if rules else ''}"]
    if proof.nodes:
        parts.append(f"{proof.nodes} nodes and {proof.edges} edges compared")
    parts += [] if refused else [f"assuming {assumption}" for assumption in proof.assumptions]
    parts += [f"undecided: {unknown}" for unknown in proof.unknown]
    return "; ".join(parts)


def _box_of(union: UnionScene, row: Any) -> int:
    """Return the box that a row is about, -1 for the program as a whole."""
    number = -1
    if row.node_a:
        number = union.place_a(row.graph, row.node_a)
    if number < 0 and row.node_b:
        number = union.place_b(getattr(row, "graph_b", None) or row.graph, row.node_b)
    return number


def _judge(union: UnionScene, rows: Sequence[Any], boxes: Sequence[int]) -> tuple[list[Status], list[str], list[Cause]]:
    """Give each box its status, the worst severity of its rows, and whether one of them is a root difference."""
    count = len(union.scene.boxes)
    severity = [""] * count
    cause: list[Cause] = [""] * count
    for row, box in zip(rows, boxes, strict=True):
        if box >= 0:
            cause[box] = "root" if "root" in (row.cause, cause[box]) else "inherited"
            if not severity[box] or _RANK.get(row.severity, 4) < _RANK.get(severity[box], 4):
                severity[box] = row.severity
    return [_status(union, box, severity[box]) for box in range(count)], severity, cause


def _status(union: UnionScene, box: int, severity: str) -> Status:
    if union.match[box] == "ambiguous":
        return "ambiguous"
    if union.match[box].startswith("group "):
        return "changed"
    if union.node_b[box] < 0:
        return "only_a"
    if union.node_a[box] < 0:
        return "only_b"
    return "changed" if severity else "same"


def _mismatches(rows: Sequence[Any], boxes: Sequence[int], text: Interner) -> payload.Mismatches:
    def column(values: Iterable[Any]) -> list[int]:
        return [text("" if value is None else cell_text(value)) for value in values]

    return payload.Mismatches(
        box=list(boxes[: len(rows)]),
        graph=column(row.graph for row in rows),
        node_a=column(row.node_a for row in rows),
        node_b=column(row.node_b for row in rows),
        target=column(row.target for row in rows),
        module=column(row.module for row in rows),
        source=column(row.source for row in rows),
        field=column(row.field for row in rows),
        kind=column(row.kind for row in rows),
        severity=column(row.severity for row in rows),
        cause=column(row.cause for row in rows),
        a=column(row.a for row in rows),
        b=column(row.b for row in rows),
    )


def _tables(diff: Any, text: Interner) -> list[Table]:
    patterns = struct_table(text, "Patterns", diff.pattern_rows, note="One row per distinct edit.")
    quality = make_table(text, "Quality of the alignment", ("count", "value"), list(diff.quality.to_dict().items()))
    return [table for table in (patterns, quality) if table.columns and table.columns[0].cells]


def struct_table(text: Interner, title: str, rows: Sequence[Struct], *, note: str = "") -> Table:
    """Make a table of structs of one type, one column per field; empty columns are left out."""
    names = rows[0].__struct_fields__ if rows else ()
    kept = [name for name in names if any(_plain(getattr(row, name)) not in (None, "") for row in rows)]
    cells = [[_plain(getattr(row, name)) for name in kept] for row in rows]
    return make_table(text, title, kept, cells, note=note)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        shown = [str(item) for item in value[:8]]
        return ", ".join(shown) + (f" and {len(value) - 8} more" if len(value) > 8 else "")
    return value
