"""Torch's decomposition of one op: the internals that `run_decompositions` itself uses, in one place.

Checked on torch 2.9 to 2.13 (`torch/export/exported_program.py`). A torch without them raises `Unavailable`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch.fx import GraphModule
from torch.utils import _pytree as pytree


class Unavailable(Exception):  # noqa: N818 - a reason, not a fault
    """Torch cannot tell its decomposition of one op, or not of this one."""


class Table(NamedTuple):
    """The two halves of a decomposition table: composite ops by override, the rest for `make_fx`."""

    composite: Mapping[Any, Callable[..., Any]]
    python: Mapping[Any, Callable[..., Any]]


def make_table(wanted: Mapping[Any, Any] | None) -> Table:
    """Split a user's table, or torch's default for `None`, as `run_decompositions` does."""
    try:
        from torch.export.exported_program import _split_decomp_table_to_cia_and_python_decomp as split
    except ImportError as error:
        raise Unavailable(str(error)) from error
    table = torch.export.default_decompositions() if wanted is None else dict(wanted)
    if hasattr(table, "materialize"):
        table = table.materialize()
    composite, python = split(dict(table))
    return Table(composite, python)


@contextlib.contextmanager
def decomposing(table: Table) -> Iterator[None]:
    """Set the stage as `run_decompositions` does: composites overridden, no gradients, no backend's own kernels."""
    try:
        from torch.export._trace import _ignore_backend_decomps
        from torch.export.exported_program import _override_composite_implicit_decomp
    except ImportError as error:
        raise Unavailable(str(error)) from error
    with _override_composite_implicit_decomp(dict(table.composite)), _ignore_backend_decomps(), torch.no_grad():
        yield


def trace(function: Callable[..., Any], inputs: tuple[Any, ...], table: Table, mode: Any) -> GraphModule:
    """Trace a function of fake inputs through the table in a fake mode (or none); call inside `decomposing`.

    Returns
    -------
    GraphModule
        A placeholder per leaf of `inputs`; the output is ``[result, [what was written into each leaf, or None]]``.
    """
    try:
        from torch._dispatch.python import enable_python_dispatcher
        from torch._functorch._aot_autograd.functional_utils import from_fun, has_data_mutation, to_fun
        from torch._subclasses.functional_tensor import FunctionalTensorMode
        from torch.fx.experimental.proxy_tensor import make_fx
    except ImportError as error:
        raise Unavailable(str(error)) from error

    def functional(*flat: Any) -> Any:
        wrapped = pytree.tree_map(to_fun, flat)
        result = pytree.tree_map(from_fun, function(*wrapped))
        leaves = pytree.tree_leaves(wrapped)
        written = [isinstance(leaf, torch.Tensor) and has_data_mutation(leaf) for leaf in leaves]
        return [result, [from_fun(leaf) if wrote else None for leaf, wrote in zip(leaves, written, strict=True)]]

    with (
        mode if mode is not None else contextlib.nullcontext(),
        enable_python_dispatcher(),
        FunctionalTensorMode(export=True, _allow_token_discovery=True),
    ):
        made: GraphModule = make_fx(functional, decomposition_table=dict(table.python), _allow_non_fake_inputs=True)(
            *inputs
        )
    return made


def fake_mode_of(values: Any) -> Any:
    """The fake mode of the first fake tensor among values; `None` without one."""
    return next((leaf.fake_mode for leaf in pytree.tree_leaves(values) if hasattr(leaf, "fake_mode")), None)
