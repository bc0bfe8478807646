"""Two values of one leaf: bit-equal? If not, how far apart, and what differs besides the elements."""

from __future__ import annotations

from typing import Any

import torch
from msgspec import Struct

_BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class Comparison(Struct, frozen=True):
    """`equal` is by bits, with NaN equal to NaN; `max_abs`, `max_rel` are over elements finite on both sides."""

    equal: bool
    max_abs: float | None = None
    max_rel: float | None = None
    why: str = ""


def compare_leaf(a: Any, b: Any) -> Comparison:
    """Compare a leaf `b` with its reference `a`."""
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        why = _facets(a, b)
        return Comparison(False, why=why) if why else _elements(a, b)
    if type(a) is not type(b):
        return Comparison(False, why=f"{type(b).__name__}, not {type(a).__name__}")
    if isinstance(a, float | complex | int) and not isinstance(a, bool):
        left, right = _scalar(a), _scalar(b)
        return _plain(a, b) if left is None or right is None else _elements(left, right)
    return _plain(a, b)


def _scalar(number: complex) -> torch.Tensor | None:
    if isinstance(number, int):
        return torch.tensor(number) if -(2**63) <= number < 2**63 else None
    return torch.tensor(number, dtype=torch.float64 if isinstance(number, float) else torch.complex128)


def _plain(a: Any, b: Any) -> Comparison:
    try:
        same = a is b or bool(a == b)
    except Exception as error:  # noqa: BLE001 - foreign objects may raise anything
        return Comparison(False, why=f"{type(a).__name__} cannot be compared: {error}")
    return Comparison(True) if same else Comparison(False, why=f"{b!r:.60}, not {a!r:.60}")


def _facets(a: torch.Tensor, b: torch.Tensor) -> str:
    for name in ("shape", "dtype", "device", "layout"):
        ours, theirs = getattr(a, name), getattr(b, name)
        if ours != theirs:
            return f"{name} {_short(theirs)}, not {_short(ours)}"
    return ""


def _short(facet: Any) -> str:
    return str(list(facet)) if isinstance(facet, torch.Size) else str(facet).removeprefix("torch.")


def dense(tensor: torch.Tensor) -> torch.Tensor:
    """Return plain strided elements: conj and neg resolved, sparse and quantized made dense, no gradient."""
    tensor = tensor.detach()
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if tensor.layout != torch.strided:
        tensor = tensor.to_dense()
    return tensor.resolve_conj().resolve_neg()


def same_bits(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return a boolean tensor: where two dense tensors of one dtype agree bit by bit, or both are NaN."""
    if a.is_complex():
        return same_bits(torch.view_as_real(a), torch.view_as_real(b)).all(-1)
    if not a.is_floating_point():
        return a == b
    whole = _BITS[a.element_size()]
    return (a.contiguous().view(whole) == b.contiguous().view(whole)) | (_nan(a) & _nan(b))


def all_same(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two dense tensors of one dtype and shape agree everywhere, in the sense of `same_bits`."""
    if a.is_floating_point() and not a.is_complex():
        whole = _BITS[a.element_size()]
        if torch.equal(a.contiguous().view(whole), b.contiguous().view(whole)):
            return True
    return bool(same_bits(a, b).all())


def _nan(tensor: torch.Tensor) -> torch.Tensor:
    """Eight-bit floats have no `isnan` of their own."""
    return (tensor.float() if tensor.element_size() == 1 else tensor).isnan()


def _elements(a: torch.Tensor, b: torch.Tensor) -> Comparison:
    a, b = dense(a), dense(b)
    if all_same(a, b):
        return Comparison(True, 0.0, 0.0)
    wrong = int((~same_bits(a, b)).sum())
    kind = torch.complex128 if a.is_complex() else torch.float64
    left, right = a.to(kind), b.to(kind)
    finite = left.isfinite() & right.isfinite()
    error = (right - left).abs()[finite]
    size = left.abs()[finite]
    parts = [f"{wrong} of {a.numel()} elements differ"]
    for name, test in (("NaN", torch.isnan), ("inf", torch.isinf)):
        count = int((test(left) != test(right)).sum())
        if count:
            parts.append(f"{count} {name} on one side only")
    if error.numel() == 0:
        return Comparison(False, why=", ".join(parts))
    max_abs = float(error.max())
    if max_abs == 0.0 and len(parts) == 1:
        parts.append("only in the sign of zero" if a.is_floating_point() else "beyond double precision")
    relative = (error / size.clamp_min(torch.finfo(torch.float64).tiny))[error > 0]
    return Comparison(False, max_abs, float(relative.max()) if relative.numel() else 0.0, ", ".join(parts))
