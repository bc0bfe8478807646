"""The facets of a recorded value that decide what is computed on it."""

from __future__ import annotations

from graphlens.diff.check.symbols import Renaming
from graphlens.program.argument import same_literal
from graphlens.program.value import (
    ConstValue,
    ContainerValue,
    OpaqueValue,
    SymValue,
    TensorValue,
    Value,
    value_text,
)


def value_mismatch(a: Value | None, b: Value | None, renaming: Renaming) -> str | None:
    """Say which facet of two values disagrees; `None` where all that both sides know agree."""
    stack: list[tuple[Value | None, Value | None]] = [(a, b)]
    while stack:
        left, right = stack.pop()
        if left is None or right is None:
            continue
        if isinstance(left, TensorValue) and isinstance(right, TensorValue):
            why = _tensor(left, right, renaming)
            if why is not None:
                return why
        elif isinstance(left, ContainerValue) and isinstance(right, ContainerValue):
            if len(left.items) != len(right.items) or left.keys != right.keys:
                return f"val: {value_text(left)} and {value_text(right)}"
            stack.extend(zip(reversed(left.items), reversed(right.items), strict=True))
        elif not _leaf(left, right, renaming):
            return f"val: {value_text(left)} and {value_text(right)}"
    return None


def _leaf(a: Value, b: Value, renaming: Renaming) -> bool:
    if isinstance(a, SymValue) and isinstance(b, SymValue):
        return a.kind == b.kind and renaming.agree(a.expr, b.expr)
    if isinstance(a, ConstValue) and isinstance(b, ConstValue):
        return same_literal(a.value, b.value)
    return isinstance(a, OpaqueValue) and isinstance(b, OpaqueValue) and a.type == b.type


def _tensor(a: TensorValue, b: TensorValue, renaming: Renaming) -> str | None:
    if a.dtype != b.dtype:
        return f"val.dtype: {a.dtype} and {b.dtype}"
    for facet in ("shape", "stride"):
        ours, theirs = getattr(a, facet), getattr(b, facet)
        if ours is None or theirs is None:
            continue
        if len(ours) != len(theirs) or not all(map(renaming.agree, ours, theirs)):
            return f"val.{facet}: {list(ours)} and {list(theirs)}"
    if (
        a.storage_offset is not None
        and b.storage_offset is not None
        and not renaming.agree(a.storage_offset, b.storage_offset)
    ):
        return f"val.storage_offset: {a.storage_offset} and {b.storage_offset}"
    for facet in ("device", "layout", "conj", "neg"):
        ours, theirs = getattr(a, facet), getattr(b, facet)
        if ours is not None and theirs is not None and ours != theirs:
            return f"val.{facet}: {ours} and {theirs}"
    return None
