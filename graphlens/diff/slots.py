"""Where in a program a difference is: its region (a layer, a nested graph) and the slot inside, so that layers compare."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from graphlens.diff.rows import Mismatch
from graphlens.program.graph import modules_of
from graphlens.program.program import ROOT, Program

_STEP: Final = re.compile(r"_\d+(?=\.|$)")
_LEAVES: Final = ("placeholder", "get_attr")
_STATE: Final = ("weights", "constants", "aliasing", "module_call_graph")

Slot = tuple[str, str, str, int]
"""A place inside a region: nested graph, module, target (numbers taken out), and which of several such."""

Home = tuple[str, Slot | str]
"""Region and slot; a slot that is text is the name of a weight or module inside the region."""


class Slots(NamedTuple):
    """One program: the home of every node by graph path and name, and the placeholder of every weight by its name."""

    homes: Mapping[tuple[str, str], Home]
    inputs: tuple[tuple[str, str], ...]
    placeholders: Mapping[str, str]


def slots_of(program: Program | None) -> Slots:
    """Find the region and slot of every node; those of a placeholder are those of the weight that it stands for."""
    if program is None:
        return Slots({}, (), {})
    inputs = tuple((spec.target or "", spec.argument) for spec in program.inputs)
    homes: dict[tuple[str, str], Home] = {}
    for path, graph in program.graphs.items():
        seen: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
        plain_path = _STEP.sub("", path)
        places: dict[str, tuple[str, str, dict[str, int]]] = {}
        for node, module in zip(graph.nodes, modules_of(graph.nodes), strict=True):
            if module not in places:
                region, inside = split_module(module)
                home = region or path or module
                places[module] = home, inside, seen[home, inside]
            home, inside, counts = places[module]
            target = node.target if node.op not in _LEAVES else node.op
            count = counts[target] = counts.get(target, -1) + 1
            homes[path, node.name] = (home, (plain_path, inside, target, count))
    for fqn, argument in inputs:
        region, inside = split_module(fqn)
        if region and (ROOT, argument) in homes:
            homes[ROOT, argument] = (region, inside)
    return Slots(homes, inputs, {fqn: argument for fqn, argument in inputs if fqn})


@lru_cache(maxsize=65536)
def split_module(module: str) -> tuple[str, str]:
    """Split a module path after its first number: ``layers.3.attn.q`` into ``layers.3`` and ``attn.q``."""
    parts = module.split(".")
    for i, part in enumerate(parts):
        if part.partition("@")[0].isdecimal():
            return ".".join(parts[: i + 1]), ".".join(parts[i + 1 :])
    return "", module


def home_of(row: Mismatch, slots: tuple[Slots, Slots]) -> Home:
    """Say where a row is; what belongs to no numbered module and no node is a region of its own."""
    if row.node_a is not None or row.node_b is not None:
        key = (row.graph, row.node_a) if row.node_a is not None else (row.graph_b or row.graph, row.node_b or "")
        return slots[row.node_a is None].homes.get(key) or _told(row)
    fqn = held(row, slots)
    region, inside = split_module(fqn)
    return (region or row.field, inside)


def _told(row: Mismatch) -> Home:
    """Say where a row is from what it says itself: the programs are not there."""
    region, inside = split_module(row.module)
    return region or row.graph or row.module, (_STEP.sub("", row.graph), inside, row.target, 0)


def gone_modules(rows: Iterable[Mismatch], slots: tuple[Slots, Slots]) -> dict[str, str]:
    """Find the numbered modules all of whose calls are on one side only: their names, with ``a`` or ``b``."""
    lone = Counter((home_of(row, slots)[0], row.kind[-1]) for row in rows if row.kind in ("only_a", "only_b"))
    sizes = [Counter(region for region, slot in each.homes.values() if isinstance(slot, tuple)) for each in slots]
    return {
        region: side
        for (region, side), count in lone.items()
        if split_module(region)[0] and count == sizes[side == "b"][region]
    }


def held(row: Mismatch, slots: tuple[Slots, Slots]) -> str:
    """Name the weight, constant or module that a row of the program level is about, ``""`` if there is none."""
    head, _, item = row.field.partition("[")
    item = item.removesuffix("]")
    if head in _STATE:
        return item
    inputs = slots[row.kind == "added"].inputs
    if head == "signature.inputs" and item.isdecimal() and int(item) < len(inputs):
        return inputs[int(item)][0]
    return ""
