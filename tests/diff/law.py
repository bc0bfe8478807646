"""What holds of every diff whatever the two programs are, checked at one place: `compared` is `gl.diff` with all of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

import graphlens as gl
from graphlens.diff import Diff

Rows = Counter[tuple[str, str, str]]
"""How many roots there are of each field (its family), kind and severity."""

MIRROR = {"lost": "added", "added": "lost", "only_a": "only_b", "only_b": "only_a"}
_MIRRORED_ASPECTS = {
    "specialised": "generalised",
    "generalised": "specialised",
    "widened": "narrowed",
    "narrowed": "widened",
}
_SELF: dict[int, tuple[Any, Diff]] = {}


def compared(a: Any, b: Any, *, large: bool = False, **options: Any) -> Diff:
    """Compare two sources, and check what must hold: identity, mirror image, a proof that fits the rows, every node once.

    Of `large` programs neither identity nor texts are checked, which takes longer than the rest.
    """
    a, b = gl.read(a), gl.read(b)
    for program in () if large else (a, b):
        same_as_itself(program)
    diff, back = gl.diff(a, b, **options), gl.diff(b, a, **options)
    mirrors(diff, back)
    for each in (diff, back):
        consistent(each)
    if not large:
        presentable(diff)
    return diff


def same_as_itself(program: gl.Program) -> None:
    """A program and itself: no rows, and the proof has no "up to"."""
    if id(program) in _SELF:
        return
    diff = gl.diff(program, program)
    assert diff.ok, str(diff)
    assert not diff.rows
    assert diff.proof.level == "identical", str(diff.proof)
    assert all(row.node_a == row.node_b for row in diff.node_rows), [r for r in diff.node_rows if r.node_a != r.node_b]
    every_node_once(diff)
    _SELF[id(program)] = program, diff


def mirrors(diff: Diff, back: Diff) -> None:
    """The other way round the same rows, pairs and proof, with `a` and `b` exchanged."""
    assert Counter(map(_row, diff.rows)) == Counter(map(_turned_row, back.rows)), _unlike(diff, back)
    ours = {(r.node_a, r.node_b, _evidence(r), r.confidence) for r in diff.node_rows}
    theirs = {(r.node_b, r.node_a, _evidence(r), r.confidence) for r in back.node_rows}
    assert ours == theirs, sorted(ours ^ theirs)
    assert diff.proof.level == back.proof.level, (str(diff.proof), str(back.proof))
    assert diff.proof.rules == back.proof.rules


def consistent(diff: Diff) -> None:
    """No wrong result beside a proof of sameness, no silence beside a refusal, every node once, every follower's cause named."""
    wrong = [row for row in diff.rows if row.severity == "wrong_result"]
    assert not (wrong and diff.proof.same), str(diff)
    assert diff.proof.level != "different" or diff.rows or diff.ignored, str(diff)
    assert diff.ok == (not diff.rows and diff.proof.same)
    assert all(bool(row.inherited_from) == (row.cause == "inherited") for row in diff.rows)
    assert not diff.rows or any(row.cause == "root" for row in diff.rows), str(diff)
    every_node_once(diff)


def every_node_once(diff: Diff) -> None:
    """Every node of both programs stands in exactly one row of `Diff.nodes`."""
    assert diff.a is not None
    assert diff.b is not None
    for side, program in (("node_a", diff.a), ("node_b", diff.b)):
        listed = Counter(name for row in diff.node_rows for name in getattr(row, side).split(", ") if name)
        assert listed == Counter(node.name for _, node in program.walk())


def presentable(diff: Diff) -> None:
    """It can be read: as text, node by node, and back from JSON."""
    assert diff.verdict in str(diff)
    for row in diff.rows[:12]:
        if row.node:
            path = row.graph if row.node_a is not None else row.graph_b or row.graph
            assert row.node in diff.explain((path, row.node))
    again = Diff.from_json(diff.to_json(), a=diff.a, b=diff.b)
    assert (again.verdict, again.proof) == (diff.verdict, diff.proof)
    assert [replace(r, value_a=None, value_b=None) for r in again.rows] == [
        replace(r, value_a=None, value_b=None) for r in diff.rows
    ]


def roots(diff: Diff, wanted: Callable[[Any], bool] = lambda row: True) -> Rows:
    """Count the roots by field, kind and severity."""
    return Counter((r.family, r.kind, r.severity) for r in diff.rows if r.cause == "root" and wanted(r))


def wrong(diff: Diff) -> set[tuple[str | None, str | None, str, str, str]]:
    """Every root that is a wrong result: both nodes, the field with its item, kind and aspect."""
    return {
        (r.node_a, r.node_b, r.field, r.kind, r.aspect)
        for r in diff.rows
        if r.cause == "root" and r.severity == "wrong_result"
    }


def mates(diff: Diff) -> dict[str, str]:
    """Name in `b` of every node of `a`, all graphs in one, with the graph path before it."""
    return {f"{r.graph}:{r.node_a}" if r.graph else r.node_a: r.node_b for r in diff.node_rows if r.node_a and r.node_b}


def ambiguous(diff: Diff) -> list[tuple[str, str]]:
    """List the ambiguous classes: names on both sides."""
    return [(r.node_a, r.node_b) for r in diff.node_rows if r.match == "ambiguous"]


def lone(diff: Diff) -> tuple[set[str], set[str]]:
    """Names of the nodes without any counterpart, of `a` and of `b`."""
    rows = diff.node_rows
    return {r.node_a for r in rows if r.match == "only_a"}, {r.node_b for r in rows if r.match == "only_b"}


def _row(row: Any) -> tuple[Any, ...]:
    return row.node_a, row.node_b, row.family, row.kind, row.cause, row.aspect if row.kind != "ambiguous" else ""


def _turned_row(row: Any) -> tuple[Any, ...]:
    kind, aspect = MIRROR.get(row.kind, row.kind), _MIRRORED_ASPECTS.get(row.aspect, row.aspect)
    aspect = "" if kind == "ambiguous" else aspect  # the reason, which counts both sides
    return row.node_b, row.node_a, row.family, kind, row.cause, aspect


def _evidence(row: Any) -> str:
    kind, _, how = row.match.partition(" ")
    if kind != "group":
        return {"only_a": "only_b", "only_b": "only_a"}.get(row.match, row.match) if row.node_a else row.match
    return how.partition(" ")[2]


def _unlike(diff: Diff, back: Diff) -> str:
    ours, theirs = Counter(map(_row, diff.rows)), Counter(map(_turned_row, back.rows))
    return f"only there: {list(ours - theirs)}\nonly back: {list(theirs - ours)}\n{diff}"
