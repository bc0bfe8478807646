"""Names that a tracer counts (``relu_3``), in metadata: one call more shifts all later ones, and that changes nothing."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from functools import cached_property
from typing import Any, Final

from msgspec import structs

from graphlens.diff.matching import GraphMatch
from graphlens.diff.rows import Finding
from graphlens.program.graph import Provenance

FIELDS: Final = ("torch_fn", "source_fn_stack", "from_node")
_NUMBER: Final = re.compile(r"_\d+(?=$|\.)")
_DEEPEST: Final = 64
Names = Mapping[str, set[str]]


class Numbered:
    """Tells names that were only counted anew from other names, within one pair of graphs.

    Nodes that share such a name were made by one call, and passes group them by it. So the names must correspond one to
    one over all matched nodes; what was one call on one side and two on the other is another grouping.
    """

    def __init__(self, match: GraphMatch) -> None:
        self._match = match

    def judge(self, finding: Finding) -> Finding:
        """Give a change of numbers only its aspect; return any other as it is."""
        if finding.field not in FIELDS or finding.kind != "changed" or finding.aspect:
            return finding
        (ours, rest_a), (theirs, rest_b) = (_split(finding.field, v) for v in (finding.value_a, finding.value_b))
        if rest_a != rest_b or len(ours) != len(theirs):
            return finding
        forward, backward = self._names[finding.field]
        for x, y in zip(ours, theirs, strict=True):
            if _NUMBER.sub("", x) != _NUMBER.sub("", y) or forward[x] != {y} or backward[y] != {x}:
                return finding
        return structs.replace(finding, aspect="numbered")

    @cached_property
    def _names(self) -> Mapping[str, tuple[Names, Names]]:
        """For each field, which names stand where a name stands, both ways."""
        found: dict[str, tuple[dict[str, set[str]], dict[str, set[str]]]] = {field: ({}, {}) for field in FIELDS}
        for a, b in self._match.forward.items():
            one, two = self._match.a[a].meta, self._match.b[b].meta
            for field in FIELDS:
                if field in one and field in two:
                    ours, theirs = _split(field, one[field])[0], _split(field, two[field])[0]
                    for x, y in zip(ours, theirs, strict=False):
                        found[field][0].setdefault(x, set()).add(y)
                        found[field][1].setdefault(y, set()).add(x)
        return found


def _split(field: str, value: Any) -> tuple[list[str], list[Hashable]]:
    """Split a value into the names in it and everything else."""
    names: list[str] = []
    rest: list[Hashable] = []
    if field == "torch_fn" and isinstance(value, tuple) and value:
        return [" ".join(map(str, reversed(value)))], list(value[1:])  # calls are counted apart for each function
    if field == "source_fn_stack" and isinstance(value, tuple):
        for name, target in value:
            names.append(str(name))
            rest.append(target)
        return names, rest
    stack: list[tuple[int, Any]] = [(0, entry) for entry in reversed(value)] if isinstance(value, tuple) else []
    while stack:
        depth, entry = stack.pop()
        if not isinstance(entry, Provenance) or depth > _DEEPEST:
            return [], [repr(type(value))]
        names.append(entry.name)
        rest.append((depth, entry.pass_name, entry.action, "" if entry.target == entry.name else entry.target))
        stack.extend((depth + 1, inner) for inner in reversed(entry.from_node))
    return names, rest
