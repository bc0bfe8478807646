"""One row for one pair of values: what differs, and whose doing it is."""

from __future__ import annotations

from typing import Any

import torch
from msgspec.structs import replace
from torch import fx

from graphlens.program.frames import source_text
from graphlens.program.graph import Node
from graphlens.stages.numerics.judge import Question, judge
from graphlens.stages.numerics.lane import Frame
from graphlens.stages.numerics.lockstep import Both, Pairing
from graphlens.stages.numerics.metrics import difference, facets
from graphlens.stages.numerics.rerun import tensor_bytes
from graphlens.stages.numerics.rows import NodeRow
from graphlens.stages.numerics.side import Side
from graphlens.stages.numerics.units import Unit
from graphlens.stages.numerics.writes import draws


def compare_unit(pairing: Pairing, both: Both, unit: Unit) -> NodeRow | None:
    """Compare a unit whose values both sides have; `None` where the value is a nested graph and no value at all."""
    value_a = both.a.values[unit.a]
    value_b = both.held.get(unit.b, both.b.values.get(unit.b))
    if isinstance(value_a, fx.GraphModule):
        return None
    error = difference(value_a, value_b)
    equal_before = all(mate is not None and both.equal.get(mate, False) for mate in unit.inputs_b.values())
    both.equal[unit.a] = error.equal
    if error.recast and isinstance(value_b, torch.Tensor):
        both.dtypes[unit.a] = value_b.dtype
    node_a = pairing.a.program.graphs[both.a.path][unit.a]
    node_b = pairing.b.program.graphs[both.b.path][unit.b]
    shape, dtype = facets(value_a)
    row = NodeRow(
        graph=both.a.path,
        node_a=unit.a,
        node_b=unit.b,
        target_a=node_a.target,
        target_b=node_b.target,
        module=node_a.module or node_b.module,
        source=_source(node_a) or _source(node_b),
        iteration=both.iteration,
        match=unit.match,
        error=error,
        random=_draws(pairing.a, both.a, unit.nodes_a) or _draws(pairing.b, both.b, unit.nodes_b),
        shape=shape,
        dtype=dtype,
        absorbed_a=unit.nodes_a[:-1],
        absorbed_b=unit.nodes_b[:-1],
        note=both.notes.pop(unit.a, ""),
    )
    if error.equal:
        return row
    told = _handed_down(pairing, both, unit)
    if told is not None:
        return replace(row, status="inherited", note="; ".join(text for text in (row.note, told) if text))
    return _judged(row, pairing, both, unit, (value_a, value_b), equal_before)


def _draws(side: Side, frame: Frame, names: tuple[str, ...]) -> bool:
    """Whether any of some nodes is an op that draws random numbers."""
    nodes = [side.live(frame, name) for name in names]
    return any(draws(node) for node in nodes if isinstance(node.target, torch._ops.OpOverload))  # noqa: SLF001


def _handed_down(pairing: Pairing, both: Both, unit: Unit) -> str | None:
    """Say where a difference comes from that was seen before it got here; `None` where it may be the node's own."""
    if both.a.path and pairing.a.live(both.a, unit.a).op == "placeholder":
        return ""
    inside = pairing.rows[both.began.pop(unit.a, len(pairing.rows)) :]
    guilty = next((row for row in inside if row.status in ("departs", "rounding")), None)
    return None if guilty is None else f"from {guilty.node_a} in {guilty.graph}"


def _judged(
    row: NodeRow, pairing: Pairing, both: Both, unit: Unit, values: tuple[Any, Any], inputs_equal: bool
) -> NodeRow:
    question = question_of(pairing, both, unit, values, inputs_equal)
    found = judge(question, row.error)
    other_draw = row.random and found.status == "departs"
    return replace(
        row,
        status="random" if other_draw else found.status,
        local=found.local,
        deterministic=found.deterministic,
        note="; ".join(text for text in (row.note, found.note) if text),
    )


def question_of(pairing: Pairing, both: Both, unit: Unit, values: tuple[Any, Any], inputs_equal: bool) -> Question:
    """Gather what is needed to find out where a difference comes from."""
    inputs_a, inputs_b = inputs_of(both, unit)
    state = next((both.states[name] for name in unit.nodes_a if name in both.states), None)
    return Question(
        module_a=both.a.module,
        module_b=both.b.module,
        nodes_a=tuple(pairing.a.live(both.a, name) for name in unit.nodes_a),
        nodes_b=tuple(pairing.b.live(both.b, name) for name in unit.nodes_b),
        value_a=values[0],
        value_b=values[1],
        inputs_a=inputs_a,
        inputs_b=inputs_b,
        inputs_equal=inputs_equal,
        run_a=lambda job: pairing.a.call(job, state),
        run_b=lambda job: pairing.b.call(job, state),
        memory=lambda: tensor_bytes(list(both.a.values.values()), list(both.b.values.values())),
        recast=any(mate in both.dtypes for mate in unit.inputs_b.values()),
        given=pairing.b.live(both.b, unit.b).op in ("placeholder", "get_attr") and len(unit.nodes_a) == 1,
    )


def inputs_of(both: Both, unit: Unit) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """What the nodes of `a` use, as it was before they ran; and the same for those of `b`, `None` where a value is missing.

    Where `b` has a value in another precision, the reference's is brought to it.
    """
    before: dict[str, Any] = {}
    for name in reversed(unit.nodes_a):
        before.update(both.before.get(name, {}))
    inputs_a = {name: before.get(name, both.a.values.get(name)) for name in unit.inputs_a}
    if not unit.local:
        return inputs_a, None
    inputs_b: dict[str, Any] = {}
    for name, mate in unit.inputs_b.items():
        if mate is None:
            if name not in both.b.values:
                return inputs_a, None
            inputs_b[name] = both.b.values[name]
        elif mate in before or mate in both.a.values:
            value = before[mate] if mate in before else both.a.values[mate]
            inputs_b[name] = value.to(both.dtypes[mate]) if mate in both.dtypes else value
        else:
            return inputs_a, None
    return inputs_a, inputs_b


def _source(node: Node) -> str:
    return source_text(node.stack_trace)
