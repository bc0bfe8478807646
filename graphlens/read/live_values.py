"""What `meta["val"]` holds, to plain values. Reads facets, never elements."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from functools import lru_cache
from typing import Any
from typing import Literal as OneOf

import torch

from graphlens.program.expr import canonical_expr
from graphlens.program.value import ConstValue, ContainerValue, OpaqueValue, Size, SymValue, TensorValue, Value
from graphlens.read.live_names import object_text, type_name
from graphlens.read.live_torch import script_class, storage_address, without_torch_function

Storages = MutableMapping[int, int]
"""Storage address to its number in one graph."""

_PLAIN = (bool, int, float, complex, str, type(None))
_KINDS: dict[type, OneOf["SymInt", "SymFloat", "SymBool"]] = {
    torch.SymInt: "SymInt",
    torch.SymFloat: "SymFloat",
    torch.SymBool: "SymBool",
}
_SYMBOLIC = tuple(_KINDS)
_AS_CONSTANT = {torch.SymInt: "maybe_as_int", torch.SymFloat: "maybe_as_float", torch.SymBool: "maybe_as_bool"}
_DEPTH_LIMIT = 64


def to_value(obj: Any, storages: Storages) -> Value:
    """Describe a value, whatever it is; containers without recursion.

    Parameters
    ----------
    obj
        What a node's metadata has as ``val`` or ``example_value``.
    storages
        Numbers the storages of one graph in the order they are met; grows.
    """
    leaf = _leaf(obj, storages)
    if leaf is not None:
        return leaf
    done: dict[int, Value] = {}
    stack: list[tuple[Any, int]] = [(obj, 0)]
    while stack:
        top, depth = stack[-1]
        inner = list(top.values()) if isinstance(top, dict) else list(top)
        waiting = [] if depth >= _DEPTH_LIMIT else [i for i in inner if _is_container(i) and id(i) not in done]
        if waiting:
            stack.extend((item, depth + 1) for item in waiting)
            continue
        stack.pop()
        items = tuple(done.get(id(i)) or _leaf(i, storages) or _too_deep(i) for i in inner)
        if isinstance(top, dict):
            done[id(top)] = ContainerValue("dict", items, tuple(_key_text(key) for key in top))
        else:
            done[id(top)] = ContainerValue("list" if isinstance(top, list) else "tuple", items)
    return done[id(obj)]


def _is_container(obj: Any) -> bool:
    return isinstance(obj, tuple | list | dict)


def _too_deep(obj: Any) -> Value:
    return OpaqueValue(type_name(type(obj)), "nested too deeply, or in itself")


def _key_text(key: Any) -> str:
    return key if isinstance(key, str) else object_text(key)


def _leaf(obj: Any, storages: Storages) -> Value | None:
    """Describe anything that is not a container; `None` for a container."""
    if isinstance(obj, torch.Tensor):
        return tensor_value(obj, storages)
    if type(obj) in _PLAIN:
        return ConstValue(obj)
    if isinstance(obj, _SYMBOLIC):
        return symbolic_value(obj)
    if _is_container(obj):
        return None
    fqn = script_class(obj)
    if fqn is not None:
        return OpaqueValue(fqn, "")
    return OpaqueValue(type_name(type(obj)), "" if isinstance(obj, torch.nn.Module) else object_text(obj))


def symbolic_value(obj: Any) -> SymValue | ConstValue:
    """Describe a SymInt, SymFloat or SymBool; one whose expression is a number is that number."""
    constant = _constant(obj)
    if constant is not None:
        return ConstValue(constant)
    hint = getattr(obj.node, "hint", None)
    kind = _KINDS[type(obj)]
    return SymValue(kind, symbolic_text(obj), hint if isinstance(hint, bool | int | float) else None)


def _constant(obj: Any) -> bool | int | float | None:
    try:
        constant = getattr(obj.node, _AS_CONSTANT[type(obj)])()
    except (AttributeError, RuntimeError, TypeError, KeyError):
        return None
    return constant if isinstance(constant, bool | int | float) else None


def symbolic_text(obj: Any) -> str:
    """Canonical text of a symbolic number's expression; of a nested int (``j0``) its own text."""
    expr = getattr(obj.node, "expr", None)
    return str(obj) if expr is None else expression_text(expr)


@lru_cache(maxsize=65536)
def expression_text(expr: Any) -> str:
    """Canonical text of a sympy expression, made from its `srepr` just as a file holds it."""
    from sympy.printing.repr import srepr

    return canonical_expr(srepr(expr))


def size_of(size: Any) -> Size:
    """A size, stride or offset: a number, or the canonical text of its expression."""
    if type(size) is int:
        return size
    constant = _constant(size) if isinstance(size, torch.SymInt) else None
    return int(size) if isinstance(size, int) else int(constant) if constant is not None else symbolic_text(size)


def tensor_value(tensor: torch.Tensor, storages: Storages) -> TensorValue:
    """Describe a tensor; a facet that its layout or class does not have is `None`."""
    with without_torch_function():
        nested = tensor.is_nested and tensor.layout is torch.strided  # has sizes, but no shape
        strided = tensor.layout is torch.strided and not nested
        return TensorValue(
            shape=() if nested else tuple(map(size_of, tensor.shape)),
            dtype=dtype_text(tensor.dtype),
            stride=facet(lambda: tuple(map(size_of, tensor.stride()))) if strided else None,
            storage_offset=facet(lambda: size_of(tensor.storage_offset())) if strided else None,
            device=str(tensor.device),
            layout="nested" if nested else str(tensor.layout).removeprefix("torch."),
            requires_grad=tensor.requires_grad,
            conj=tensor.is_conj(),
            neg=tensor.is_neg(),
            type=tensor_type(tensor),
            storage=facet(lambda: _storage_number(tensor, storages)) if strided else None,
        )


def _storage_number(tensor: torch.Tensor, storages: Storages) -> int:
    return storages.setdefault(storage_address(tensor), len(storages))


def tensor_type(tensor: torch.Tensor) -> str:
    """``Tensor`` for plain and fake tensors, ``Parameter``, else the qualified name of the subclass."""
    if isinstance(tensor, torch.nn.Parameter):
        return "Parameter"
    kind = type(tensor)
    return "Tensor" if kind is torch.Tensor or kind.__name__ == "FakeTensor" else type_name(kind)


def dtype_text(dtype: torch.dtype) -> str:
    """Name of a dtype without ``torch.``."""
    return str(dtype).removeprefix("torch.")


def facet(get: Callable[[], Any]) -> Any:
    """What `get` returns, or `None` (unknown) where a layout or subclass refuses."""
    try:
        return get()
    except (RuntimeError, NotImplementedError, AttributeError, TypeError):
        return None
