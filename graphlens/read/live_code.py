"""What a node calls, beyond its name: the code of a user's function, the settings of a module that is a leaf.

Two functions may have one name (every lambda has), and two leaf modules one path: ``Dropout(p=0.1)`` and
``Dropout(p=0.5)`` are both ``self.drop``. torch's own functions are known by their names.
"""

from __future__ import annotations

import functools
import hashlib
import re
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn
from torch._ops import HigherOrderOperator, OpOverload, OpOverloadPacket

from graphlens.read.live_content import content_of
from graphlens.read.live_names import object_text, python_attribute, shorten, target_text, text_attribute, type_name

_KNOWN = ("torch", "math", "_operator", "operator", "builtins", "numpy")
_BUDGET = 20_000
_LONGEST_DIGEST = 1 << 26
_PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis))
_SETTINGS_OF_ALL = frozenset(vars(nn.Module())) | {"_is_full_backward_hook"}
_HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")

_ADDRESS = re.compile(r"\d{9,}")
"""How names of torch's context variables end."""

Parts = tuple[str, list[Any]]


def function_code(target: Any) -> str:
    """Describe a function whose name does not say what it does; ``""`` for torch's and Python's own."""
    if known_by_name(target):
        return ""
    if isinstance(target, functools.partial):
        inner = target_text(target.func)
        return shorten(f"partial[{fingerprint(target)}] of {inner}")
    return f"code[{fingerprint(target)}]"


def module_code(module: nn.Module) -> str:
    """Describe a leaf module by its class, its settings, and a digest of all that it holds but its state."""
    name = f"{type_name(type(module)).rpartition('.')[2]}[{fingerprint(module)}]"
    try:
        extra = module.extra_repr()
    except Exception:  # noqa: BLE001 - a method of the user's class may raise anything
        extra = ""
    mode = ("training" if module.training else "evaluating") if _heeds_training(type(module)) else ""
    inside = ", ".join(part for part in (mode, extra if isinstance(extra, str) else "") if part)
    return shorten(f"{name}({inside})")


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


def fingerprint(obj: Any) -> str:
    """Digest of what an object is, of all that can be reached from it, up to a limit (BLAKE2b, 5 bytes)."""
    state = hashlib.blake2b(digest_size=5)
    seen: dict[int, int] = {}
    kept: list[Any] = []  # what is made on the way stays alive, so that no two things have one id
    stack = [obj]
    for _ in range(_BUDGET):
        if not stack:
            break
        top = stack.pop()
        if isinstance(top, types.FunctionType | type | nn.Module) or hasattr(top, "__dict__"):
            if id(top) in seen:
                state.update(f"again {seen[id(top)]};".encode())
                continue
            seen[id(top)] = len(kept)
            kept.append(top)
        shell, inner = _open(top)
        state.update(f"{shell}({len(inner)});".encode("utf-8", "surrogatepass"))
        stack.extend(reversed(inner))
    return state.hexdigest()


def _open(obj: Any) -> Parts:
    """Take one object apart: its own text, and what is inside it."""
    for kind, take in _KINDS:
        if isinstance(obj, kind):
            return take(obj)
    if getattr(type(obj), "__repr__", None) is not object.__repr__:
        text = object_text(obj)
        foreign = type(obj).__module__.partition(".")[0] not in {"torch", *sys.stdlib_module_names}
        return f"{type_name(type(obj))} {text if foreign else _ADDRESS.sub('', text)}", [type(obj)]
    held = python_attribute(obj, "__dict__")
    settings = held if isinstance(held, dict) else {}
    return type_name(type(obj)), [type(obj), *_flat(settings)]


def _flat(settings: Mapping[Any, Any]) -> list[Any]:
    return [part for key in sorted(settings, key=str) for part in (str(key), settings[key])]


def _function(obj: types.FunctionType) -> Parts:
    if known_by_name(obj):
        return target_text(obj), []
    wrapped = python_attribute(obj, "_torchdynamo_orig_callable") or python_attribute(obj, "__wrapped__")
    if wrapped is not None and str(obj.__globals__.get("__name__")).startswith("torch."):
        return "wrapped by torch", [wrapped]  # what the wrapper closes over depends on the process
    cells = [_cell(cell) for cell in obj.__closure__ or ()]
    return "function", [obj.__code__, obj.__defaults__, obj.__kwdefaults__, cells, list(_globals(obj))]


def _cell(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return "empty"


def _globals(function: types.FunctionType) -> Iterator[Any]:
    """Yield the numbers, texts and functions of its module that a function names."""
    for name in function.__code__.co_names:
        held = function.__globals__.get(name)
        if isinstance(held, (*_PLAIN, types.FunctionType)):
            yield name
            yield held


def _code(obj: types.CodeType) -> Parts:
    arguments = obj.co_varnames[: obj.co_argcount + obj.co_kwonlyargcount]
    names = (obj.co_names, arguments, obj.co_freevars, obj.co_argcount, obj.co_posonlyargcount, obj.co_flags)
    return f"{obj.co_code.hex()} {names}", list(obj.co_consts)


def _class(obj: type) -> Parts:
    if known_by_name(obj):
        return target_text(obj), []
    own: list[Any] = []
    for name, held in sorted(vars(obj).items()):
        inner = python_attribute(held, "__func__") or python_attribute(held, "fget") or held
        if isinstance(inner, types.FunctionType) or (isinstance(held, _PLAIN) and not name.startswith("_")):
            own += [name, inner]
    return type_name(obj), [*own, *obj.__bases__]


def _module(obj: nn.Module) -> Parts:
    own = {key: held for key, held in vars(obj).items() if key not in _SETTINGS_OF_ALL}
    own |= {key: list(held.values()) for key in _HOOKS if (held := vars(obj).get(key))}
    if _heeds_training(type(obj)):
        own["training"] = obj.training
    own = {key: type_name(type(held)) if isinstance(held, torch.Tensor) else held for key, held in own.items()}
    return type_name(type(obj)), [type(obj), *_flat(own), *_flat(dict(obj.named_children()))]


def _heeds_training(kind: type) -> bool:
    """Whether any method of a module's class names `training`; of most it changes nothing."""
    return any(
        "training" in function.__code__.co_names
        for base in kind.__mro__
        if base not in (nn.Module, object)
        for function in vars(base).values()
        if isinstance(function, types.FunctionType)
    )


def _tensor(obj: torch.Tensor) -> Parts:
    content = content_of(obj) if obj.numel() * obj.element_size() <= _LONGEST_DIGEST else None
    return f"tensor {obj.dtype} {tuple(obj.shape)} {content.digest() if content is not None else ''}", []


def _set(obj: Any) -> Parts:
    return f"{type(obj).__name__} {sorted(map(repr, obj))}", []


_KINDS: tuple[tuple[Any, Callable[[Any], Parts]], ...] = (
    (_PLAIN, lambda obj: (f"{type(obj).__name__} {obj!r}", [])),
    (types.FunctionType, _function),
    (types.CodeType, _code),
    (types.MethodType, lambda obj: ("method", [obj.__func__, obj.__self__])),
    (types.ModuleType, lambda obj: (f"module {obj.__name__}", [])),
    (functools.partial, lambda obj: ("partial", [obj.func, obj.args, obj.keywords])),
    (types.BuiltinFunctionType, lambda obj: (target_text(obj), [python_attribute(obj, "__self__")])),
    (type, _class),
    (torch.Tensor, _tensor),
    (nn.Module, _module),
    (dict, lambda obj: ("dict", [part for item in obj.items() for part in item])),
    ((list, tuple), lambda obj: (type(obj).__name__, list(obj))),
    ((set, frozenset), _set),
)
