"""Arguments and outputs as named leaves: flattening, cloning, turning fake tensors into real ones."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch.utils import _pytree as pytree


def named_leaves(tree: Any, root: str) -> tuple[dict[str, Any], Any]:
    """Flatten with torch's pytree into `{"root[0]['k']": leaf}` and the spec of the containers."""
    pairs, spec = pytree.tree_flatten_with_path(tree)
    return {root + pytree.keystr(path): leaf for path, leaf in pairs}, spec


def input_leaves(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten the inputs of a call into `{"args[0]": leaf, "kwargs['mask']": leaf}`."""
    return {**named_leaves(args, "args")[0], **named_leaves(dict(kwargs), "kwargs")[0]}


def clone_inputs(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Copy the inputs so that a call cannot touch the user's; what shares storage still does, strides are kept."""
    memo: dict[int, Any] = {}
    copied: tuple[tuple[Any, ...], dict[str, Any]] = pytree.tree_map(
        lambda leaf: _clone(leaf, memo), (args, dict(kwargs))
    )
    return copied


def _clone(leaf: Any, memo: dict[int, Any]) -> Any:
    if not isinstance(leaf, torch.Tensor):
        return copy.deepcopy(leaf, memo)
    if id(leaf) not in memo:
        source = leaf if leaf.is_leaf else leaf.detach()
        try:
            copied = copy.deepcopy(source, memo)
        except (RuntimeError, NotImplementedError, TypeError):
            copied = source.detach().clone()
        memo[id(leaf)] = copied.requires_grad_(leaf.requires_grad) if not leaf.is_leaf else copied
    return memo[id(leaf)]


def is_hollow(value: Any) -> bool:
    """Whether this tensor has no elements to compute with: fake, or on the meta device."""
    from torch._subclasses.fake_tensor import FakeTensor

    return isinstance(value, torch.Tensor) and (isinstance(value, FakeTensor) or value.is_meta)


def realize(tree: Any, seed: int = 0) -> Any:
    """Replace hollow tensors with real ones of the same shape, strides and dtype.

    Floats are drawn from a normal distribution, integers and booleans from {0, 1}, so that they are valid as indices.
    """
    generator = torch.Generator().manual_seed(seed)
    return pytree.tree_map(lambda leaf: _real(leaf, generator) if is_hollow(leaf) else leaf, tree)


def _real(fake: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    sizes = [int(size) for size in fake.shape]
    device = "cpu" if fake.device.type == "meta" else fake.device
    if fake.dtype.is_complex or fake.dtype.is_floating_point:
        wide = torch.complex64 if fake.dtype.is_complex else torch.float32
        values = torch.randn(sizes, generator=generator, dtype=wide)
    else:
        values = torch.randint(0, 2, sizes, generator=generator)
    made = torch.empty_strided(sizes, [int(step) for step in fake.stride()], dtype=fake.dtype, device=device)
    made.copy_(values)
    return made.requires_grad_(fake.requires_grad)


def kept(value: Any) -> Any:
    """Return a leaf that later runs cannot change: detached and copied where it is a tensor."""
    return value.detach().clone() if isinstance(value, torch.Tensor) else value
