"""A diff as the payload's `DiffData`: the union scene, a status per box, and the rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from msgspec import Struct, structs

from graphlens.diff.folds import fold, fold_text
from graphlens.diff.verdict import roots
from graphlens.diff.wording import following, plural
from graphlens.program.line import display
from graphlens.view import facts, payload
from graphlens.view.draw.marks import Marks
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
    status, severity, cause = _judge(union, rows, boxes, diff.alignment)
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
        summary=_summary(diff, union, text),
        tables=_tables(diff, union, text),
    )
    return DiffParts(data, union.scene, Marks(status, severity, cause, union.side))


def proof_text(proof: Any) -> str:
    """Write in which sense two programs are the same, and what that rests on."""
    rules = ", ".join(f"{rule} ×{count}" for rule, count in proof.rules.items())
    refused = bool(proof.refusals)  # then nothing else matters of what it would have rested on
    parts = [str(proof) if refused else f"{proof.level}{f' [{rules}]' if rules else ''}"]
    if proof.nodes:
        parts.append(f"{plural(proof.nodes, 'node')} and {plural(proof.edges, 'edge')} compared")
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


def _judge(
    union: UnionScene, rows: Sequence[Any], boxes: Sequence[int], alignment: Any
) -> tuple[list[Status], list[str], list[Cause]]:
    """Give each box its status, whether one of its rows is a root difference, and the worst severity of the roots, else of all.

    A rewritten group is judged as one: all that is in it is as bad as the worst of it.
    """
    count = len(union.scene.boxes)
    severity = [""] * count
    cause: list[Cause] = [""] * count
    for row, box in zip(rows, boxes, strict=True):
        if box >= 0 and (row.cause == "root" or cause[box] != "root"):  # roots come first
            cause[box] = "root" if row.cause == "root" else "inherited"
            if not severity[box] or _RANK.get(row.severity, 4) < _RANK.get(severity[box], 4):
                severity[box] = row.severity
    for group in _groups(union, alignment):
        worst = min(group, key=lambda box: _RANK.get(severity[box], 4))
        for box in group:
            severity[box], cause[box] = severity[worst], cause[worst]
    return [_status(union, box, severity[box]) for box in range(count)], severity, cause


def _groups(union: UnionScene, alignment: Any) -> list[list[int]]:
    """Return the boxes of each group of nodes that became others."""
    found = []
    for graph in alignment.graphs:
        for group in graph.groups:
            ours = [union.place_a(graph.path_a, name) for name in group.a]
            theirs = [union.place_b(graph.path_b, name) for name in group.b]
            found.append([box for box in (*ours, *theirs) if box >= 0])
    return [group for group in found if group]


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


def whole_regions(scene: Scene, status: Sequence[Status]) -> set[int]:
    """Find the regions that only one of the programs has."""
    sides: list[set[Status]] = [set() for _ in scene.regions]
    for box, what in zip(scene.boxes, status, strict=True):
        sides[box.region].add(what)
    for number in range(len(scene.regions) - 1, 0, -1):  # a parent precedes its children
        sides[scene.regions[number].parent] |= sides[number]
    return {number for number, found in enumerate(sides) if found in ({"only_a"}, {"only_b"})}


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


def _summary(diff: Any, union: UnionScene, text: Interner) -> Table:
    """Tell like differences in one line, as the text of the diff does; what follows from them is counted below."""
    counted = roots(diff.rows)
    folds = fold(counted, diff.lone_modules)
    rows = [(one.example.severity, len(one.rows), display(fold_text(one))) for one in folds]
    follow = len(diff.rows) - len(counted)
    note = f"{following(follow, len(counted))}." if follow else ""
    boxes = [_box_of(union, one.example) for one in folds[:MOST_ROWS]]
    return structs.replace(make_table(text, "Summary", ("severity", "rows", "what"), rows, note=note), boxes=boxes)


def _tables(diff: Any, union: UnionScene, text: Interner) -> list[Table]:
    patterns = struct_table(text, "Patterns", diff.pattern_rows, note="One row per distinct edit.")
    at = {(row.node_a or "", row.node_b or ""): row for row in reversed(diff.rows)}
    examples = [at.get((pattern.example_a, pattern.example_b)) for pattern in diff.pattern_rows[: facts.MOST_ROWS]]
    boxes = [-1 if row is None else _box_of(union, row) for row in examples]
    patterns = structs.replace(patterns, boxes=boxes)
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
