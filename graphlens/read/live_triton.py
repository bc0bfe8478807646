"""Triton kernels, which nodes name by numbers in a table of the process: what the numbers stand for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphlens.program.argument import NOT_ALL_READ, Argument, Opaque
from graphlens.read.live_arguments import to_argument
from graphlens.read.live_fingerprint import fingerprint
from graphlens.read.live_names import python_attribute, text_attribute, type_name
from graphlens.read.live_torch import triton_table

_LAYERS = 20


def kernel_arguments(kwargs: Mapping[str, Any]) -> dict[str, Argument]:
    """Read the numbers among the keywords of a ``triton_kernel_wrapper_*`` node as the kernel and constants they name."""
    kernels, constants = triton_table()
    found: dict[str, Argument] = {}
    if type(kwargs.get("kernel_idx")) is int:
        found["kernel_idx"] = _kernel(kernels.get(kwargs["kernel_idx"]))
    if type(kwargs.get("constant_args_idx")) is int:
        held = constants.get(kwargs["constant_args_idx"])
        known = isinstance(held, dict)
        found["constant_args_idx"] = to_argument(held, None, passed=True) if known else Opaque("dict", NOT_ALL_READ)
    return found


def _kernel(kernel: Any) -> Opaque:
    """Describe a kernel by its name and a digest of its code and of what wraps it."""
    if kernel is None:
        return Opaque("triton kernel", NOT_ALL_READ)
    inner = kernel
    for _ in range(_LAYERS):
        inner = python_attribute(inner, "fn") or inner
    name = text_attribute(inner, "__name__") or type_name(type(inner))
    return Opaque("triton kernel", f"{name} [{fingerprint(kernel)}]")
