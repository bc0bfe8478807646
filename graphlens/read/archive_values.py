"""What an archive says about the values of a graph: tensors, symbolic numbers, script objects."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from msgspec import Raw

from graphlens.errors import ArchiveError
from graphlens.program.value import ConstValue, OpaqueValue, Size, SymValue, TensorValue, Value
from graphlens.read import schema
from graphlens.read.archive_decode import Reading, decode
from graphlens.read.archive_enums import dtype_name, layout_name
from graphlens.read.limits import brief

_SYMBOLIC: Mapping[str, type[schema.SymInt | schema.SymFloat | schema.SymBool]] = {
    "SymInt": schema.SymInt,
    "SymFloat": schema.SymFloat,
    "SymBool": schema.SymBool,
}


class Values:
    """The values of one graph by name, decoded when they are asked for; equal tensors become one object."""

    __slots__ = ("_others", "_reading", "_tensors", "_where")

    def __init__(self, graph: schema.Graph, reading: Reading, where: str) -> None:
        self._reading = reading
        self._where = where
        self._tensors = graph.tensor_values
        self._others: dict[str, tuple[str, str, Raw]] = {}
        for kind, field in (("SymInt", "sym_int_values"), ("SymFloat", "sym_float_values")):
            self._others.update((name, (kind, field, raw)) for name, raw in getattr(graph, field).items())
        self._others.update((name, ("SymBool", "sym_bool_values", raw)) for name, raw in graph.sym_bool_values.items())
        reading.symbolic |= bool(self._others)
        self._others.update((name, ("", "custom_obj_values", raw)) for name, raw in graph.custom_obj_values.items())

    def __contains__(self, name: str) -> bool:
        return name in self._tensors or name in self._others

    def get(self, name: str) -> Value | None:
        """Describe the value called `name`; `None` where the file says nothing about it."""
        if name in self._others:
            convert = self._other
        elif name in self._tensors:
            data = bytes(self._tensors[name])
            known: Value | None = self._reading.values.get(data)
            if known is not None:
                return known
            convert = self._tensor
        else:
            self._reading.notice("values without a description", self._where, f"nothing is said about {brief(name)}")
            return None
        try:
            return convert(name)
        except ArchiveError as error:
            self._reading.tolerate(error)
            return None

    def _tensor(self, name: str) -> Value:
        data = bytes(self._tensors[name])
        meta = decode(data, schema.TensorMeta, self._reading, f"{self._where}.tensor_values.{name}")
        if b"as_expr" in data:
            self._reading.symbolic = True
            self._reading.hints.update(_hints(meta))
        value = self._reading.values[data] = tensor_value(meta)
        return value

    def _other(self, name: str) -> Value:
        kind, field, raw = self._others[name]
        where = f"{self._where}.{field}.{name}"
        if not kind:
            return OpaqueValue(decode(raw, schema.CustomObj, self._reading, where).class_fqn, "")
        return symbolic_value(decode(raw, _SYMBOLIC[kind], self._reading, where), kind)


def tensor_value(meta: schema.TensorMeta) -> TensorValue:
    """Describe a tensor. What a file does not say (conjugate and negative bit, class) stays unknown."""
    return TensorValue(
        shape=tuple(map(size, meta.sizes)),
        dtype=dtype_name(meta.dtype),
        stride=tuple(map(size, meta.strides)),
        storage_offset=size(meta.storage_offset),
        device=device_text(meta.device),
        layout=layout_name(meta.layout),
        requires_grad=meta.requires_grad,
    )


def _hints(meta: schema.TensorMeta) -> Iterator[tuple[str, int]]:
    """Yield the example values that sizes carry; of whole expressions, of which only those of single symbols are of use."""
    for part in meta.sizes:
        if part.as_expr is not None and part.as_expr.hint is not None and part.as_expr.hint.as_int is not None:
            yield canonical(part.as_expr.expr_str), part.as_expr.hint.as_int


def device_text(device: schema.Device) -> str:
    """Write a device as torch does: ``cpu``, ``cuda:0``."""
    return device.type if device.index is None else f"{device.type}:{device.index}"


def size(number: schema.SymInt) -> Size:
    """Return a size, stride or offset: a number or canonical text; of one that says nothing ``?``."""
    if number.as_int is not None:
        return number.as_int
    if number.as_expr is None:
        return "?"
    text = canonical(number.as_expr.expr_str)
    return int(text) if _is_int(text) else text


def canonical(text: str) -> str:
    """Return `graphlens.program.expr.canonical_expr`, imported when the first symbol is met."""
    from graphlens.program.expr import canonical_expr

    return canonical_expr(text)


def _is_int(text: str) -> bool:
    return text.lstrip("-").isdecimal() and text.isascii() and len(text) < 40


def number_of(value: schema.Float | int) -> float:
    """Return a float that may be written as ``"NaN"``, ``"Infinity"`` or ``"-Infinity"``; other text is not-a-number."""
    if not isinstance(value, str):
        return float(value)
    return {"Infinity": math.inf, "-Infinity": -math.inf}.get(value, math.nan)


def symbolic_value(number: schema.SymInt | schema.SymFloat | schema.SymBool, kind: str) -> Value:
    """Describe a symbolic number; one whose expression is a constant is that constant."""
    if number.as_expr is None:
        if isinstance(number, schema.SymInt):
            return ConstValue(number.as_int)
        if isinstance(number, schema.SymBool):
            return ConstValue(number.as_bool)
        return ConstValue(None if number.as_float is None else number_of(number.as_float))
    text = canonical(number.as_expr.expr_str)
    if kind == "SymInt" and _is_int(text):
        return ConstValue(int(text))
    if kind == "SymBool" and text in ("True", "False"):
        return ConstValue(text == "True")
    return SymValue(kind, text, _hint(number.as_expr.hint))  # type: ignore[arg-type]


def _hint(hint: schema.SymExprHint | None) -> int | float | bool | None:
    if hint is None:
        return None
    if hint.as_float is not None:
        return number_of(hint.as_float)
    return hint.as_int if hint.as_bool is None else hint.as_bool
