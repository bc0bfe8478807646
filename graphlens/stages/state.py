"""The state of a module, so that a run cannot leak into the next one: what it changed, and how it was before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from msgspec import Struct
from torch import nn

from graphlens.stages.leaves import all_same
from graphlens.stages.tree import is_hollow

CLONE_LIMIT = 64 * 2**20
"""Bytes of parameters up to which they are copied too; buffers always are, larger parameters are only watched."""


class Held(Struct, frozen=True):
    """One tensor of a module: where it hangs, the object, a copy of its elements (or `None`), its version."""

    name: str
    kind: str
    table: dict[str, Any]
    key: str
    tensor: torch.Tensor
    copy: torch.Tensor | None
    version: int


class Snapshot(Struct, frozen=True):
    """The tensors and the shallow attributes of a module at one time."""

    tensors: tuple[Held, ...] = ()
    attributes: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = ()


def snapshot(module: Any) -> Snapshot:
    """Remember the state of a module; anything that is no module has none."""
    module = holder(module)
    if module is None:
        return Snapshot()
    found = list(_tensors(module))
    unique = {id(t): t for kind, _, _, _, t in found if kind == "parameter"}
    total = sum(t.numel() * t.element_size() for t in unique.values() if not is_hollow(t))
    copies: dict[int, torch.Tensor | None] = {}
    held = []
    for kind, name, table, key, tensor in found:
        if id(tensor) not in copies:
            wanted = kind != "parameter" or total <= CLONE_LIMIT
            copies[id(tensor)] = _copy(tensor) if wanted else None
        held.append(Held(name, kind, table, key, tensor, copies[id(tensor)], _version(tensor)))
    attributes = tuple((vars(sub), dict(vars(sub))) for sub in module.modules())
    return Snapshot(tuple(held), attributes)


def holder(function: Any) -> nn.Module | None:
    """Return the module whose state a callable uses: itself, or what `torch.compile` wraps; `None` for an opaque one."""
    function = getattr(function, "module", function) if not isinstance(function, nn.Module) else function
    function = getattr(function, "_orig_mod", function)
    return function if isinstance(function, nn.Module) else None


def changes(before: Snapshot) -> dict[str, torch.Tensor]:
    """Return `{"state bn.running_mean": its value now}` for every tensor that is no longer what it was.

    Plain attributes count only where they were changed in place: to assign a new one is a module's way to cache.
    """
    changed: dict[str, torch.Tensor] = {}
    for held in before.tensors:
        now = held.tensor if held.kind == "attribute" else held.table.get(held.key)
        if isinstance(now, torch.Tensor) and not is_hollow(now) and _differs(held, now):
            changed[f"state {held.name}"] = now.detach().clone()
    return changed


def restore(before: Snapshot) -> tuple[str, ...]:
    """Put a module back; return the names of the parameters that were changed and of which no copy was taken."""
    lost = []
    for held in before.tensors:
        if _differs(held, held.tensor) and not is_hollow(held.tensor):
            if held.copy is None:
                lost.append(held.name)
            else:
                with torch.no_grad():
                    held.tensor.detach().copy_(held.copy)
        held.table[held.key] = held.tensor
    for now, then in before.attributes:
        for key in [key for key in now if key not in then]:
            del now[key]
        now.update(then)
    return tuple(lost)


def _tensors(module: nn.Module) -> Iterator[tuple[str, str, dict[str, Any], str, torch.Tensor]]:
    for prefix, sub in module.named_modules():
        for kind, table in _tables(sub):
            for key, value in table.items():
                if isinstance(value, torch.Tensor):
                    yield kind, f"{prefix}.{key}" if prefix else key, table, key, value


def _tables(module: nn.Module) -> tuple[tuple[str, dict[str, Any]], ...]:
    held = vars(module)
    return ("parameter", held["_parameters"]), ("buffer", held["_buffers"]), ("attribute", held)


def _copy(tensor: torch.Tensor) -> torch.Tensor | None:
    return None if is_hollow(tensor) else tensor.detach().clone()


def _version(tensor: torch.Tensor) -> int:
    """Inference tensors count no versions."""
    return 0 if tensor.is_inference() else int(tensor._version)  # noqa: SLF001 - the only record of a write


def _differs(held: Held, now: torch.Tensor) -> bool:
    """Trust the version of a parameter; compare the elements of anything else (kernels may bypass versions)."""
    if held.kind == "parameter" and now is held.tensor and _version(now) == held.version:
        return False
    return held.copy is None or not _same(now, held.copy)


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    if (a.shape, a.dtype, a.device, a.layout) != (b.shape, b.dtype, b.device, b.layout):
        return False
    if a.layout != torch.strided:
        return bool((a.to_dense() == b.to_dense()).all())
    if a.is_quantized:
        return bool(torch.equal(a, b))
    return all_same(a.detach().resolve_conj().resolve_neg(), b.resolve_conj().resolve_neg())
