"""Edits that repeat: one pattern per distinct edit, with the regions (layers, nested graphs) it was made in."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from graphlens.diff.rows import Mismatch, Pattern, Severity, rank, shorten
from graphlens.diff.severity import explains_refusal
from graphlens.program.program import Program

_NUMBERED_NAME: Final = re.compile(r"_\d+\b")
_STEP: Final = re.compile(r"_\d+(?=\.|$)")
_UNTOLD: Final = (
    "name",
    "stack_trace",
    "nn_module_stack",
    "from_node",
    "order",
    "proof",
    "seq_nr",
    "torch_fn",
    "source_fn_stack",
)

Slot = tuple[str, str, str, int]
"""A place inside a region: nested graph, module, target (numbers taken out), and which of several such."""

Edit = tuple[Slot | str, str, str, str, str, str, str]
"""Slot, field, kind, aspect, place in the field, and the two sides."""


def make_patterns(rows: Iterable[Mismatch], a: Program | None, b: Program | None) -> tuple[Pattern, ...]:
    """Group the root differences by edit, then the edits that were made in the same regions.

    A region is the innermost numbered module around a node (``layers.3``), else its nested graph, else its module. Two
    edits are one if they change the same field of the same place in their region in the same way.
    """
    slots = (_slots(a), _slots(b))
    found: dict[Edit, dict[str, Mismatch]] = defaultdict(dict)
    for row in rows:
        if row.cause == "root":
            region, edit = _edit(row, slots)
            found[edit].setdefault(region, row)
    merged: dict[tuple[tuple[str, ...], str], list[Edit]] = defaultdict(list)
    for edit, places in found.items():
        merged[tuple(sorted(places, key=_natural)), _sort(edit)].append(edit)
    patterns = []
    for (regions, sort), edits in merged.items():
        together = [edits] if len(regions) > 1 or sort else _touching(edits, found, (a, b))
        patterns += [_pattern(regions, group, found) for group in together]
    return tuple(
        sorted(patterns, key=lambda p: (rank(p.severity), -(p.changed + p.only_a + p.only_b), -p.count, p.pattern))
    )


def _sort(edit: Edit) -> str:
    """What may be told together: everything that changes the computation (``""``), or one sort of metadata."""
    field, kind, aspect = edit[1:4]
    return "" if explains_refusal(field, kind, aspect) else f"{field} {kind} {aspect}"


def _touching(
    edits: list[Edit], found: Mapping[Edit, Mapping[str, Mismatch]], programs: tuple[Program | None, Program | None]
) -> list[list[Edit]]:
    """Split the edits of a single region where no operand edge joins them: they have nothing to do with each other."""
    rows = [next(iter(found[edit].values())) for edit in edits]
    parent = list(range(len(rows)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    at: dict[tuple[int, str, str], int] = {}
    for side, program in enumerate(programs):
        places = [((row.graph, row.node_a), (row.graph_b or row.graph, row.node_b))[side] for row in rows]
        for i, (path, name) in enumerate(places):
            if name is not None:
                parent[root(i)] = root(at.setdefault((side, path, name), i))
        for i, (path, name) in enumerate(places):
            graph = program.graphs.get(path) if program is not None else None
            for operand in graph[name].inputs if graph is not None and name is not None and name in graph else ():
                if (side, path, operand) in at:
                    parent[root(i)] = root(at[side, path, operand])
    groups: dict[int, list[Edit]] = defaultdict(list)
    for i, edit in enumerate(edits):
        groups[root(i)].append(edit)
    return list(groups.values())


def _slots(program: Program | None) -> Mapping[tuple[str, str], tuple[str, Slot]]:
    """Region and slot of every node, by graph path and name."""
    found: dict[tuple[str, str], tuple[str, Slot]] = {}
    seen: dict[tuple[str, str, str, str], int] = defaultdict(int)
    if program is None:
        return found
    for path, graph in program.graphs.items():
        plain_path = _STEP.sub("", path)
        for node in graph.nodes:
            region, inside = split_module(node.module)
            home = region or path or node.module
            target = node.target if node.op not in ("placeholder", "get_attr") else node.op
            key = (home + "\0" + path, inside, plain_path, target)
            found[path, node.name] = (home, (plain_path, inside, target, seen[key]))
            seen[key] += 1
    return found


def split_module(module: str) -> tuple[str, str]:
    """Split a module path after its first number: ``layers.3.attn.q`` into ``layers.3`` and ``attn.q``."""
    parts = module.split(".")
    for i, part in enumerate(parts):
        if part.partition("@")[0].isdecimal():
            return ".".join(parts[: i + 1]), ".".join(parts[i + 1 :])
    return "", module


def _edit(row: Mismatch, slots: tuple[Mapping[tuple[str, str], tuple[str, Slot]], ...]) -> tuple[str, Edit]:
    slot: Slot | str
    if row.node_a is not None or row.node_b is not None:
        key = (row.graph, row.node_a) if row.node_a is not None else (row.graph_b or row.graph, row.node_b or "")
        region, slot = slots[row.node_a is None].get(key, (row.module, ("", row.module, row.target, 0)))
        field = row.field
    else:
        head, bracket, item = row.field.partition("[")
        region, inside = split_module(item.rstrip("]")) if bracket else ("", "")
        slot, field = inside, head
        region = region or row.field
    told = row.family not in _UNTOLD and row.aspect != "ambiguous"
    named = row.aspect in ("rewired", "length") or row.field == "val.storage"
    sides = [_NUMBERED_NAME.sub("", side) if named else side for side in (row.a, row.b)]
    return region, (slot, field, row.kind, row.aspect, row.where, *(sides if told else ("", "")))


def _pattern(regions: tuple[str, ...], edits: list[Edit], found: Mapping[Edit, Mapping[str, Mismatch]]) -> Pattern:
    examples = [found[edit][regions[0]] for edit in edits]
    first = min(examples, key=lambda row: rank(row.severity))
    worst: Severity = first.severity
    only_a = sum(row.kind == "only_a" for row in examples)
    only_b = sum(row.kind == "only_b" for row in examples)
    return Pattern(
        pattern=_text(first, len(edits)),
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


def _text(row: Mismatch, edits: int) -> str:
    at = f" of {row.target}" if row.target and row.kind not in ("only_a", "only_b") else ""
    sides = f": {row.a} → {row.b}" if row.a and row.b and row.family not in _UNTOLD else ""
    what = (
        f"{row.target} {row.kind}"
        if row.kind in ("only_a", "only_b")
        else f"{row.where or row.field}{at} {row.kind}{sides}"
    )
    return shorten(what, 160) + (f", and {edits - 1} more" if edits > 1 else "")


def _natural(text: str) -> tuple[tuple[int, str], ...]:
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text[:300]) if part)
