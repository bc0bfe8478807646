"""Names of live Python and torch objects as text that does not depend on the process."""

from __future__ import annotations

import hashlib
import sys
import types
from typing import Any

from torch._ops import HigherOrderOperator, OpOverload, OpOverloadPacket

from graphlens.program.graph import without_addresses

_TEXT_LIMIT = 240
_KNOWN = ("torch", "math", "_operator", "operator", "builtins", "numpy")


def target_text(target: Any) -> str:
    """Name what a node calls the way torch's serializer does, without its leading ``torch.ops.``.

    `OpOverload` ``aten.add.Tensor``, higher-order ops ``higher_order.cond``, functions ``module.name``, methods of
    tensors ``torch.Tensor.add``. Follows `GraphModuleSerializer.serialize_operator` (checked on torch 2.9 to 2.13).
    """
    if isinstance(target, str):
        return target
    extension = _extension_text(target)
    if extension is not None:
        return extension
    module, name = text_attribute(target, "__module__"), text_attribute(target, "__name__")
    owner = python_attribute(target, "__self__")
    if isinstance(owner, type) and name is not None:
        return f"{type_name(owner)}.{name}"
    if module is not None and name is not None:
        if module.startswith("torch._ops"):
            module = "torch.ops" + module.removeprefix("torch._ops")
        return f"{module}.{name}".removeprefix("torch.ops.")
    owner = python_attribute(target, "__objclass__")
    if isinstance(owner, type) and name is not None:
        return f"{'torch.Tensor' if owner.__qualname__ == 'TensorBase' else type_name(owner)}.{name}"
    return name if name is not None else type_name(type(target))


def _extension_text(target: Any) -> str | None:
    """Name an operator of a registered extension ``#namespace:name``, as `_serialization_registry` (torch 2.5+) does."""
    serializer = sys.modules.get("torch._export.serde.serialize")
    handler = getattr(serializer, "_serialization_registry", {}).get(type(target))
    if handler is None:
        return None
    try:
        return f"#{handler.namespace()}:{handler.to_op_name(target)}"
    except Exception:  # noqa: BLE001 - a handler is the user's code
        return None


def text_attribute(obj: Any, name: str) -> str | None:
    """An attribute that is text; `None` where it is not, is not there, or raises."""
    value = python_attribute(obj, name)
    return value if isinstance(value, str) else None


def python_attribute(obj: Any, name: str) -> Any:
    """An attribute; `None` where there is none, or where asking for it raises."""
    try:
        return getattr(obj, name, None)
    except Exception:  # noqa: BLE001 - a property of a foreign object may raise anything
        return None


def type_name(kind: type) -> str:
    """Qualified name of a class; a generated `GraphModule` class is called what it is."""
    if kind.__qualname__.startswith("GraphModule.__new__.") or "torch.fx.graph_module" in {
        base.__module__ for base in kind.__mro__[:-1]
    }:
        return "torch.fx.graph_module.GraphModule"
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def object_text(obj: Any) -> str:
    """Describe a foreign object by its own repr, never trusting it: it may raise, hold addresses, or be endless.

    Returns
    -------
    str
        ``""`` where the class has no repr of its own. Addresses are cut out; of a long text the head and a digest of
        the whole remain, so that two different long texts do not read the same.
    """
    if getattr(type(obj), "__repr__", None) is object.__repr__:
        return ""
    try:
        text = repr(obj)
    except Exception as error:  # noqa: BLE001 - whatever a foreign repr raises
        return f"repr raises {type(error).__name__}"
    return shorten(without_addresses(text)) if isinstance(text, str) else ""


def shorten(text: str) -> str:
    """Cut a long text, and append a digest of all of it."""
    if len(text) <= _TEXT_LIMIT:
        return text
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    return f"{text[:_TEXT_LIMIT]}… ({len(text)} characters, {digest})"


def known_by_name(target: Any) -> bool:
    """Whether the name of a callable says which it is: it can be found by it in torch or in Python's own modules."""
    if isinstance(target, OpOverload | OpOverloadPacket | HigherOrderOperator):
        return True
    if isinstance(target, type | types.BuiltinFunctionType | types.MethodDescriptorType | types.WrapperDescriptorType):
        owner = python_attribute(target, "__self__")
        return _of_known_module(owner if isinstance(owner, type) else target)
    name = text_attribute(target, "__qualname__") or text_attribute(target, "__name__")
    if name is None or "<" in name or not _of_known_module(target):
        return False
    if isinstance(target, types.MethodType):
        return isinstance(target.__self__, type) and _of_known_module(target.__self__)
    return True


def _of_known_module(obj: Any) -> bool:
    module = text_attribute(obj, "__module__")
    if module is None:  # methods of C types have none
        owner = python_attribute(obj, "__objclass__") or python_attribute(obj, "__self__")
        module = text_attribute(owner, "__module__") if isinstance(owner, type) else "builtins"
    return (module or "builtins").partition(".")[0] in _KNOWN
