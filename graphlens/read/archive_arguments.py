"""The `Argument` union of an archive to plain arguments, each distinct literal decoded once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from msgspec import Raw

from graphlens.errors import ArchiveError
from graphlens.program.argument import Argument, Const, Map, Opaque, Ref, Seq
from graphlens.program.roles import Where
from graphlens.read import schema
from graphlens.read.archive_decode import Reading, decode
from graphlens.read.archive_enums import dtype_name, layout_name, memory_format_name
from graphlens.read.archive_values import device_text, number_of
from graphlens.read.limits import brief

_TENSOR, _END = b'{"as_tensor": {"name": "', b'"}}'
_NAMED_TENSOR = re.compile(rb'\{"as_tensor": \{"name": "(\w+)"\}\}', re.ASCII).fullmatch
_NOT_THERE = object()
_MAX_NESTING = 100
_MAX_TEXT = 2000


class Scope(Protocol):
    """What an argument needs of the graph around it."""

    reading: Reading
    refs: dict[str, Ref]

    def undefined(self, name: str) -> Argument:
        """Label a name that no node before this one has."""

    def nested_graph(self, raw: Raw, where: Where) -> Argument:
        """Hold the nested graph of a `GraphArgument`, and return what stands in its place."""


def to_argument(raw: Raw, scope: Scope, place: int | str) -> Argument:
    """Convert one argument.

    Parameters
    ----------
    raw
        The union's JSON.
    scope
        The graph whose nodes it may name.
    place
        The position or keyword under which the node has it.
    """
    data = bytes(raw)
    if data.startswith(_TENSOR) and data.endswith(_END):  # what most arguments are: no decoding, only the name
        ref = scope.refs.get(data[24:-3].decode("utf-8", "replace"))
        if ref is not None:
            return ref
    known = scope.reading.literals.get(data, _NOT_THERE)
    if known is not _NOT_THERE:
        literal: Argument = known
        return literal
    try:
        return _convert(data, scope, (place,))
    except ArchiveError as error:
        scope.reading.tolerate(error)
        return Opaque("unreadable", data.decode("utf-8", "replace")[:_MAX_TEXT])


def _convert(data: bytes, scope: Scope, where: Where) -> Argument:
    """Decode a union and, through dicts of arguments, what is inside it; its own stack instead of recursion."""
    top: list[tuple[str, Argument]] = []
    stack: list[tuple[list[tuple[str, Argument]], str, bytes, Where]] = [(top, "", data, where)]
    maps: list[tuple[list[tuple[str, Argument]], int, list[tuple[str, Argument]]]] = []
    while stack:
        into, key, item, here = stack.pop()
        member, value = union(item, scope.reading)
        if member == "as_string_to_argument":
            if len(here) > _MAX_NESTING:
                raise scope.reading.error(f"dicts are nested more than {_MAX_NESTING} deep")
            inner: list[tuple[str, Argument]] = []
            maps.append((into, len(into), inner))
            into.append((key, None))
            entries = decode(value, dict[str, Raw], scope.reading, f".{member}")
            stack.extend((inner, name, bytes(part), (*here, name)) for name, part in reversed(entries.items()))
        elif member == "as_graph":
            into.append((key, scope.nested_graph(value, here)))
        else:
            into.append((key, _leaf(item, member, value, scope)))
    for into, position, inner in reversed(maps):  # inner dicts were met after the ones that hold them
        into[position] = (into[position][0], Map(tuple(inner)))
    return top[0][1]


def tensor_name(raw: Raw) -> str | None:
    """Return the name in the commonest union as torch formats it; `None` for any other."""
    match = _NAMED_TENSOR(bytes(raw))
    return None if match is None else match[1].decode("ascii")


def union(data: bytes | Raw, reading: Reading) -> tuple[str, Raw]:
    """Take a union apart: the name of its one member and that member's JSON."""
    members = decode(data, dict[str, Raw], reading, "")
    if len(members) != 1:
        raise reading.error(f"a union with {len(members)} members instead of one: {brief(', '.join(members))}")
    return next(iter(members.items()))


def _leaf(data: bytes, member: str, value: Raw, scope: Scope) -> Argument:
    literal = _LITERALS.get(member)
    reading = scope.reading
    if literal is not None:
        kind, convert = literal
        made = reading.literals[data] = convert(decode(value, kind, reading, f".{member}"))
        return made
    named = _NAMED.get(member)
    if named is not None:
        kind, resolve = named
        return resolve(decode(value, kind, reading, f".{member}"), scope)
    text = bytes(value).decode("utf-8", "replace")[:_MAX_TEXT]
    reading.notice(
        f"argument kind {brief(member)}", "", f"an argument of a kind that this reader does not know: {brief(member)}"
    )
    return Opaque(member, text)


def _ref(name: str, scope: Scope) -> Argument:
    return scope.refs.get(name) or scope.undefined(name)


def _sequence(items: list[Any], kind: Any = "list") -> Seq:
    return Seq(kind, tuple(items))


def _symbolic(argument: schema.SymArgument, scope: Scope) -> Argument:
    if argument.as_name is not None:
        return _ref(argument.as_name, scope)
    if argument.as_float is not None:
        return number_of(argument.as_float)
    return argument.as_int if argument.as_bool is None else argument.as_bool


def _optional(argument: schema.OptionalTensor, scope: Scope) -> Argument:
    return None if argument.as_tensor is None else _ref(argument.as_tensor.name, scope)


def _custom_object(argument: schema.CustomObj, scope: Scope) -> Argument:
    return scope.refs.get(argument.name) or Opaque(argument.class_fqn, "")


def _refs(items: list[schema.Named], scope: Scope) -> Seq:
    return _sequence([_ref(item.name, scope) for item in items])


def _symbolics(items: list[schema.SymArgument], scope: Scope) -> Seq:
    return _sequence([_symbolic(item, scope) for item in items])


_LITERALS: Mapping[str, tuple[Any, Callable[[Any], Argument]]] = {
    "as_none": (Raw, lambda _: None),
    "as_int": (int, lambda value: value),
    "as_bool": (bool, lambda value: value),
    "as_float": (schema.Float, number_of),
    "as_string": (str, lambda value: value),
    "as_complex": (schema.Complex, lambda value: complex(number_of(value.real), number_of(value.imag))),
    "as_ints": (list[int], _sequence),
    "as_bools": (list[bool], _sequence),
    "as_floats": (list[schema.Float], lambda items: _sequence([number_of(item) for item in items])),
    "as_strings": (list[str], _sequence),
    "as_int_lists": (list[list[int]], lambda items: _sequence([_sequence(item, "tuple") for item in items])),
    "as_float_lists": (
        list[list[schema.Float]],
        lambda items: _sequence([_sequence([number_of(part) for part in item]) for item in items]),
    ),
    "as_scalar_type": (int, lambda value: Const("dtype", dtype_name(value))),
    "as_memory_format": (int, lambda value: Const("memory_format", memory_format_name(value))),
    "as_layout": (int, lambda value: Const("layout", layout_name(value))),
    "as_device": (schema.Device, lambda value: Const("device", device_text(value))),
    "as_operator": (str, lambda value: Const("function", value.removeprefix("torch.ops."))),
}
"""Members that mean the same everywhere."""

_NAMED: Mapping[str, tuple[Any, Callable[[Any, Scope], Argument]]] = {
    "as_tensor": (schema.Named, lambda item, scope: _ref(item.name, scope)),
    "as_tensors": (list[schema.Named], _refs),
    "as_nested_tensors": (
        list[list[schema.Named]],
        lambda items, scope: _sequence([_refs(item, scope) for item in items]),
    ),
    "as_optional_tensor": (schema.OptionalTensor, _optional),
    "as_optional_tensors": (
        list[schema.OptionalTensor],
        lambda items, scope: _sequence([_optional(item, scope) for item in items]),
    ),
    "as_sym_int": (schema.SymArgument, _symbolic),
    "as_sym_float": (schema.SymArgument, _symbolic),
    "as_sym_bool": (schema.SymArgument, _symbolic),
    "as_sym_ints": (list[schema.SymArgument], _symbolics),
    "as_sym_floats": (list[schema.SymArgument], _symbolics),
    "as_sym_bools": (list[schema.SymArgument], _symbolics),
    "as_custom_obj": (schema.CustomObj, _custom_object),
}
"""Members that name nodes of the graph they stand in."""
