"""Anything that stands among a node's arguments or metadata, to plain immutable data."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import torch
from torch import fx
from torch._ops import HigherOrderOperator, OpOverload, OpOverloadPacket

from graphlens.program.argument import Argument, Const, Map, Opaque, Ref, Seq, Slice, argument_text
from graphlens.program.value import value_text
from graphlens.read.live_code import function_code, module_code
from graphlens.read.live_fingerprint import fingerprint
from graphlens.read.live_names import object_text, python_attribute, shorten, target_text, text_attribute, type_name
from graphlens.read.live_torch import script_class
from graphlens.read.live_values import dtype_text, expression_text, symbolic_text, tensor_type, tensor_value

_PLAIN = frozenset((bool, int, float, complex, str, type(None)))
_DEPTH_LIMIT = 100
_ITEM_LIMIT = 200_000

Build = Callable[[Sequence[Argument]], Argument]
Parts = tuple[list[Any], Build]


def to_argument(obj: Any, graph: fx.Graph | None, *, passed: bool = False) -> Argument:
    """Convert an object; containers without recursion, cycles and endless structures cut and labelled.

    Parameters
    ----------
    obj
        An `fx.node.Argument`, or anything that a metadata key may hold.
    graph
        The graph whose nodes become references; a node of another graph is labelled.
    passed
        Whether a call gets the object: then what it holds decides what is computed, and a foreign object's label has a
        digest of all of it.
    """
    leaf = partial(_passed if passed else _leaf, graph=graph)
    parts = _parts(obj)
    if parts is None:
        return leaf(obj)
    if not any(map(_is_container, parts[0])):  # what nearly every argument is
        return parts[1]([leaf(item) for item in parts[0]])
    return _nested(obj, parts, leaf)


def _nested(root: Any, parts: Parts, leaf: Callable[[Any], Argument]) -> Argument:
    budget = _ITEM_LIMIT
    results: list[list[Argument]] = [[]]
    open_: list[tuple[int, Iterable[Any], Build]] = [(id(root), iter(parts[0]), parts[1])]
    inside = {id(root)}
    results.append([])
    while open_:
        key, items, build = open_[-1]
        for item in items:
            budget -= 1
            inner = _parts(item) if budget > 0 else None
            if inner is None:
                results[-1].append(leaf(item) if budget > 0 else _label(item, "too many items"))
            elif id(item) in inside:
                results[-1].append(_label(item, "contains itself"))
            elif len(open_) >= _DEPTH_LIMIT:
                results[-1].append(_label(item, "nested too deeply"))
            else:
                open_.append((id(item), iter(inner[0]), inner[1]))
                inside.add(id(item))
                results.append([])
                break
        else:
            open_.pop()
            inside.discard(key)
            done = build(results.pop())
            results[-1].append(done)
    return results[0][0]


def _label(obj: Any, why: str) -> Opaque:
    return Opaque(type_name(type(obj)), why)


def _is_container(obj: Any) -> bool:
    return isinstance(obj, tuple | list | dict | slice | range | set | frozenset) or (
        dataclasses.is_dataclass(obj) and not isinstance(obj, type)
    )


def _parts(obj: Any) -> Parts | None:
    """Take a container apart: its items, and how to put their arguments together; `None` for a leaf."""
    kind = type(obj)
    if kind in _PLAIN or kind is fx.Node:
        return None
    if isinstance(obj, list):
        return list(obj), lambda items: Seq("list", tuple(items))
    if isinstance(obj, tuple):
        return list(obj), lambda items: Seq("tuple", tuple(items))
    if isinstance(obj, dict):
        flat = [part for item in obj.items() for part in item]
        return flat, lambda items: Map(tuple(zip(items[::2], items[1::2], strict=True)))
    if isinstance(obj, slice):
        return [obj.start, obj.stop, obj.step], lambda items: Slice(*items)
    if isinstance(obj, range):
        return [obj.start, obj.stop, obj.step], lambda items: Opaque("range", _joined(items))
    if isinstance(obj, set | frozenset):
        name = kind.__name__
        return list(obj), lambda items: Opaque(name, ", ".join(sorted(map(argument_text, items))))
    if dataclasses.is_dataclass(obj) and not isinstance(obj, type) and not isinstance(obj, torch.nn.Module):
        return _dataclass_parts(obj)
    return None


def _dataclass_parts(obj: Any) -> Parts:
    names = [field.name for field in dataclasses.fields(obj) if field.repr]
    values = [_attribute(obj, name) for name in names]
    kind = type_name(type(obj))

    def build(items: Sequence[Argument]) -> Argument:
        text = ", ".join(f"{name}={argument_text(item)}" for name, item in zip(names, items, strict=True))
        return Opaque(kind, shorten(text))

    return values, build


def _attribute(obj: Any, name: str) -> Any:
    try:
        return getattr(obj, name)
    except Exception as error:  # noqa: BLE001 - a property of a foreign object may raise anything
        return f"raises {type(error).__name__}"


def _joined(items: Sequence[Argument]) -> str:
    return ", ".join(map(argument_text, items))


def _leaf(obj: Any, graph: fx.Graph | None) -> Argument:
    kind = type(obj)
    if kind is fx.Node:
        return Ref(obj.name) if obj.graph is graph else Opaque("torch.fx.node.Node", obj.name)
    if kind in _PLAIN:
        return obj  # type: ignore[no-any-return]
    convert = _BY_TYPE.get(kind)
    if convert is not None:
        return convert(obj)
    if isinstance(obj, torch.Tensor):
        return Opaque(tensor_type(obj), value_text(tensor_value(obj, {})))
    if isinstance(obj, enum.Enum):
        return Opaque(type_name(kind), obj.name)
    if isinstance(obj, type):
        return Const("type", type_name(obj))
    if isinstance(obj, HigherOrderOperator | OpOverload | OpOverloadPacket):
        return Const("function", target_text(obj))
    if _is_expression(obj):
        return Const("sym", expression_text(obj))
    if isinstance(obj, torch.nn.Module):
        return Opaque(type_name(kind), "")
    fqn = script_class(obj)
    if fqn is not None:
        return Opaque(fqn, "")
    if callable(obj) and text_attribute(obj, "__name__") is not None:
        return Const("function", f"{target_text(obj)} {function_code(obj)}".rstrip())
    return Opaque(type_name(kind), object_text(obj))


def _passed(obj: Any, graph: fx.Graph | None) -> Argument:
    """Convert what a call gets and that is no container."""
    found = _leaf(obj, graph)
    if type(found) is not Opaque or isinstance(obj, fx.Node | enum.Enum | type(Ellipsis)):
        return found
    if isinstance(obj, torch.nn.Module):
        held = isinstance(python_attribute(obj, "graph"), fx.Graph)
        return found if held else Opaque(found.type, module_code(obj))
    return Opaque(found.type, f"{found.text} [{fingerprint(obj)}]".lstrip())


def _is_expression(obj: Any) -> bool:
    return type(obj).__module__.startswith(("sympy.", "torch.utils._sympy.")) and hasattr(obj, "free_symbols")


_BY_TYPE: dict[type, Callable[[Any], Argument]] = {
    torch.dtype: lambda obj: Const("dtype", dtype_text(obj)),
    torch.device: lambda obj: Const("device", str(obj)),
    torch.layout: lambda obj: Const("layout", str(obj).removeprefix("torch.")),
    torch.memory_format: lambda obj: Const("memory_format", str(obj).removeprefix("torch.")),
    torch.qscheme: lambda obj: Const("qscheme", str(obj).removeprefix("torch.")),
    torch.SymInt: lambda obj: Const("sym", symbolic_text(obj)),
    torch.SymFloat: lambda obj: Const("sym", symbolic_text(obj)),
    torch.SymBool: lambda obj: Const("sym", symbolic_text(obj)),
    type(Ellipsis): lambda _: Opaque("ellipsis", "..."),
}
