"""What must be equal between a Program read from a file and one read from the object that torch loads from it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from graphlens.program.argument import same_argument
from graphlens.program.program import Program
from graphlens.program.value import ConstValue, ContainerValue, OpaqueValue, SymValue, TensorValue, Value

NOT_IN_THE_FILE = {"unbacked_bindings"}
"""Metadata that torch computes anew when it loads."""


def differences(archived: Program, loaded: Program) -> Iterator[str]:
    """Yield every difference in a field that the file holds, but for what `torch.export.load` is known to drop."""
    if list(archived.graphs) != list(loaded.graphs):
        yield f"graphs {list(archived.graphs)} {list(loaded.graphs)}"
        return
    for path, graph in archived.graphs.items():
        other = loaded.graphs[path]
        if [n.name for n in graph.nodes] != [n.name for n in other.nodes]:
            yield f"{path}: names {[(a.name, b.name) for a, b in zip(graph.nodes, other.nodes) if a.name != b.name][:5]} {len(graph)} {len(other)}"
            continue
        for a, b in zip(graph.nodes, other.nodes, strict=True):
            yield from (f"{path or 'root'}:{a.name} {text}" for text in _node_differences(a, b))
    for field in ("inputs", "outputs", "module_calls", "guards", "in_spec", "out_spec"):
        left, right = getattr(archived, field), getattr(loaded, field)
        if repr(left) != repr(right):  # repr tells True from 1
            yield f"{field}: {left!r} {right!r}"
    if dict(archived.ranges) != dict(loaded.ranges):
        for symbol in {*archived.ranges, *loaded.ranges}:
            a, b = archived.ranges.get(symbol), loaded.ranges.get(symbol)
            if b is not None and a != b:  # torch drops ranges of symbols it does not meet again
                yield f"range {symbol}: {a} {b}"
    yield from _stored_differences(archived, loaded)


def _node_differences(a: Any, b: Any) -> Iterator[str]:
    for field in ("op", "target", "arg_names", "subgraphs"):
        if getattr(a, field) != getattr(b, field):
            yield f"{field}: {getattr(a, field)!r} {getattr(b, field)!r}"
    if len(a.args) != len(b.args) or not all(map(same_argument, a.args, b.args)):
        yield f"args: {a.args} {b.args}"
    if list(a.kwargs) != list(b.kwargs) or not all(same_argument(a.kwargs[k], b.kwargs[k]) for k in a.kwargs):
        yield f"kwargs: {a.kwargs} {b.kwargs}"
    ours, theirs = dict(a.meta), {k: v for k, v in b.meta.items() if k not in NOT_IN_THE_FILE}
    if ours != theirs:
        for key in {*ours, *theirs}:
            if ours.get(key, "absent") != theirs.get(key, "absent"):
                yield f"meta {key}: {ours.get(key, 'absent')!r} {theirs.get(key, 'absent')!r}"
    yield from _value_differences(a.value, b.value)


def _value_differences(a: Value | None, b: Value | None) -> Iterator[str]:
    if isinstance(a, TensorValue) and isinstance(b, TensorValue):
        for facet in ("shape", "dtype", "stride", "device", "requires_grad"):  # torch drops offset and layout
            if getattr(a, facet) != getattr(b, facet):
                yield f"val.{facet}: {getattr(a, facet)} {getattr(b, facet)}"
    elif isinstance(a, ContainerValue) and isinstance(b, ContainerValue):
        if a.kind != b.kind or len(a.items) != len(b.items):
            yield f"val: {a} {b}"
        else:
            for x, y in zip(a.items, b.items, strict=True):
                yield from _value_differences(x, y)
    elif isinstance(a, SymValue) and isinstance(b, SymValue):
        if (a.kind, a.expr) != (b.kind, b.expr) or (a.hint is not None and a.hint != b.hint):
            yield f"val: {a} {b}"
    elif isinstance(a, ConstValue) and isinstance(b, ConstValue):
        if not same_argument(a.value, b.value):
            yield f"val: {a} {b}"
    elif a != b or isinstance(a, OpaqueValue) != isinstance(b, OpaqueValue):
        yield f"val: {a} {b}"


def _stored_differences(archived: Program, loaded: Program) -> Iterator[str]:
    ours, theirs = {t.fqn: t for t in archived.stored}, {t.fqn: t for t in loaded.stored}
    if list(ours) != list(theirs):
        yield f"stored: {list(ours)} {list(theirs)}"
        return
    for fqn, a in ours.items():
        b = theirs[fqn]
        for field in ("kind", "shape", "dtype", "stride", "storage_offset", "device", "layout", "requires_grad"):
            if getattr(a, field) != getattr(b, field):
                yield f"stored {fqn} {field}: {getattr(a, field)} {getattr(b, field)}"
        if a.content is not None and b.content is not None and a.content.digest() != b.content.digest():
            yield f"stored {fqn}: elements differ"
    for one, two in product(ours, ours):
        here, there = (ours[one], ours[two]), (theirs[one], theirs[two])
        if here[0].storage and (here[0].storage == here[1].storage) != (there[0].storage == there[1].storage):
            yield f"stored {one} and {two}: sharing differs"
