"""One digest of all that a Python object is: code, closures, settings, elements. What it rests on does not depend on the process."""

from __future__ import annotations

import functools
import hashlib
import re
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import nn

from graphlens.program.argument import NOT_ALL_READ
from graphlens.read.live_content import content_of
from graphlens.read.live_modules import SETTINGS_OF_ALL, heeds_training, hooks_of
from graphlens.read.live_names import known_by_name, object_text, python_attribute, target_text, type_name
from graphlens.read.live_torch import script_code, script_state

_BUDGET = 200_000
_LONGEST_DIGEST = 1 << 26
_PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis))
_EXACT = frozenset(_PLAIN)
_OF_KERNELS = ("fn", "src", "configs", "keys", "values", "reset_to_zero", "restore_value")
"""What decides what a triton kernel does, and is not what it has compiled so far."""
_OWN = frozenset(("torch", *sys.stdlib_module_names))

_ADDRESS = re.compile(r"\d{9,}")  # how names of torch's context variables end


class Parts(NamedTuple):
    """One object taken apart: its own text, what is inside it, and whether the text leaves something out."""

    shell: str
    inner: list[Any]
    partly: bool = False


def fingerprint(obj: Any) -> str:
    """Digest of what an object is, of all that can be reached from it (BLAKE2b, 5 bytes), or of what could be read."""
    state = hashlib.blake2b(digest_size=5)
    seen: dict[int, int] = {}
    kept: list[Any] = []  # what is made on the way stays alive, so that no two things have one id
    stack = [obj]
    partly = False
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
        shell, inner, left_out = _open(top)
        partly = partly or left_out
        state.update(f"{shell}({len(inner)});".encode("utf-8", "surrogatepass"))
        stack.extend(reversed(inner))
    return f"{state.hexdigest()} {NOT_ALL_READ}" if stack or partly else state.hexdigest()


def _open(obj: Any) -> Parts:
    for kind, take in _KINDS:
        if isinstance(obj, kind):
            return take(obj)
    if type(obj).__module__ == "numpy" and hasattr(obj, "tobytes"):
        return _array(obj)
    foreign = type(obj).__module__.partition(".")[0] not in _OWN
    text = object_text(obj)
    if text and not foreign:
        return Parts(f"{type_name(type(obj))} {_ADDRESS.sub('', text)}", [type(obj)])
    return Parts(f"{type_name(type(obj))} {text}", [type(obj), *_flat(_settings(obj))])


def _settings(obj: Any) -> dict[Any, Any]:
    """Read what an object holds, in its dict or in slots."""
    held = python_attribute(obj, "__dict__")
    found = dict(held) if isinstance(held, dict) else {}
    for base in type(obj).__mro__:
        slots = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__"):
                found[name] = python_attribute(obj, name)
    if "fn" in found and type(obj).__module__.partition(".")[0] == "triton":
        return {key: found[key] for key in _OF_KERNELS if key in found}
    return found


def _flat(settings: Mapping[Any, Any]) -> list[Any]:
    return [part for key in sorted(settings, key=str) for part in (str(key), settings[key])]


def _array(obj: Any) -> Parts:
    kind = str(obj.dtype)
    if obj.dtype.hasobject:
        return Parts(f"array {kind} {obj.shape}", list(obj.flat))
    return Parts(f"array {kind} {obj.shape} {hashlib.blake2b(obj.tobytes(), digest_size=16).hexdigest()}", [])


def _function(obj: types.FunctionType) -> Parts:
    if known_by_name(obj):
        return Parts(target_text(obj), [])
    wrapped = python_attribute(obj, "_torchdynamo_orig_callable") or python_attribute(obj, "__wrapped__")
    if wrapped and str(obj.__globals__.get("__name__")).startswith("torch."):
        return Parts("wrapped by torch", [wrapped])  # what the wrapper closes over depends on the process
    cells = [_cell(cell) for cell in obj.__closure__ or ()]
    return Parts("function", [obj.__code__, obj.__defaults__, obj.__kwdefaults__, cells, list(_globals(obj))])


def _cell(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return "empty"


def _globals(function: types.FunctionType) -> Iterator[Any]:
    """Yield what a function, or one that is made inside it, names in its module, and in modules that it names."""
    codes = [function.__code__]
    names: dict[str, None] = {}
    while codes:
        code = codes.pop()
        names |= dict.fromkeys(code.co_names)
        codes += [held for held in code.co_consts if isinstance(held, types.CodeType)]
    for name in names:
        held = function.__globals__.get(name)
        if isinstance(held, types.ModuleType) and held.__name__.partition(".")[0] not in _OWN:
            for key in names:
                inner = vars(held).get(key)
                if isinstance(inner, _PLAIN) and inner is not None:
                    yield f"{name}.{key}"
                    yield inner
        elif _worth(held):
            yield name
            yield held


def _worth(held: Any) -> bool:
    """Whether what a name stands for may decide what is computed."""
    if isinstance(held, _DATA):
        return True
    if isinstance(held, type):
        return not known_by_name(held)
    return type(held).__module__.partition(".")[0] not in {*_OWN, "builtins"}


def _code(obj: types.CodeType) -> Parts:
    names = (
        obj.co_names,
        obj.co_varnames[: obj.co_argcount + obj.co_kwonlyargcount],
        obj.co_freevars,
        obj.co_argcount,
        obj.co_posonlyargcount,
        obj.co_flags,
    )
    return Parts(f"{obj.co_code.hex()} {names}", list(obj.co_consts))


def _class(obj: type) -> Parts:
    if known_by_name(obj):
        return Parts(target_text(obj), [])
    own: list[Any] = []
    for name, held in sorted(vars(obj).items()):
        inner = next((f for key in _WRAPPING if (f := python_attribute(held, key)) is not None), held)
        if isinstance(inner, types.FunctionType) or (isinstance(held, _DATA) and not name.startswith("__")):
            own += [name, inner]
    return Parts(type_name(obj), [*own, *obj.__bases__])


_WRAPPING = ("__func__", "fget", "func")


def _module(obj: nn.Module) -> Parts:
    own: dict[str, Any] = {key: held for key, held in vars(obj).items() if key not in SETTINGS_OF_ALL}
    own |= hooks_of(obj)
    if heeds_training(type(obj)):
        own["training"] = obj.training
    own = {key: type_name(type(held)) if isinstance(held, torch.Tensor) else held for key, held in own.items()}
    code = script_code(obj)
    if code is not None:
        own = {"training": obj.training, "code": code}
    return Parts(type_name(type(obj)), [type(obj), *_flat(own), *_flat(dict(obj.named_children()))])


def _tensor(obj: torch.Tensor) -> Parts:
    shell = f"tensor {obj.dtype} {tuple(obj.shape)}"
    content = content_of(obj)
    if content is None:  # a fake tensor has no elements
        return Parts(shell, [])
    digest = content.digest() if obj.numel() * obj.element_size() <= _LONGEST_DIGEST else None
    return Parts(f"{shell} {digest}", [], digest is None)


def _sequence(obj: list[Any] | tuple[Any, ...]) -> Parts:
    kind = type(obj).__name__
    if len(obj) > 100 and _EXACT.issuperset(map(type, obj)):
        text = repr(list(obj)).encode("utf-8", "surrogatepass")
        return Parts(f"{kind} {len(obj)} {hashlib.blake2b(text, digest_size=16).hexdigest()}", [])
    return Parts(kind, list(obj))


def _set(obj: Any) -> Parts:
    texts = sorted(repr(item) if type(item) in _EXACT else _text_of(item) for item in obj)
    return Parts(f"{type(obj).__name__} {texts}", [])


def _text_of(obj: Any) -> str:
    return target_text(obj) if isinstance(obj, type) or callable(obj) else object_text(obj) or type_name(type(obj))


def _generator(obj: torch.Generator) -> Parts:
    return Parts(f"generator {obj.device}", [obj.get_state()])


def _script_object(obj: Any) -> Parts:
    state = script_state(obj)
    return Parts(type_name(type(obj)), [state], state is None)


_DATA = (
    *_PLAIN, types.FunctionType, functools.partial, torch.Tensor, torch.Generator, torch.dtype, torch.device, nn.Module, dict, list,
    tuple, set, frozenset,
)  # fmt: skip
_KINDS: tuple[tuple[Any, Callable[[Any], Parts]], ...] = (
    (_PLAIN, lambda obj: Parts(f"{type(obj).__name__} {obj!r}", [])),
    (types.FunctionType, _function),
    (types.CodeType, _code),
    (types.MethodType, lambda obj: Parts("method", [obj.__func__, obj.__self__])),
    (types.ModuleType, lambda obj: Parts(f"module {obj.__name__}", [])),
    (functools.partial, lambda obj: Parts("partial", [obj.func, obj.args, obj.keywords])),
    (types.BuiltinFunctionType, lambda obj: Parts(target_text(obj), [python_attribute(obj, "__self__")])),
    (type, _class),
    (torch.Tensor, _tensor),
    (nn.Module, _module),
    (torch.jit.ScriptFunction, lambda obj: Parts("script", list(script_code(obj) or ()))),
    (torch.ScriptObject, _script_object),
    (torch.Generator, _generator),
    (dict, lambda obj: Parts("dict", [part for item in obj.items() for part in item])),
    ((list, tuple), _sequence),
    ((set, frozenset), _set),
)
