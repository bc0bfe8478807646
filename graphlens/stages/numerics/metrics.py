"""How far apart two values are: tensors, numbers, and containers of them."""

from __future__ import annotations

from typing import Any

import torch
from msgspec.structs import replace
from torch.utils import _pytree as pytree

from graphlens.stages.leaves import dense
from graphlens.stages.numerics.rows import Difference
from graphlens.stages.numerics.sums import Sums, bit_equal

_NUMBERS = (bool, int, float, complex, torch.SymInt, torch.SymFloat, torch.SymBool)
_PLAIN = (str, torch.dtype, torch.device, torch.layout, torch.memory_format)

Leaf = tuple[str, torch.Tensor, torch.Tensor]


def difference(a: Any, b: Any) -> Difference:
    """Compare a value `b` with its reference `a`, leaf by leaf.

    Elements are streamed in pieces; nothing is copied where the two are bit-equal and strided alike.
    """
    ours, spec_a = pytree.tree_flatten_with_path(a)
    theirs, spec_b = pytree.tree_flatten_with_path(b)
    if len(ours) != len(theirs):
        return Difference(equal=False, note=f"{len(theirs)} values, not {len(ours)}")
    notes = [] if _alike(spec_a, spec_b) else ["containers of another kind"]
    leaves: list[Leaf] = []
    comparable = not ours
    for (path, left), (_, right) in zip(ours, theirs, strict=True):
        here = pytree.keystr(path)
        found = _leaf(left, right, here, leaves)
        comparable |= found is not None
        notes += [f"{here}: {found}" if here else found] if found else []
    try:
        return _measured(leaves, notes, comparable)
    except (RuntimeError, NotImplementedError, TypeError) as error:
        return _refused(error)


def _measured(leaves: list[Leaf], notes: list[str], comparable: bool) -> Difference:
    total = Sums(sum(a.numel() for _, a, _ in leaves), any(_floating(a) and a.dtype == b.dtype for _, a, b in leaves))
    if not all(bit_equal(a, b) for _, a, b in leaves):
        for path, a, b in leaves:
            total.add(a, b, path)
    found = total.result(notes[0] if notes else "", comparable)
    changed = [(a, b) for _, a, b in leaves if a.dtype != b.dtype]
    recast = len(notes) == len(changed) > 0 and all(_floating(a) and _floating(b) for a, b in changed)
    return replace(found, recast=True) if recast else found


def _refused(error: BaseException) -> Difference:
    text = str(error).splitlines()
    return Difference(
        equal=False, comparable=False, note=f"cannot be compared: {text[0] if text else type(error).__name__}"
    )


def _alike(a: Any, b: Any) -> bool:
    """Whether two pytree specs are the same but for tuples that are lists, which FX graphs mix freely."""
    return bool(a == b) or str(a).replace("list", "tuple") == str(b).replace("list", "tuple")


def _floating(tensor: torch.Tensor) -> bool:
    return bool(tensor.is_floating_point() or tensor.is_complex())


def _leaf(a: Any, b: Any, path: str, leaves: list[Leaf]) -> str | None:
    """Collect one leaf; return what cannot be put in numbers, `None` where nothing about it can be compared."""
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        a, b = plain(a), plain(b)
        if a.shape != b.shape:
            return f"shape {list(b.shape)}, not {list(a.shape)}"
        leaves.append((path, dense(a), dense(b).to(a.device)))
        return "" if a.dtype == b.dtype else f"dtype {dtype_text(b)}, not {dtype_text(a)}"
    if isinstance(a, _NUMBERS) and isinstance(b, _NUMBERS):
        leaves.append((path, _scalar(a), _scalar(b)))
        return "" if _kind(a) == _kind(b) else f"{_kind(b)}, not {_kind(a)}"
    if type(a) is not type(b):
        return f"{type(b).__name__}, not {type(a).__name__}"
    if a is None or isinstance(a, _PLAIN):
        return "" if a == b else f"{b!r:.60}, not {a!r:.60}"
    return None


def _kind(number: Any) -> str:
    """What a number is, symbolic or not."""
    return type(number).__name__.removeprefix("Sym").lower()


def _scalar(number: Any) -> torch.Tensor:
    if isinstance(number, bool | torch.SymBool):
        return torch.tensor(bool(number))
    if isinstance(number, complex):
        return torch.tensor(number, dtype=torch.complex128)
    whole = isinstance(number, int | torch.SymInt) and -(2**63) <= int(number) < 2**63
    return torch.tensor(int(number)) if whole else torch.tensor(float(number), dtype=torch.float64)


def dtype_text(tensor: torch.Tensor) -> str:
    """Name of a tensor's dtype without ``torch.``."""
    return str(tensor.dtype).removeprefix("torch.")


def plain(tensor: torch.Tensor) -> torch.Tensor:
    """Take a tensor out of the wrappers of functorch's transforms (`torch._C._functorch`, torch 2.1 to 2.13)."""
    functorch = getattr(torch._C, "_functorch", None)  # noqa: SLF001
    while functorch is not None and functorch.is_functorch_wrapped_tensor(tensor):
        tensor = functorch.get_unwrapped(tensor)
    return tensor.detach()


def facets(value: Any) -> tuple[str, str]:
    """Shape and dtype of a value as text; of a container those of its first tensor and how many more there are."""
    tensors = [leaf for leaf in pytree.tree_leaves(value) if isinstance(leaf, torch.Tensor)]
    if not tensors:
        return "", "" if value is None else type(value).__name__
    first = plain(tensors[0])
    more = f" +{len(tensors) - 1}" if len(tensors) > 1 else ""
    return str([int(size) for size in first.shape]) + more, dtype_text(first)
