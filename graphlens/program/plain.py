"""A Program as JSON-ready data."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from graphlens.program.argument import MOST_BITS, Const, Map, Opaque, Ref, Seq, Slice, literal_text
from graphlens.program.value import ConstValue, ContainerValue, OpaqueValue, SymValue, TensorValue

if TYPE_CHECKING:
    from graphlens.program.program import Program

FORMAT = "graphlens.program"
VERSION = 1

Put = Callable[[Any], None]


def program_dict(program: Program) -> dict[str, Any]:
    """Turn a program into dicts, lists, text and numbers that `json.dumps` takes.

    Returns
    -------
    dict
        ``format`` and ``version``, then the fields of `Program`; what a source does not say is left out. Arguments
        read ``{"ref": "x"}``, ``{"dtype": "float32"}``, ``{"list": […]}``, ``{"tuple": […]}``,
        ``{"dict": [[key, value], …]}``, ``{"slice": […]}``, ``{"opaque": type, "text": …}``; values
        ``{"tensor": {…}}``, ``{"SymInt": expression, "hint": …}``, ``{"const": …}``; non-finite and complex numbers
        ``{"float": "nan"}`` and ``{"complex": "1j"}``. A graph that several paths share is written once, then
        ``{"same_as": path}``.
    """
    written: dict[int, str] = {}
    graphs: dict[str, Any] = {}
    for path, graph in program.graphs.items():
        first = written.setdefault(id(graph), path)
        graphs[path] = plain(graph) if first == path else {"same_as": first}
    fields = {name: plain(getattr(program, name)) for name in program.__struct_fields__ if name not in _UNWRITTEN}
    return {
        "format": FORMAT,
        "version": VERSION,
        "graphs": graphs,
        **{k: v for k, v in fields.items() if v not in _EMPTY},
    }


_EMPTY: tuple[Any, ...] = (None, [], {})
_UNWRITTEN = frozenset(("graphs", "folders"))


def plain(value: Any) -> Any:
    """Turn structured values into JSON-ready data, without recursion."""
    done: list[Any] = []
    stack: list[tuple[Any, Put]] = [(value, done.append)]
    while stack:
        item, put = stack.pop()
        if type(item) is int and item.bit_length() > MOST_BITS:
            put(literal_text(item))
        elif item is None or isinstance(item, bool | int | str):
            put(item)
        elif isinstance(item, float):
            put(item if math.isfinite(item) else {"float": repr(item)})
        elif isinstance(item, complex):
            put({"complex": repr(item)})
        else:
            for inner, inner_put in reversed(_open(item, put)):
                stack.append((inner, inner_put))
    return done[0]


def _open(item: Any, put: Put) -> list[tuple[Any, Put]]:
    """Put the shell of a container where it belongs, and say what goes where inside."""
    tagged = _tagged(item)
    if tagged is not None:
        mapping, inside = tagged
        put(mapping)
        return [(inner, _setter(mapping, key)) for key, inner in inside.items()]
    if isinstance(item, Struct):
        mapping = {}
        put(mapping)
        found = [(getattr(item, name), name) for name in item.__struct_fields__ if name != "content"]
        return [(inner, _setter(mapping, name)) for inner, name in found if inner is not None and inner not in ((), {})]
    if isinstance(item, Mapping):
        mapping = {}
        put(mapping)
        return [(inner, _setter(mapping, str(key))) for key, inner in item.items()]
    if isinstance(item, tuple | list):
        inner_list: list[Any] = []
        put(inner_list)
        return [(inner, inner_list.append) for inner in item]
    put(str(item))
    return []


def _tagged(item: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The form of an argument or value: what is put at once, and what is still to be converted."""
    if isinstance(item, Ref):
        return {"ref": item.node}, {}
    if isinstance(item, Const):
        return {item.kind: item.text}, {}
    if isinstance(item, Seq):
        return {}, {item.kind: item.items}
    if isinstance(item, Map):
        return {}, {"dict": item.items}
    if isinstance(item, Slice):
        return {}, {"slice": (item.start, item.stop, item.step)}
    if isinstance(item, Opaque | OpaqueValue):
        return {"opaque": item.type, "text": item.text}, {}
    if isinstance(item, TensorValue):
        facets = {name: getattr(item, name) for name in item.__struct_fields__}
        return {}, {"tensor": {name: facet for name, facet in facets.items() if facet is not None}}
    if isinstance(item, SymValue):
        return {}, {item.kind: item.expr} | ({} if item.hint is None else {"hint": item.hint})
    if isinstance(item, ConstValue):
        return {}, {"const": item.value}
    if isinstance(item, ContainerValue):
        pairs = tuple(zip(item.keys, item.items, strict=True)) if item.kind == "dict" else item.items
        return {}, {item.kind: pairs}
    return None


def _setter(mapping: dict[str, Any], key: str) -> Put:
    def put(value: Any) -> None:
        mapping[key] = value

    return put
