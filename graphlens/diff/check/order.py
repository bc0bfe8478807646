"""The order of effects: random draws, collectives, asserts, and reads between the writes to one storage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphlens.diff.check.findings import Findings
from graphlens.diff.check.live import Facts, epochs
from graphlens.diff.check.reach import MARK
from graphlens.diff.check.storage import Sources, Storages
from graphlens.diff.effects import ASSERT, PURE, UNKNOWN

APART = "tensors that a caller passes share no storage"
ASSERTIONS = "order of assertions"


@dataclass(frozen=True)
class Sides:
    """A pair of graphs whose effects are compared."""

    path: str
    a: Facts
    b: Facts
    mate: Mapping[str, str]
    sources: Sources


def check_order(sides: Sides, findings: Findings) -> None:
    """Refuse pairs that stand in another order among the effects of their kind, or see another state of a storage."""
    _check_sequences(sides, findings)
    _check_states(sides, findings)
    if not any(f.writes or UNKNOWN in f.effects for facts in (sides.a, sides.b) for f in facts.does.values()):
        return
    other = _differing(sides)
    for x in other:
        message = "reads or writes a storage before or after another write to it"
        findings.refuse(sides.path, x, sides.mate[x], "order", message)
    if sides.sources.passed and not other and _differing(sides, passed=True):
        findings.assumptions[APART] = 1


def _check_sequences(sides: Sides, findings: Findings) -> None:
    mate = sides.mate
    ours, theirs = _sequences(sides.a), _sequences(sides.b)
    back = {right: left for left, right in mate.items()} if ours or theirs else {}
    for kind in dict.fromkeys((*ours, *theirs)):
        left = [name for name in ours.get(kind, ()) if name in mate]
        right = [name for name in theirs.get(kind, ()) if name in back]
        for x, y in zip(left, right, strict=False):
            if mate[x] == y:
                continue
            if kind == ASSERT and _only_asserts(sides.a, x) and _only_asserts(sides.b, y):
                findings.rules[ASSERTIONS] += 1
            else:
                findings.refuse(sides.path, x, mate[x], "order", f"{kind}: {x} comes where {back[y]} came")


def _only_asserts(facts: Facts, name: str) -> bool:
    """Whether a node does nothing but raise: which of two raises first shows in the message only."""
    found = facts.does.get(name, PURE)
    return set(found.effects) == {ASSERT} and not found.writes


def _sequences(facts: Facts) -> dict[str, list[str]]:
    """Nodes with an effect, by kind, in order. What is unknown may have any, so it stands in every sequence."""
    acting = [(name, found.effects) for name, found in facts.does.items() if found.effects]
    sequences: dict[str, list[str]] = {kind: [] for kind in sorted({kind for _, kinds in acting for kind in kinds})}
    for name, kinds in acting:
        for kind in sequences if UNKNOWN in kinds else kinds:
            sequences[kind].append(name)
    return sequences


def _check_states(sides: Sides, findings: Findings) -> None:
    """Refuse pairs that run after another number of changes of how everything runs (autocast, gradients on or off)."""
    ours, theirs = epochs(sides.a), epochs(sides.b)
    for x, y in sides.mate.items() if ours or theirs else ():
        if x in sides.a.live and ours.get(x, 0) != theirs.get(y, 0):
            findings.refuse(sides.path, x, y, "order", "runs in another state of the program")


def _differing(sides: Sides, *, passed: bool = False) -> list[str]:
    """Name the live nodes that see one of their operands after another number of writes than their partner does."""
    mate = sides.mate
    first, second = sides.sources.storages(passed=passed)
    ours, theirs = _states(sides.a, first), _states(sides.b, second)
    found = []
    for x, y in mate.items():
        left, right = ours.get(x), theirs.get(y)
        if (left or right) and x in sides.a.live and _named(left, sides.a, mate) != _named(right, sides.b, None):
            found.append(x)
    return found


_State = dict[str, int]


def _named(state: _State | None, facts: Facts, mate: Mapping[str, str] | None) -> set[tuple[str, tuple[int, ...], int]]:
    """Call operands by what made them, in the names of `b`."""
    found = set()
    for name, writes in (state or {}).items():
        source, picked = facts.source(name)
        image = source if mate is None or source.startswith(MARK) else mate.get(source, "")
        found.add((image, picked, writes))
    return found


def _states(facts: Facts, storages: Storages) -> dict[str, _State]:
    """For each node that touches written storage: how many writes the storage of each such operand had seen.

    A getitem that picks from a tuple hands on the item itself and reads nothing.
    """
    writes = dict.fromkeys(storages.written, 0)
    states: dict[str, _State] = {}
    for node in facts.graph.nodes if writes else ():
        if node.name not in facts.picks:
            read = storages.reads(node)
            state = {n: writes[r] for n in read if storages.holds(n) and (r := storages.root(n)) in writes}
            if state:
                states[node.name] = state
        for root in storages.writes(node.name):
            writes[root] += 1
    return states
