"""Running a few nodes again on values of one's choosing: on the reference's inputs, or in double precision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import fx
from torch.utils import _pytree as pytree

from graphlens.stages.numerics.interpret import execute, fill
from graphlens.stages.numerics.metrics import plain
from graphlens.stages.numerics.writes import writes

_WIDE = {torch.float16: torch.float64, torch.bfloat16: torch.float64, torch.float32: torch.float64}
_WIDE_COMPLEX = {torch.complex32: torch.complex128, torch.complex64: torch.complex128}
LITTLE = 32 * 2**20
"""Bytes that a rerun in double precision may always take."""
SHARE = 0.02
"""What it may take of the memory that both sides hold, if that is more."""


def rerun(module: Any, nodes: Sequence[fx.Node], inputs: Mapping[str, Any], *, wide: bool = False) -> Any:
    """Run nodes of a graph on given values and return the value of the last one.

    Parameters
    ----------
    module
        The module whose graph has the nodes; nested graphs are run as PyTorch runs them.
    nodes
        Live nodes of it, in order.
    inputs
        The value of every node that they use from outside. Copied where a node may write to it.
    wide
        In double precision: inputs are converted, and dtypes among the arguments too.
    """
    values = dict(inputs)
    if any(map(writes, nodes)):
        values = {name: _copied(value) for name, value in values.items()}
    if wide:
        values = {name: widened(value) for name, value in values.items()}
    last_use = {source.name: node.name for node in nodes for source in node.all_input_nodes}
    last = None
    for node in nodes:
        args, kwargs = fill(node, values)
        if wide:
            args, kwargs = _wide_dtypes(args), _wide_dtypes(kwargs)
        last = values[node.name] = execute(node, module, args, kwargs)
        del args, kwargs
        for source in node.all_input_nodes:
            if last_use[source.name] == node.name:
                values.pop(source.name, None)
    return last


def _copied(value: Any) -> Any:
    return pytree.tree_map_only(torch.Tensor, lambda tensor: tensor.clone(), value)


def widened(value: Any) -> Any:
    """Convert floating point tensors to double precision."""
    return pytree.tree_map_only(torch.Tensor, lambda t: t.to(_wide(t.dtype)) if _wide(t.dtype) != t.dtype else t, value)


def _wide(dtype: torch.dtype) -> torch.dtype:
    return _WIDE.get(dtype) or _WIDE_COMPLEX.get(dtype) or dtype


def _wide_dtypes(arguments: Any) -> Any:
    return pytree.tree_map(lambda leaf: _wide(leaf) if isinstance(leaf, torch.dtype) else leaf, arguments)


def tensor_bytes(*values: Any) -> int:
    """Bytes of the storages behind the tensors in some values, each storage once."""
    found: dict[int, int] = {}
    for leaf in pytree.tree_leaves(values):
        if isinstance(leaf, torch.Tensor):
            try:
                storage = plain(leaf).untyped_storage()
                found[storage.data_ptr()] = storage.nbytes()
            except (RuntimeError, NotImplementedError):
                continue
    return sum(found.values())
