"""The facets of a value as short texts; what the source did not record is left out, never invented."""

from __future__ import annotations

from graphlens.program.argument import literal_text
from graphlens.program.value import (
    SHORT_DTYPES,
    ConstValue,
    OpaqueValue,
    SymValue,
    TensorValue,
    Value,
    shape_text,
)

_FLAGS = ("requires_grad", "conj", "neg")
_TEXTS = ("device", "layout", "type", "storage_offset", "storage")


def dtype_words(value: TensorValue) -> tuple[str, ...]:
    """Return the words under which a tensor's dtype is searched: ``float32``, ``f32``."""
    return tuple(dict.fromkeys((value.dtype, SHORT_DTYPES.get(value.dtype, value.dtype))))


def leaf_facets(value: Value | None) -> list[tuple[str, str]]:
    """Return `(facet, text)` of one leaf of a value."""
    if isinstance(value, TensorValue):
        return _tensor_facets(value)
    if isinstance(value, SymValue):
        hint = [] if value.hint is None else [("hint", str(value.hint))]
        return [("type", value.kind), ("expr", value.expr), *hint]
    if isinstance(value, ConstValue):
        return [("type", type(value.value).__name__), ("value", literal_text(value.value))]
    if isinstance(value, OpaqueValue):
        return [("type", value.type), ("value", value.text)]
    return [("value", "None")]


def _tensor_facets(value: TensorValue) -> list[tuple[str, str]]:
    found = [("shape", shape_text(value.shape)), ("dtype", value.dtype)]
    if value.stride is not None:
        found.append(("stride", shape_text(value.stride)))
    found += [(name, str(getattr(value, name))) for name in _TEXTS if getattr(value, name) is not None]
    found += [(name, str(getattr(value, name))) for name in _FLAGS if getattr(value, name) is not None]
    return found
