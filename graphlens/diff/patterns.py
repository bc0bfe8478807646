"""Edits that repeat: one pattern per distinct edit, with the regions (layers, nested graphs) it was made in."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from msgspec import structs

from graphlens.diff.computation import explains_refusal
from graphlens.diff.rows import Mismatch, Pattern, Severity, rank, shorten, shorten_apart
from graphlens.diff.slots import Slot, Slots, gone_modules, held, home_of, slots_of, split_module
from graphlens.diff.wording import plural, times
from graphlens.program.program import ROOT, Program

_NUMBERED_NAME: Final = re.compile(r"_\d+\b")
_DIGEST: Final = re.compile(r"#[0-9a-f]+$")
_STORED: Final = ("weights", "constants")
_UNTOLD: Final = (
    "name", "stack_trace", "nn_module_stack", "from_node", "order", "proof", "seq_nr", "torch_fn", "source_fn_stack",
)  # fmt: skip
"""Families of fields of which a pattern does not say what became what."""
_LONE: Final = {"only_a": "a", "lost": "a", "only_b": "b", "added": "b"}

Edit = tuple[Slot | str, str, str, str, str, str, str]
"""Slot, field, kind, aspect, place in the field, and the two sides."""

Regions = tuple[str, ...]
Found = Mapping[Edit, Mapping[str, Mismatch]]


def make_patterns(rows: Iterable[Mismatch], a: Program | None, b: Program | None) -> tuple[Pattern, ...]:
    """Group the root differences by edit, then the edits that were made in the same regions.

    A region is the innermost numbered module around a node (``layers.3``), else its nested graph, else its module. Two
    edits are one if they change the same field of the same place in their region in the same way. What an edit of the
    computation brought with it (the metadata of an edited node, the weights and entries of a module that is gone) is
    part of that edit.
    """
    slots = (slots_of(a), slots_of(b))
    found: dict[Edit, dict[str, Mismatch]] = defaultdict(dict)
    for row in _told(rows):
        region, edit = _edit(row, slots)
        found[edit].setdefault(region, row)
    patterns = []
    gone = gone_modules((row for places in found.values() for row in places.values()), slots)
    for (regions, sort), edits in _told_together(found).items():
        together = [edits]
        if len(regions) == 1 and not sort:
            together = _touching(edits, found, (a, b), slots, whole=regions[0] in gone)
        patterns += [_pattern(regions, group, found) for group in together]
    return tuple(
        sorted(patterns, key=lambda p: (rank(p.severity), -(p.changed + p.only_a + p.only_b), -p.count, p.pattern))
    )


def _told(rows: Iterable[Mismatch]) -> list[Mismatch]:
    """Return the roots, and the other arguments of nodes that call another function: they are part of that edit."""
    kept = list(rows)
    other = {(row.graph, row.node_a): row.severity for row in kept if row.field == "target" and row.kind == "changed"}
    told = []
    for row in kept:
        if row.cause == "root":
            told.append(row)
        elif row.field in ("args", "kwargs") and row.inherited_from == row.node_a and (row.graph, row.node_a) in other:
            told.append(
                structs.replace(row, severity=other[row.graph, row.node_a])
            )  # no worse than what it follows from
    return told


def _told_together(found: Found) -> dict[tuple[Regions, str], list[Edit]]:
    """Sort edits by the regions that they were made in, and by what they change.

    What changes the computation has the sort ``""``; metadata has its own, unless it comes with such a change.
    """
    where = {edit: tuple(sorted(places, key=_natural)) for edit, places in found.items()}
    sorts = {edit: _sort(edit) for edit in found}
    computed = {(where[edit], edit[0]) for edit, sort in sorts.items() if not sort}
    gone = {
        (where[edit], _LONE[edit[2]]) for edit, sort in sorts.items() if not sort and edit[2] in ("only_a", "only_b")
    }
    merged: dict[tuple[Regions, str], list[Edit]] = defaultdict(list)
    for edit, regions in where.items():
        of_module = isinstance(edit[0], str) and (regions, _LONE.get(edit[2], "")) in gone
        merged[regions, "" if of_module or (regions, edit[0]) in computed else sorts[edit]].append(edit)
    return merged


def _sort(edit: Edit) -> str:
    field, kind, aspect = edit[1:4]
    return "" if explains_refusal(field, kind, aspect) else f"{field} {kind} {aspect}"


def _touching(
    edits: list[Edit],
    found: Found,
    programs: tuple[Program | None, Program | None],
    slots: tuple[Slots, Slots],
    *,
    whole: bool,
) -> list[list[Edit]]:
    """Split the edits of a single region where nothing joins them: they have nothing to do with each other.

    An operand edge joins two edits, a weight joins those of its users, and what is gone from the program level joins the
    nodes that are gone. A module that is gone as a `whole` is one edit.
    """
    rows = [next(iter(found[edit].values())) for edit in edits]
    join = _Sets(len(rows))
    at: dict[tuple[int, str, str], int] = {}
    gone: dict[str, int] = {}
    for i, row in enumerate(rows):
        if row.kind in ("only_a", "only_b"):
            first = gone.setdefault(_LONE[row.kind], i)
            if whole:
                join(i, first)
    renamed = [i for i, row in enumerate(rows) if row.kind == "renamed" and not row.node]
    for i in renamed:
        join(i, renamed[0])
    for side, program in enumerate(programs):
        places = [_place(row, side, slots) for row in rows]
        for i, place in enumerate(places):
            if place is not None:
                join(i, at.setdefault((side, *place), i))
            elif rows[i].node == "" and rows[i].kind in _LONE:
                join(i, gone.get(_LONE[rows[i].kind], i))
        for place in dict.fromkeys(places):
            i = at[(side, *place)] if place is not None else 0
            for operand in _operands(program, place):
                join(i, at.get((side, *operand), i))
    groups: dict[int, list[Edit]] = defaultdict(list)
    for i, edit in enumerate(edits):
        groups[join.root(i)].append(edit)
    return list(groups.values())


def _place(row: Mismatch, side: int, slots: tuple[Slots, Slots]) -> tuple[str, str] | None:
    """Name the node of one side that a row is about: that of a weight is its placeholder."""
    name = (row.node_a, row.node_b)[side]
    if name is not None:
        return (row.graph, row.graph_b or row.graph)[side], name
    argument = slots[side].placeholders.get(held(row, slots)) if row.node == "" else None
    return None if argument is None else (ROOT, argument)


def _operands(program: Program | None, place: tuple[str, str] | None) -> list[tuple[str, str]]:
    if program is None or place is None or place[1] not in program.graphs.get(place[0], ()):
        return []
    return [(place[0], name) for name in program.graphs[place[0]][place[1]].inputs]


class _Sets:
    """Numbers that were joined."""

    def __init__(self, count: int) -> None:
        self.parent = list(range(count))

    def root(self, i: int) -> int:
        while self.parent[i] != i:
            self.parent[i] = self.parent[self.parent[i]]
            i = self.parent[i]
        return i

    def __call__(self, i: int, j: int) -> None:
        self.parent[self.root(i)] = self.root(j)


def _edit(row: Mismatch, slots: tuple[Slots, Slots]) -> tuple[str, Edit]:
    region, slot = home_of(row, slots)
    at_program = row.node_a is None and row.node_b is None
    field = row.field.partition("[")[0] if at_program else row.field
    if row.family in _UNTOLD or row.aspect == "ambiguous" or (at_program and row.kind == "renamed"):
        return region, (slot, field, row.kind, row.aspect, row.where, "", "")
    named = row.aspect in ("rewired", "length") or row.field == "val.storage"
    sides = [_NUMBERED_NAME.sub("", side) if named else side for side in (row.a, row.b)]
    if row.family in _STORED and row.kind == "changed":
        sides = [_DIGEST.sub("", side) for side in sides]  # the values of two weights are never the same edit otherwise
    if split_module(region)[0]:
        sides = [_names_inside(region).sub("…", side) if region in side else side for side in sides]
    return region, (slot, field, row.kind, row.aspect, row.where, sides[0], sides[1])


@lru_cache(maxsize=1024)
def _names_inside(region: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.]){re.escape(region)}(?=\.[A-Za-z_])")


def _pattern(regions: tuple[str, ...], edits: list[Edit], found: Mapping[Edit, Mapping[str, Mismatch]]) -> Pattern:
    examples = [found[edit][regions[0]] for edit in edits]
    first = min(examples, key=lambda row: rank(row.severity))
    worst: Severity = first.severity
    only_a = sum(row.kind == "only_a" for row in examples)
    only_b = sum(row.kind == "only_b" for row in examples)
    return Pattern(
        pattern=_text(first, examples),
        count=len(regions),
        regions=regions,
        changed=len(edits) - only_a - only_b,
        only_a=only_a,
        only_b=only_b,
        rewired=sum(row.aspect == "rewired" for row in examples),
        severity=worst,
        example_a=first.node_a or "",
        example_b=first.node_b or "",
    )


def _text(row: Mismatch, rows: list[Mismatch]) -> str:
    if len(rows) > 1 and {each.kind for each in rows if each.node} == {row.kind} and row.kind in ("only_a", "only_b"):
        return _lone_text(row, rows)
    more = f", and {len(rows) - 1} more {'change' if len(rows) == 2 else 'changes'} with it" if len(rows) > 1 else ""
    return shorten(_one_text(row), 160) + more


def _one_text(row: Mismatch) -> str:
    """Say what one row of a pattern says, of no node in particular."""
    if row.kind in ("only_a", "only_b"):
        return f"{row.target} only in {row.kind[-1]}"
    if row.field == "target" and row.kind == "changed":
        return f"{row.a} became {row.b}"
    if row.field == "name":
        return f"{row.target} renamed"
    at = f" of {row.target}" if row.target else ""
    told = row.a and row.b and row.family not in _UNTOLD
    sides = ": {} → {}".format(*shorten_apart(row.a, row.b, 60)) if told else ""
    return f"{row.where or row.field}{at} {row.kind}{sides}"


def _lone_text(row: Mismatch, rows: list[Mismatch]) -> str:
    """Say what is on one side only: ``only in a: 63 nodes (aten.mul.Tensor 9, aten.linear.default 7, …), 9 weights``."""
    targets = Counter(each.target for each in rows if each.node)
    most = ", ".join(times(target, count) for target, count in targets.most_common(3))
    more = ", …" if len(targets) > 3 else ""
    weights = sum(each.family in _STORED for each in rows)
    state = f", {plural(weights, 'weight')}" if weights else ""
    return shorten(f"only in {_LONE[row.kind]}: {plural(targets.total(), 'node')} ({most}{more}){state}", 160)


@lru_cache(maxsize=65536)
def _natural(text: str) -> tuple[tuple[int, str], ...]:
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text[:300]) if part)
