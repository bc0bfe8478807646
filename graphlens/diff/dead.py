"""Differences in code whose results nothing uses: dead code elimination removes them, whatever they are."""

from __future__ import annotations

from functools import lru_cache

from msgspec import structs

from graphlens.diff.matching import Matching
from graphlens.diff.placed import Placed
from graphlens.diff.rows import family

_COMPUTED = {"target", "args", "kwargs", "val"}


@lru_cache(maxsize=4096)
def _computed(field: str) -> bool:
    return family(field).partition(".")[0] in _COMPUTED


def settle_dead(matching: Matching, item: Placed) -> Placed:
    """Mark a difference between nodes that do nothing that could be noticed, on either side."""
    finding = item.finding
    if not _computed(finding.field) or finding.kind == "ambiguous" or item.a is None:
        return item
    if item.b is None or item.graph_b is None or item.a.op in ("get_attr", "output", "placeholder"):
        return item
    ours, theirs = finding.value_a, finding.value_b
    bundle = finding.field == "target" and isinstance(ours, tuple) and isinstance(theirs, tuple)
    for side, path, names in (
        (0, item.graph, ours if bundle else (item.a.name,)),
        (1, item.graph_b, theirs if bundle else (item.b.name,)),
    ):
        facts = matching.facts[side].get(path)
        if facts is None or not all(name not in facts.live and facts.pure(name) for name in names):
            return item
    return structs.replace(item, finding=structs.replace(finding, aspect="dead"))
