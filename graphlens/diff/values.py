"""What two matched nodes make, facet by facet and leaf by leaf.

A facet that one side does not record (`None`) differs from the other side only where that is not the default: a `.pt2`
has no conjugate bit, which says nothing about a tensor that is not conjugated and loses the bit of one that is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from graphlens.diff.renaming import Renaming
from graphlens.diff.rows import Finding, Kind, shorten
from graphlens.program.argument import same_literal
from graphlens.program.value import (
    ConstValue,
    ContainerValue,
    OpaqueValue,
    Size,
    SymValue,
    TensorValue,
    Value,
    shape_text,
    value_text,
)

SIZES: Final = ("shape", "stride")
FACETS: Final = (
    "shape", "dtype", "stride", "storage_offset", "device", "layout", "requires_grad", "conj", "neg", "type",
)  # fmt: skip
_DEFAULTS: Final[dict[str, Any]] = {
    "storage_offset": 0, "device": "cpu", "layout": "strided", "requires_grad": False, "conj": False, "neg": False,
    "type": "Tensor",
}  # fmt: skip


def compare_values(a: Value | None, b: Value | None, renaming: Renaming) -> Iterator[Finding]:
    """Yield what differs between two values; nothing is cut off where one container is longer."""
    if plainly_same_values(a, b, renaming):
        return
    stack: list[tuple[str, Value | None, Value | None]] = [("", a, b)]
    while stack:
        where, left, right = stack.pop()
        if isinstance(left, ContainerValue) and isinstance(right, ContainerValue):
            if left.kind != right.kind:
                yield _changed("type", left.kind, right.kind, where, _container_aspect(left, right))
            ours, theirs = _by_step(left), _by_step(right)
            yield from (
                _lone_item(where + step, ours, theirs, step)
                for step in {**ours, **theirs}
                if (step in ours) != (step in theirs)
            )
            both = [(where + step, item, theirs[step]) for step, item in ours.items() if step in theirs]
            stack.extend(reversed(both))
        else:
            yield from _compare_leaves(where, left, right, renaming)


def plainly_same_values(a: Value | None, b: Value | None, renaming: Renaming) -> bool:
    """Whether two values are clearly the same; `False` only says that it takes a closer look."""
    if renaming.identity and a is b:
        return True
    if type(a) is not TensorValue or type(b) is not TensorValue:
        return False
    if renaming.identity and a == b:
        return True
    return (
        a.dtype == b.dtype
        and renaming.same_all(a.shape, b.shape)
        and a.stride is not None
        and b.stride is not None
        and renaming.same_all(a.stride, b.stride)
        and renaming.same(a.storage_offset, b.storage_offset)
        and (a.device, a.layout, a.requires_grad, a.conj, a.neg, a.type)
        == (b.device, b.layout, b.requires_grad, b.conj, b.neg, b.type)
    )


def _container_aspect(a: ContainerValue, b: ContainerValue) -> str:
    return "" if "dict" in (a.kind, b.kind) else "container"


def _lone_item(where: str, a: Mapping[str, Value | None], b: Mapping[str, Value | None], step: str) -> Finding:
    """Make the finding of an item that one container has more, be it `None`: whoever picks from it counts."""
    item = a[step] if step in a else b[step]
    text = "None" if _nothing(item) else shorten(value_text(item))
    return Finding(
        field="val",
        kind="lost" if step in a else "added",
        a=text if step in a else "",
        b="" if step in a else text,
        where=where,
        aspect="item",
        value_a=a.get(step),
        value_b=b.get(step),
    )


def _by_step(container: ContainerValue) -> dict[str, Value | None]:
    if container.kind == "dict":
        return {f"[{key!r}]": item for key, item in zip(container.keys, container.items, strict=False)}
    return {f"[{i}]": item for i, item in enumerate(container.items)}


def _nothing(value: Value | None) -> bool:
    return value is None or (isinstance(value, ConstValue) and value.value is None)


def _compare_leaves(where: str, a: Value | None, b: Value | None, renaming: Renaming) -> Iterator[Finding]:
    if _nothing(a) or _nothing(b):
        if not (_nothing(a) and _nothing(b)):
            yield _finding("val", "lost" if _nothing(b) else "added", a, b, where)
    elif isinstance(a, TensorValue) and isinstance(b, TensorValue):
        yield from compare_tensors(a, b, renaming, where=where)
    elif isinstance(a, SymValue | ConstValue) and isinstance(b, SymValue | ConstValue):
        yield from _compare_numbers(where, a, b, renaming)
    elif isinstance(a, OpaqueValue) and isinstance(b, OpaqueValue) and a.type == b.type:
        if a.text != b.text and a.text and b.text:
            yield _finding("val", "changed", a, b, where)
    else:
        yield Finding(
            field="val.type", kind="changed", a=kind_text(a), b=kind_text(b), where=where, value_a=a, value_b=b
        )


def _compare_numbers(
    where: str, a: SymValue | ConstValue, b: SymValue | ConstValue, renaming: Renaming
) -> Iterator[Finding]:
    if isinstance(a, ConstValue) and isinstance(b, ConstValue):
        if not same_literal(a.value, b.value):
            yield _finding("val", "changed", a, b, where)
    elif isinstance(a, SymValue) and isinstance(b, SymValue):
        if a.kind != b.kind:
            yield _changed("type", a.kind, b.kind, where)
        elif not renaming.same(a.expr, b.expr):
            yield _finding("val", "changed", a, b, where)
    else:
        yield _finding("val", "changed", a, b, where, "generalised" if isinstance(a, ConstValue) else "specialised")


def compare_tensors(a: Any, b: Any, renaming: Renaming, *, where: str = "", field: str = "val.") -> Iterator[Finding]:
    """Yield the facets in which two tensors differ; `field` is put before the facet's name."""
    for facet in FACETS:
        left, right = getattr(a, facet), getattr(b, facet)
        if left is right or (left == right and facet not in ("shape", "stride", "storage_offset")):
            continue
        if left is None or right is None:
            known, tensor = (right, b) if left is None else (left, a)
            if not _is_default(facet, known, tensor):
                kind: Kind = "added" if left is None else "lost"
                yield _facet(field, facet, kind, left, right, where, "tensor class" if facet == "type" else "")
        elif facet in SIZES:
            if not renaming.same_all(left, right):
                yield _facet(field, facet, "changed", left, right, where, _size_aspect(left, right, renaming))
        elif facet == "storage_offset":
            if not renaming.same(left, right):
                yield _facet(field, facet, "changed", left, right, where)
        else:
            yield _facet(field, facet, "changed", left, right, where, "tensor class" if facet == "type" else "")


def _is_default(facet: str, value: Any, tensor: Any) -> bool:
    if facet == "stride":
        expected = contiguous(tensor.shape)
        return expected is None or value == expected
    return facet in _DEFAULTS and value == _DEFAULTS[facet]


def contiguous(shape: tuple[Size, ...] | None) -> tuple[int, ...] | None:
    """Return the strides of a contiguous tensor; `None` where sizes are symbolic or unknown."""
    if shape is None or any(type(size) is not int for size in shape):
        return None
    sizes = [size for size in shape if type(size) is int]
    return tuple(math.prod(max(size, 1) for size in sizes[i + 1 :]) for i in range(len(sizes)))


def _size_aspect(a: tuple[Size, ...], b: tuple[Size, ...], renaming: Renaming) -> str:
    """Say whether the only difference is that free sizes were fixed, or fixed sizes freed, or made of other symbols."""
    if len(a) != len(b):
        return ""
    differing = [(type(x), type(y)) for x, y in zip(a, b, strict=True) if not renaming.same(x, y)]
    if all(pair == (str, int) for pair in differing):
        return "specialised"
    if all(pair == (str, str) for pair in differing):
        return "symbolic"
    return "generalised" if all(pair == (int, str) for pair in differing) else ""


def _facet(field: str, facet: str, kind: Kind, a: Any, b: Any, where: str, aspect: str = "") -> Finding:
    return Finding(
        field=field + facet,
        kind=kind,
        a=facet_text(a),
        b=facet_text(b),
        aspect=aspect,
        where=where,
        value_a=a,
        value_b=b,
    )


def _changed(facet: str, a: str, b: str, where: str, aspect: str = "") -> Finding:
    return _facet("val.", facet, "changed", a, b, where, aspect)


def _finding(field: str, kind: Kind, a: Value | None, b: Value | None, where: str, aspect: str = "") -> Finding:
    return Finding(
        field=field,
        kind=kind,
        a=shorten(value_text(a)),
        b=shorten(value_text(b)),
        aspect=aspect,
        where=where,
        value_a=a,
        value_b=b,
    )


def facet_text(value: Any) -> str:
    """Write one facet: a shape as ``[2, s77]``, unknown as ``""``."""
    if value is None:
        return ""
    return shorten(shape_text(value)) if isinstance(value, tuple) else str(value)


def kind_text(value: Value | None) -> str:
    """Say what sort of thing a value is."""
    if isinstance(value, TensorValue):
        return value.type or "Tensor"
    if isinstance(value, ContainerValue | SymValue):
        return value.kind
    if isinstance(value, OpaqueValue):
        return value.type
    return type(value.value).__name__ if isinstance(value, ConstValue) else "nothing"
