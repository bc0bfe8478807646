"""What `meta["val"]` describes, as plain data.

A facet that the source does not record is `None`, which reads "unknown" and is never invented: a `.pt2` file, for
example, has no conjugate bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal as OneOf
from typing import TypeAlias

from msgspec import Struct

from graphlens.program.argument import Literal, literal_text

Size: TypeAlias = int | str
"""A number, or the canonical text of a symbolic expression such as ``"s77"`` or ``"4*s77"``."""


class TensorValue(Struct, frozen=True, kw_only=True, gc=False):
    """One tensor. Sizes, strides and offset are in elements; `storage` numbers the storages of one graph.

    `type` is ``Tensor`` for plain and fake tensors, ``Parameter``, or the qualified name of a subclass.
    """

    shape: tuple[Size, ...]
    dtype: str
    stride: tuple[Size, ...] | None = None
    storage_offset: Size | None = None
    device: str | None = None
    layout: str | None = None
    requires_grad: bool | None = None
    conj: bool | None = None
    neg: bool | None = None
    type: str | None = None
    storage: int | None = None


class SymValue(Struct, frozen=True, gc=False):
    """A SymInt, SymFloat or SymBool: its kind, canonical expression and hint where there is one."""

    kind: OneOf["SymInt", "SymFloat", "SymBool"]
    expr: str
    hint: int | float | bool | None = None


class ConstValue(Struct, frozen=True, gc=False):
    """A number, string or `None` that is itself the value."""

    value: Literal


class ContainerValue(Struct, frozen=True, gc=False):
    """A tuple, list or dict of values (`keys` is empty unless it is a dict). An item may be absent: `None`."""

    kind: OneOf["tuple", "list", "dict"]
    items: tuple[Value | None, ...]
    keys: tuple[str, ...] = ()


class OpaqueValue(Struct, frozen=True, gc=False):
    """A value of another kind (script object, opaque type), labelled."""

    type: str
    text: str


Value: TypeAlias = TensorValue | SymValue | ConstValue | ContainerValue | OpaqueValue

SHORT_DTYPES = {
    "float32": "f32", "float64": "f64", "float16": "f16", "bfloat16": "bf16", "int64": "i64", "int32": "i32",
    "int16": "i16", "int8": "i8", "uint8": "u8", "uint16": "u16", "uint32": "u32", "uint64": "u64", "bool": "b8",
    "complex64": "c64", "complex128": "c128", "complex32": "c32",
}  # fmt: skip


def shape_text(shape: tuple[Size, ...]) -> str:
    """Write a shape as ``[2, s77]``."""
    return "[" + ", ".join(map(str, shape)) + "]"


def value_text(value: Value | None) -> str:
    """Write a value in the notation of FX's own `print_readable`: ``f32[2, s77]``."""
    if value is None:
        return ""
    if isinstance(value, TensorValue):
        return SHORT_DTYPES.get(value.dtype, value.dtype) + shape_text(value.shape)
    if isinstance(value, SymValue):
        return f"{value.kind}({value.expr})"
    if isinstance(value, ConstValue):
        return literal_text(value.value)
    if isinstance(value, OpaqueValue):
        return f"<{value.type}>"
    texts = [value_text(item) if item is not None else "None" for item in value.items]
    if value.kind == "dict":
        return "{" + ", ".join(f"{k}: {t}" for k, t in zip(value.keys, texts, strict=True)) + "}"
    inner = ", ".join(texts)
    return f"[{inner}]" if value.kind == "list" else f"({inner})"


def value_leaves(value: Value | None, path: str = "") -> Iterator[tuple[str, Value | None]]:
    """Yield `(path, leaf)` for each leaf of a value; the path reads ``[0]['k']`` and is ``""`` for a bare leaf."""
    stack: list[tuple[str, Value | None]] = [(path, value)]
    while stack:
        here, top = stack.pop()
        if not isinstance(top, ContainerValue):
            yield here, top
            continue
        steps = [f"[{k!r}]" for k in top.keys] if top.kind == "dict" else [f"[{i}]" for i in range(len(top.items))]
        stack.extend((here + step, item) for step, item in reversed(list(zip(steps, top.items, strict=True))))
