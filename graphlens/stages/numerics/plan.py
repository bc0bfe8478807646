"""In which order two graphs are run side by side, and when each value can go. Imports no torch."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum

from msgspec import Struct

from graphlens.program.graph import Graph
from graphlens.stages.numerics.units import Unit


class Kind(Enum):
    """What a step does: run a node of `a`, of `b`, of both in step (their nested graphs too), or compare a unit."""

    A = "a"
    B = "b"
    BOTH = "both"
    COMPARE = "compare"


class Step(Struct, frozen=True, kw_only=True):
    """One step; `drop_a`, `drop_b` name the values that nothing needs after it."""

    kind: Kind
    a: str = ""
    b: str = ""
    unit: Unit | None = None
    drop_a: tuple[str, ...] = ()
    drop_b: tuple[str, ...] = ()


class Plan(Struct, frozen=True, kw_only=True):
    """All steps for a pair of graphs. `hold_b` names values of `b` that wait for `a` while `b` may write to them."""

    steps: tuple[Step, ...]
    hold_b: frozenset[str] = frozenset()


def plan(a: Graph, b: Graph, units: Sequence[Unit], writes_b: frozenset[str] = frozenset()) -> Plan:
    """Order the work: `a` in its own order, `b` in its own as far as `a` needs it, each comparison as soon as it can be.

    Parameters
    ----------
    a, b
        The two graphs.
    units
        What is compared.
    writes_b
        Nodes of `b` that may write to their inputs.
    """
    steps = list(_order(a, b, {unit.a: unit for unit in units}))
    drops_a, drops_b = _last_uses(a, b, steps)
    done = tuple(
        Step(
            kind=step.kind,
            a=step.a,
            b=step.b,
            unit=step.unit,
            drop_a=tuple(drops_a.get(i, ())),
            drop_b=tuple(drops_b.get(i, ())),
        )
        for i, step in enumerate(steps)
    )
    return Plan(steps=done, hold_b=_held(steps, writes_b))


def _order(a: Graph, b: Graph, by_a: Mapping[str, Unit]) -> Iterator[Step]:
    run = 0
    for node in a.nodes:
        unit = by_a.get(node.name)
        wanted = b.index[unit.b] if unit is not None else -1
        if unit is not None and wanted >= run and node.subgraphs and b.nodes[wanted].subgraphs:
            yield from (Step(kind=Kind.B, b=other.name) for other in b.nodes[run:wanted])
            yield Step(kind=Kind.BOTH, a=node.name, b=unit.b)
            run = wanted + 1
        else:
            yield Step(kind=Kind.A, a=node.name)
            yield from (Step(kind=Kind.B, b=other.name) for other in b.nodes[run : wanted + 1])
            run = max(run, wanted + 1)
        if unit is not None:
            yield Step(kind=Kind.COMPARE, unit=unit)
    yield from (Step(kind=Kind.B, b=other.name) for other in b.nodes[run:])


def _last_uses(a: Graph, b: Graph, steps: Sequence[Step]) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    last_a: dict[str, int] = {}
    last_b: dict[str, int] = {}
    for i, step in enumerate(steps):
        if step.a:
            last_a.update(dict.fromkeys((step.a, *a[step.a].inputs), i))
        if step.b:
            last_b.update(dict.fromkeys((step.b, *b[step.b].inputs), i))
        if step.unit is not None:
            stands_in = [name for name in step.unit.inputs_b.values() if name is not None]
            last_a.update(dict.fromkeys((step.unit.a, *step.unit.inputs_a, *stands_in), i))
            own = [name for name, mate in step.unit.inputs_b.items() if mate is None]
            last_b.update(dict.fromkeys((step.unit.b, *own), i))
    return _by_step(last_a), _by_step(last_b)


def _by_step(last: Mapping[str, int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for name, step in last.items():
        found.setdefault(step, []).append(name)
    return found


def _held(steps: Sequence[Step], writes_b: frozenset[str]) -> frozenset[str]:
    """The values of `b` between whose run and comparison `b` runs a node that writes."""
    ran: dict[str, int] = {}
    written = [i for i, step in enumerate(steps) if step.b in writes_b]
    held = set()
    for i, step in enumerate(steps):
        if step.b:
            ran[step.b] = i
        if step.unit is not None and bisect_right(written, ran[step.unit.b]) < bisect_left(written, i):
            held.add(step.unit.b)
    return frozenset(held)


def own_drops(graph: Graph) -> dict[str, tuple[str, ...]]:
    """For a graph that runs alone: which values can go after each node."""
    last: dict[str, str] = {}
    for node in graph.nodes:
        last[node.name] = node.name
        last.update(dict.fromkeys(node.inputs, node.name))
    found: dict[str, list[str]] = {}
    for name, at in last.items():
        found.setdefault(at, []).append(name)
    return {at: tuple(names) for at, names in found.items()}
