"""What torch's table makes of one op on the values that were recorded for its inputs, made once per distinct call."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx
from torch.utils import _pytree as pytree

from graphlens.stages.decomposition.torch_table import Table, Unavailable, fake_mode_of, trace


@dataclass
class Cache:
    """The pieces made so far, by op, shapes and literals; `mode` is the fake mode of the program."""

    table: Table
    mode: Any = None
    pieces: dict[Any, fx.GraphModule] = field(default_factory=dict)


def stays(target: Any, table: Table) -> bool:
    """Whether torch's table leaves an op alone, so that it need not be traced."""
    if not isinstance(target, torch._ops.OpOverload):  # noqa: SLF001 - torch has no public name for the type of its ops
        return not isinstance(target, torch._ops.HigherOrderOperator)  # noqa: SLF001
    if target in table.python or target in table.composite or target._schema.is_mutable:  # noqa: SLF001
        return False
    return not torch._C._dispatch_has_kernel_for_dispatch_key(target.name(), "CompositeImplicitAutograd")  # noqa: SLF001


def operands(node: fx.Node) -> tuple[list[Any], list[int], Any]:
    """Flatten the arguments of a call: the leaves, which of them are results of other nodes, and the spec.

    A get_attr is no operand: it stands for the module that it names.
    """
    leaves, spec = pytree.tree_flatten((node.args, dict(node.kwargs)), is_leaf=lambda x: isinstance(x, slice))
    where = [i for i, leaf in enumerate(leaves) if isinstance(leaf, fx.Node) and leaf.op != "get_attr"]
    return leaves, where, spec


def piece_of(node: fx.Node, owner: torch.nn.Module, values: tuple[Any, ...], cache: Cache) -> fx.GraphModule:
    """Return the graph of one call as `trace` makes it, with `values` for the operands in the order of `operands`.

    Raises
    ------
    Unavailable
        Torch cannot trace the call.
    """
    leaves, where, spec = operands(node)
    if any(isinstance(leaf, slice) for leaf in leaves):
        raise Unavailable(f"{node.name}: a slice among its arguments")
    fixed = [_fixed(leaf, owner) for leaf in leaves]
    key = _key(node, leaves, where, values, spec)
    if key is not None and key in cache.pieces:
        return cache.pieces[key]
    try:
        own = _distinct(values, _same_inputs(leaves, where))
        made = trace(_call(node.target, fixed, where, spec), own, cache.table, cache.mode)
    except Unavailable:
        raise
    except Exception as error:
        line = (str(error).strip().splitlines() or [""])[0]
        raise Unavailable(
            f"{node.name} ({node.target}) cannot be traced alone: {type(error).__name__}: {line:.160}"
        ) from error
    if key is not None:
        cache.pieces[key] = made
    return made


def recomputed(node: fx.Node, owner: torch.nn.Module, values: tuple[Any, ...], cache: Cache) -> Any:
    """Return what a call gives on fake values; for an op that stays as it is where its operands were laid out anew."""
    leaves, where, spec = operands(node)
    with cache.mode if cache.mode is not None else contextlib.nullcontext():
        return _call(node.target, [_fixed(leaf, owner) for leaf in leaves], where, spec)(*values)


def _call(target: Any, fixed: list[Any], where: list[int], spec: Any) -> Callable[..., Any]:
    def call(*inputs: Any) -> Any:
        leaves = list(fixed)
        for i, value in zip(where, inputs, strict=True):
            leaves[i] = value
        args, kwargs = pytree.tree_unflatten(leaves, spec)
        return target(*args, **kwargs)

    return call


def _fixed(leaf: Any, owner: torch.nn.Module) -> Any:
    if isinstance(leaf, fx.Node) and leaf.op == "get_attr":
        return attribute(owner, str(leaf.target))
    return leaf


def attribute(owner: Any, path: str) -> Any:
    for name in path.split("."):
        owner = getattr(owner, name)
    return owner


def _key(node: fx.Node, leaves: list[Any], where: list[int], values: tuple[Any, ...], spec: Any) -> Any:
    """Name a call by op, literals and facets of its operands; `None` where it holds a nested graph."""
    if any(isinstance(leaf, fx.Node) and leaf.op == "get_attr" for leaf in leaves):
        return None
    operands = set(where)
    literals = tuple((i, type(leaf), repr(leaf)) for i, leaf in enumerate(leaves) if i not in operands)
    return node.target, literals, tuple(facets(value) for value in values), _same_inputs(leaves, where), str(spec)


def _same_inputs(leaves: list[Any], where: list[int]) -> tuple[int, ...]:
    """Which operands are one and the same node: `x * x` is another call than `x * y`."""
    first: dict[Any, int] = {}
    return tuple(first.setdefault(leaves[i], len(first)) for i in where)


def _distinct(values: tuple[Any, ...], groups: tuple[int, ...]) -> tuple[Any, ...]:
    """Give different operands different tensors: one piece that stands for two ops brings the same values for both."""
    owner: dict[int, int] = {}

    def own(value: Any, group: int) -> Any:
        if not isinstance(value, torch.Tensor) or owner.setdefault(id(value), group) == group:
            return value
        mode = fake_mode_of(value)
        with mode if mode is not None else contextlib.nullcontext():
            return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device=value.device)

    return tuple(
        pytree.tree_map(lambda leaf, g=group: own(leaf, g), value) for value, group in zip(values, groups, strict=True)
    )


def facets(value: Any) -> Any:
    """What two recorded values must agree in for one piece to stand for both."""
    if isinstance(value, torch.Tensor):
        sizes = tuple(str(size) for size in (*value.shape, *value.stride(), value.storage_offset()))
        return sizes, value.dtype, str(value.device), value.layout, value.requires_grad, value.is_conj(), value.is_neg()
    if isinstance(value, tuple | list):
        return tuple(facets(each) for each in value)
    return type(value), str(value)
