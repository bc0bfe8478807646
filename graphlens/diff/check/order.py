"""The order of effects: random draws, collectives, asserts, and reads between the writes to one storage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphlens.diff.check.findings import Findings
from graphlens.diff.check.live import Facts
from graphlens.diff.effects import PURE, UNKNOWN


def check_order(
    path: str, a: Facts, b: Facts, mate: Mapping[str, str], ties: tuple[Ties, Ties], findings: Findings
) -> None:
    """Refuse pairs that stand in another order among the effects of their kind, or see another state of a storage."""
    back = {right: left for left, right in mate.items()}
    ours, theirs = _sequences(a), _sequences(b)
    for kind in dict.fromkeys((*ours, *theirs)):
        left = [name for name in ours.get(kind, ()) if name in mate]
        right = [name for name in theirs.get(kind, ()) if name in back]
        for x, y in zip(left, right, strict=False):
            if mate[x] != y:
                findings.refuse(path, x, mate[x], "order", f"{kind}: {x} comes where {back[y]} came")
    seen_a, seen_b = _states(a, ties[0]), _states(b, ties[1])
    if seen_a or seen_b:
        for x, y in mate.items():
            if x in a.live and seen_a.get(x, ()) != seen_b.get(y, ()):
                findings.refuse(path, x, y, "order", "reads or writes a storage before or after another write to it")


def _sequences(facts: Facts) -> dict[str, list[str]]:
    """Nodes with an effect, by kind, in order. What is unknown may have any, so it stands in every sequence."""
    kinds = {kind for found in facts.does.values() for kind in found.effects}
    sequences: dict[str, list[str]] = {kind: [] for kind in sorted(kinds)}
    for node in facts.graph.nodes:
        effects = facts.does.get(node.name, PURE).effects
        for kind in sequences if UNKNOWN in effects else effects:
            sequences[kind].append(node.name)
    return sequences


Ties = tuple[tuple[str, ...], ...]
"""Sets of placeholders that are known to share storage."""


def _states(facts: Facts, ties: Ties) -> dict[str, tuple[int, ...]]:
    """For each node that touches written storage: how many writes each storage had seen, per operand, sorted."""
    if not any(found.writes for found in facts.does.values()):
        return {}
    parent = {name: name for name in facts.nodes}
    for names in ties:
        _unite(parent, names)
    for name, found in facts.does.items():
        _unite(parent, (name, *found.shares))
    written = {_root(parent, name) for found in facts.does.values() for name in found.writes if name in parent}
    writes = dict.fromkeys(written, 0)
    states: dict[str, tuple[int, ...]] = {}
    for node in facts.graph.nodes:
        roots = [_root(parent, name) for name in dict.fromkeys(node.inputs) if name in parent]
        touched = [root for root in roots if root in writes]
        if touched:
            states[node.name] = tuple(sorted(writes[root] for root in touched))
        for root in {_root(parent, name) for name in facts.does.get(node.name, PURE).writes if name in parent}:
            writes[root] += 1
    return states


def _root(parent: dict[str, str], name: str) -> str:
    while parent[name] != name:
        parent[name] = parent[parent[name]]
        name = parent[name]
    return name


def _unite(parent: dict[str, str], names: Iterable[str]) -> None:
    known = [name for name in names if name in parent]
    for other in known[1:]:
        parent[_root(parent, other)] = _root(parent, known[0])
