"""Is a difference rounding? An answer in double precision decides.

The rule is that of PyTorch's own compiler benchmarks (`torch._dynamo.utils.same`): a result may be as far from the fp64
answer as eager is, times a factor, plus a few units in the last place.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from msgspec import Struct
from torch.utils import _pytree as pytree

from graphlens.stages.execute import execute
from graphlens.stages.failure import failure_of
from graphlens.stages.leaves import dense
from graphlens.stages.tree import realize

FACTOR = 3.0
UNITS = 32.0
TRUST = 1e4
"""Eager farther from fp64 than this many units in the last place (a branch taken otherwise, say) is no measure."""


class Precise(Struct, frozen=True):
    """The leaves in double precision, or why there are none."""

    leaves: Mapping[str, Any]
    why: str = ""


def precise_answer(model: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Precise:
    """Run a copy of a module in double precision on the same inputs."""
    if not isinstance(model, torch.nn.Module):
        return Precise({}, "there is no module to run in fp64")
    try:
        widened = _widened(copy.deepcopy(model))
        own_args, own_kwargs = pytree.tree_map(_wide, realize((args, dict(kwargs))))
        with _default_double():
            return Precise(execute(widened, own_args, own_kwargs, twice=False).leaves)
    except Exception as error:  # noqa: BLE001 - the model's own code; without fp64 nothing is called rounding
        return Precise({}, f"the model does not run in fp64: {failure_of(error)}")


@contextlib.contextmanager
def _default_double() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def is_rounding(ours: Any, theirs: Any, exact: Any) -> tuple[bool, str]:
    """Say whether `theirs` is as near to the fp64 answer as `ours` is, and in words how near.

    Parameters
    ----------
    ours, theirs, exact
        One leaf of the reference, of the runtime in question and of the fp64 answer: tensors of one shape.
    """
    if not all(isinstance(each, torch.Tensor) for each in (ours, theirs, exact)):
        return False, ""
    if (ours.shape, ours.dtype) != (theirs.shape, theirs.dtype) or ours.shape != exact.shape:
        return False, ""
    if not (ours.is_floating_point() or ours.is_complex()):
        return False, "not a floating point leaf, so it cannot be rounding"
    epsilon = torch.finfo(ours.dtype).eps
    a, b, truth = _double(ours), _double(theirs), _double(exact)
    if not (
        torch.equal(a.isfinite(), b.isfinite())
        and torch.equal(a[~a.isfinite()].nan_to_num(), b[~b.isfinite()].nan_to_num())
    ):
        return False, "NaN or infinity at other places"
    known = a.isfinite() & truth.isfinite()
    reference, error, size = (a - truth)[known].abs(), (b - truth)[known].abs(), truth[known].abs()
    if size.numel() == 0:
        return False, ""
    for measure, name in ((_rms, "RMS"), (_max, "max")):
        scale = epsilon * measure(size)
        if measure(reference) > TRUST * scale:
            return False, f"eager itself is {measure(reference):.3g} from its fp64 answer, so rounding cannot be told"
        if measure(error) > FACTOR * measure(reference) + UNITS * scale:
            return False, f"{name} error to fp64 {measure(error):.3g}, eager's {measure(reference):.3g}"
    return True, f"max error to fp64 {_max(error):.3g}, eager's {_max(reference):.3g}"


def _rms(values: torch.Tensor) -> float:
    return float(values.square().mean().sqrt())


def _max(values: torch.Tensor) -> float:
    return float(values.max())


def _double(tensor: torch.Tensor) -> torch.Tensor:
    tensor = dense(tensor)
    return tensor.to(torch.complex128 if tensor.is_complex() else torch.float64)


def _wide(leaf: Any) -> Any:
    if not isinstance(leaf, torch.Tensor):
        return leaf
    if leaf.is_floating_point():
        return leaf.double()
    return leaf.to(torch.complex128) if leaf.is_complex() else leaf


def _widened(model: torch.nn.Module) -> torch.nn.Module:
    """Convert parameters, buffers and plain tensor attributes of a module that is ours to change."""
    model._apply(_wide)  # noqa: SLF001 - `double()` leaves complex tensors as they are
    for sub in model.modules():
        for name, value in list(vars(sub).items()):
            if isinstance(value, torch.Tensor):
                vars(sub)[name] = _wide(value)
    return model
