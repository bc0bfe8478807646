"""Private parts of torch that reading needs: one small function each, so that a change of torch is met in one place."""

# ruff: noqa: SLF001 - that is what this module is for

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any

import torch
from torch._ops import OpOverload


def without_torch_function() -> AbstractContextManager[Any]:
    """Keep tensor subclasses from running their own code while facets are read (torch 2.0 to 2.13)."""
    context: AbstractContextManager[Any] = torch._C.DisableTorchFunctionSubclass()
    return context


def storage_address(tensor: torch.Tensor) -> int:
    """Identity of a tensor's storage, fake ones included (`StorageImpl` address; torch 2.1 to 2.13)."""
    return int(tensor.untyped_storage()._cdata)


def is_real(tensor: torch.Tensor) -> bool:
    """Whether a tensor has elements: neither meta nor fake nor functional (torch 2.1 to 2.13)."""
    from torch._subclasses.fake_tensor import FakeTensor

    with without_torch_function():
        return not isinstance(tensor, FakeTensor) and tensor.device.type != "meta"


def inner_tensors(tensor: torch.Tensor) -> tuple[dict[str, torch.Tensor], Any] | None:
    """The tensors inside a traceable wrapper subclass by attribute, and what it needs besides them; `None` for any other."""
    if type(tensor) in (torch.Tensor, torch.nn.Parameter) or not hasattr(type(tensor), "__tensor_flatten__"):
        return None
    names, context = tensor.__tensor_flatten__()
    inner = {name: getattr(tensor, name) for name in names}
    return (inner, context) if all(isinstance(item, torch.Tensor) for item in inner.values()) else None


def holds_elements(tensor: torch.Tensor) -> bool:
    """Whether a subclass keeps its elements as any tensor does, and only changes what functions do (torch 2.0 to 2.13)."""
    return type(tensor).__torch_dispatch__ is torch._C._disabled_torch_dispatch_impl


def schema_of(target: Any) -> Any | None:
    """The schema of an `OpOverload`, `None` for anything else (torch 2.0 to 2.13)."""
    return target._schema if isinstance(target, OpOverload) else None


@lru_cache(maxsize=1)
def symbolic_operators() -> Mapping[Any, tuple[str, ...]]:
    """Functions on symbolic numbers that the serializer knows, with their parameter names (`_SYM_OPS`, 2.5 to 2.13)."""
    import inspect
    import math

    names = [
        "eq",
        "ne",
        "le",
        "ge",
        "lt",
        "gt",
        "neg",
        "pos",
        "mul",
        "add",
        "sub",
        "floordiv",
        "mod",
        "pow",
        "truediv",
        "and_",
        "or_",
        "lshift",
        "rshift",
    ]
    functions: list[Any] = [getattr(operator, name) for name in names] + [math.trunc]
    functions += [
        getattr(torch, name, None)
        for name in ("sym_not", "sym_int", "sym_float", "sym_ite", "sym_max", "sym_min", "sym_sqrt")
    ]
    return {f: tuple(inspect.signature(f).parameters) for f in functions if f is not None}


def guards_of(program: Any) -> tuple[str, ...]:
    """The guards of an ExportedProgram as source text (`_guards_code`, torch 2.9 to 2.13; before, none)."""
    return tuple(str(guard) for guard in getattr(program, "_guards_code", None) or ())


def versions_written() -> tuple[str | None, dict[str, int]]:
    """Schema version and opset that this torch would write (torch 2.2 to 2.13)."""
    schema = None
    try:
        from torch._export.serde.schema import SCHEMA_VERSION

        schema = ".".join(map(str, SCHEMA_VERSION))
    except (ImportError, TypeError):
        pass
    opset = getattr(torch._C, "_get_max_operator_version", None)
    return schema, {} if opset is None else {"aten": int(opset())}


def script_class(obj: Any) -> str | None:
    """Qualified name of a script object's class, real, fake or lifted (torch 2.1 to 2.13); `None` for anything else."""
    if isinstance(obj, torch.ScriptObject):
        return str(obj._type().qualified_name())
    for name in ("class_fqn", "script_class_name"):
        fqn = getattr(obj, name, None) if type(obj).__module__.startswith("torch.") else None
        if isinstance(fqn, str):
            return fqn
    return None


def graph_pytree(graph: Any) -> tuple[Any, Any]:
    """Input and output pytree specs that a graph's code generator holds, `None` where it has none (1.12 to 2.13)."""
    info = getattr(getattr(graph, "_codegen", None), "pytree_info", None)
    return getattr(info, "in_spec", None), getattr(info, "out_spec", None)


def spec_children(spec: Any) -> list[Any]:
    """The specs inside a pytree spec (`TreeSpec.children`, torch 2.11 to 2.13; before, `children_specs`)."""
    return list(spec.children() if hasattr(spec, "children") else spec.children_specs)


def hints_and_ranges(values: Any) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Example values and `ValueRanges` by sympy symbol, from the first shape environment that symbolic numbers have.

    `ShapeEnv.backed_var_to_val` (before torch 2.11 `var_to_val`) and `var_to_range` (torch 2.1 to 2.13).
    """
    environment = next((v.node.shape_env for v in values if getattr(v.node, "shape_env", None) is not None), None)
    name = "backed_var_to_val" if hasattr(environment, "backed_var_to_val") else "var_to_val"
    return dict(getattr(environment, name, None) or {}), dict(getattr(environment, "var_to_range", None) or {})


def script_code(obj: Any) -> tuple[str, list[Any]] | None:
    """TorchScript code, and the constants and settings that it reads (torch 2.0 to 2.13); `None` for anything else."""
    if isinstance(obj, torch.jit.ScriptFunction):
        return _MANGLED.sub("", obj.code), _script_constants(obj.graph)
    if not isinstance(obj, torch.jit.ScriptModule):
        return None
    inner = obj._c
    methods = [inner._get_method(name) for name in sorted(inner._method_names())]
    state = {name for pairs in (obj.named_parameters, obj.named_buffers) for name, _ in pairs(recurse=False)}
    used: list[Any] = []
    for method in methods:
        used += _script_constants(method.graph)
        for name in sorted({node.s("name") for node in method.graph.findAllNodes("prim::GetAttr")} - state):
            held = inner.getattr(name) if inner.hasattr(name) else None
            if not isinstance(held, torch.ScriptObject | torch.ScriptModule):
                used += [name, held]
    return "\n".join(_MANGLED.sub("", method.code) for method in methods), used


_MANGLED = re.compile(r"\.?___torch_mangle_\d+")
"""What TorchScript puts into the name of a class that it meets once more."""


def _script_constants(graph: Any) -> list[Any]:
    constants = graph.findAllNodes("prim::Constant")
    return [node.t("value") for node in constants if node.hasAttribute("value") and node.kindOf("value") == "t"]


def script_state(obj: Any) -> Any | None:
    """What a script object gives to be pickled (``def_pickle``); `None` where it cannot be (torch 2.0 to 2.13)."""
    try:
        return obj.__getstate__()
    except (RuntimeError, AttributeError):
        return None


def triton_table() -> tuple[Mapping[int, Any], Mapping[int, Any]]:
    """Kernels and constant arguments by the numbers that nodes have for them (`kernel_side_table`, torch 2.3 to 2.13)."""
    try:
        from torch._higher_order_ops.triton_kernel_wrap import kernel_side_table
    except ImportError:
        return {}, {}
    return kernel_side_table.id_to_kernel, getattr(kernel_side_table, "constant_args", {})
