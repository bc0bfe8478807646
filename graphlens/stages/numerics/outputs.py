"""What a program leaves behind: its outputs by position, and what it wrote to its inputs and its own state, by name.

One program may return a new value of a buffer where another writes to the buffer itself; by name they can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch.utils import _pytree as pytree

from graphlens.stages.numerics.metrics import difference, facets
from graphlens.stages.numerics.rows import Difference, OutputRow
from graphlens.stages.numerics.subject import Subject

_STATE = ("BUFFER_MUTATION", "PARAMETER_MUTATION")


def results_of(
    subject: Subject, output: Any, placeholders: Mapping[str, Any], attributes: Mapping[str, Any]
) -> dict[str, Any]:
    """Name everything that one run left behind.

    Parameters
    ----------
    subject
        What was run.
    output
        What its root graph returned.
    placeholders
        The values of the placeholders that it may have written to, after the run, by node name.
    attributes
        The same for the module's own tensors, by dotted name.
    """
    found: dict[str, Any] = {}
    leaves = pytree.tree_leaves(output)
    kinds = (
        [(spec.kind.name, spec.target) for spec in subject.source.graph_signature.output_specs]
        if subject.exported
        else []
    )
    count = 0
    for i, leaf in enumerate(leaves):
        kind, target = kinds[i] if i < len(kinds) else ("USER_OUTPUT", None)
        if kind in _STATE:
            found[f"state {target}"] = leaf
        elif kind == "USER_INPUT_MUTATION":
            found[f"input {target}"] = leaf
        elif kind in ("USER_OUTPUT", "LOSS_OUTPUT"):
            found[f"output[{count}]"] = leaf
            count += 1
        else:
            found[f"{kind.lower().replace('_', ' ')} {target or i}"] = leaf
    written = {label: placeholders[name] for name, label in _labels(subject) if name in placeholders}
    written |= {f"state {name}": value for name, value in attributes.items()}
    return found | {label: value for label, value in written.items() if label not in found}


def _labels(subject: Subject) -> Iterator[tuple[str, str]]:
    """Placeholders by node name, and what is behind them."""
    nodes = [node for node in subject.module.graph.nodes if node.op == "placeholder"]
    specs = subject.source.graph_signature.input_specs if subject.exported else [None] * len(nodes)
    for node, spec in zip(nodes, specs, strict=False):
        own = spec is not None and spec.kind.name != "USER_INPUT"
        yield node.name, f"state {spec.target}" if own and spec is not None else f"input {node.name}"


def output_rows(a: Mapping[str, Any], b: Mapping[str, Any], unchanged: Mapping[str, Any]) -> Iterator[OutputRow]:
    """Compare what two runs left behind; `unchanged` has the state before, for what only one of them wrote to."""
    for name in {**a, **b}:
        if name.startswith("output") and (name not in a or name not in b):
            note = f"only {'a' if name in a else 'b'} returns it"
            yield OutputRow(leaf=name, error=Difference(equal=False, comparable=False, note=note))
            continue
        if not (name in a or name in unchanged) or not (name in b or name in unchanged):
            continue
        left, right = a.get(name, unchanged.get(name)), b.get(name, unchanged.get(name))
        shape, dtype = facets(left)
        yield OutputRow(leaf=name, error=difference(left, right), shape=shape, dtype=dtype)


def unchanged_state(subject: Subject) -> dict[str, Any]:
    """A program's own tensors, by the names of `results_of`."""
    if subject.exported:
        tables = (subject.source.constants, subject.source.state_dict)
        return {f"state {k}": v for table in tables for k, v in table.items() if isinstance(v, torch.Tensor)}
    module = subject.module
    return {f"state {k}": v for k, v in (*module.named_parameters(), *module.named_buffers())}
