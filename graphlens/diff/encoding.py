"""The structured values of rows as JSON-ready data, and back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Struct

from graphlens.diff.proof import Refusal
from graphlens.program.argument import MOST_BITS, Const, Map, Opaque, Ref, Seq, Slice, literal_text
from graphlens.program.frozen import freeze
from graphlens.program.graph import ModuleCall, Provenance, Subgraph
from graphlens.program.parts import InputSpec, ModuleSignature, OutputSpec, Range, StoredTensor
from graphlens.program.value import ConstValue, ContainerValue, OpaqueValue, SymValue, TensorValue

TYPE: Final = "$type"
"""Tells which struct an object is; no struct has a field of this name."""

_STRUCTS: Final[Mapping[str, type[Struct]]] = {
    struct.__name__: struct
    for struct in (
        *(Ref, Const, Seq, Map, Slice, Opaque),
        *(TensorValue, SymValue, ConstValue, ContainerValue, OpaqueValue),
        *(ModuleCall, Provenance, Subgraph),
        *(InputSpec, OutputSpec, Range, StoredTensor, ModuleSignature, Refusal),
    )
}
_NUMBERS: Final[Mapping[str, Callable[[str], Any]]] = {"float": float, "complex": complex}
_MAPPING: Final = "mapping"
_PLAIN: Final = frozenset({type(None), bool, int, str})
_DEEPEST: Final = 150
_NOT_WRITTEN: Final = "content"
"""Where a stored tensor's elements can be had: nothing that a text could hold."""

Put = Callable[[Any], None]


def plain(value: Any) -> Any:
    """Turn a structured value into JSON-ready data.

    A struct becomes ``{"$type": "TensorValue", …}`` with its fields, a mapping ``{"$type": "mapping", "items": [[key,
    value], …]}``, complex and non-finite numbers ``{"$type": "float", "text": "nan"}``, a tuple a list. What JSON has no
    form for, or is nested too deeply for readers of JSON, becomes an ``Opaque`` with its text.
    """
    if type(value) in _PLAIN and type(value) is not int:
        return value
    done: list[Any] = []
    stack: list[tuple[Any, Put, int]] = [(value, done.append, 0)]
    while stack:
        item, put, depth = stack.pop()
        if type(item) is int and item.bit_length() > MOST_BITS:
            put({TYPE: "Opaque", "type": "int", "text": literal_text(item)})
        elif type(item) in _PLAIN:
            put(item)
        elif isinstance(item, float | complex):
            finite = isinstance(item, float) and math.isfinite(item)
            put(item if finite else {TYPE: type(item).__name__, "text": repr(item)})
        elif depth > _DEEPEST:
            put({TYPE: "Opaque", "type": type(item).__name__, "text": "nested too deeply"})
        else:
            stack.extend((inner, inner_put, depth + 1) for inner, inner_put in reversed(_opened(item, put)))
    return done[0]


def _opened(item: Any, put: Put) -> list[tuple[Any, Put]]:
    """Put the shell of a container where it belongs, and say what goes where inside."""
    if isinstance(item, Struct) and type(item).__name__ in _STRUCTS:
        fields: dict[str, Any] = {TYPE: type(item).__name__}
        put(fields)
        names = [name for name in item.__struct_fields__ if name != _NOT_WRITTEN]
        return [(getattr(item, name), _setter(fields, name)) for name in names]
    if isinstance(item, Mapping):
        pairs: list[Any] = []
        put({TYPE: _MAPPING, "items": pairs})
        return [((key, inner), pairs.append) for key, inner in item.items()]
    if isinstance(item, tuple | list | set | frozenset):
        items: list[Any] = []
        put(items)
        return [(inner, items.append) for inner in (item if isinstance(item, tuple | list) else sorted(item, key=repr))]
    put({TYPE: "Opaque", "type": type(item).__name__, "text": str(item)})
    return []


def _setter(mapping: dict[str, Any], key: str) -> Put:
    def put(value: Any) -> None:
        mapping[key] = value

    return put


def structured(data: Any) -> Any:
    """Turn what `plain` made back into the structured value; lists become tuples.

    Raises
    ------
    KeyError, TypeError, ValueError
        The data is not what `plain` makes.
    """
    if not isinstance(data, dict | list):
        return data
    order: list[Any] = [data]
    for item in order:  # grows while it is walked
        inside = item.values() if isinstance(item, dict) else item
        order.extend(inner for inner in inside if isinstance(inner, dict | list))
    done: dict[int, Any] = {}
    for item in reversed(order):
        if isinstance(item, dict):
            done[id(item)] = _restored({key: done.get(id(inner), inner) for key, inner in item.items()})
        else:
            done[id(item)] = tuple(done.get(id(inner), inner) for inner in item)
    return done.get(id(data), data)


def _restored(fields: dict[str, Any]) -> Any:
    name = fields.pop(TYPE)
    if name in _NUMBERS:
        return _NUMBERS[name](fields["text"])
    if name == _MAPPING:
        return freeze(dict(fields["items"]))
    return _STRUCTS[name](**fields)
