"""Errors of a tensor against its reference, a piece at a time, so that comparing takes a fixed amount of memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from graphlens.stages.leaves import same_bits
from graphlens.stages.numerics.rows import Difference

PIECE = 1 << 18
"""Elements compared at a time: 2 MiB in double precision for each of a few temporaries."""

_WHOLE = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
_TINY = 1e-300


def bit_equal(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two dense tensors agree bit by bit, at once and without copies; NaNs of other bits are not seen as equal."""
    if a.dtype != b.dtype or a.shape != b.shape or a.device != b.device:
        return False
    if a.numel() and a.data_ptr() == b.data_ptr() and a.stride() == b.stride():
        return True
    if a.is_complex():
        a, b = torch.view_as_real(a), torch.view_as_real(b)
    if a.is_floating_point():
        whole = _WHOLE[a.element_size()]
        a, b = a.view(whole), b.view(whole)
    return torch.equal(a, b)


def pieces(a: torch.Tensor, b: torch.Tensor) -> Iterator[tuple[tuple[int, ...], torch.Tensor, torch.Tensor]]:
    """Cut two tensors of one shape into equal parts of at most `PIECE` elements, each with the index where it begins."""
    stack = [((0,) * a.dim(), a, b)]
    while stack:
        start, left, right = stack.pop()
        if left.numel() <= PIECE:
            yield start, left, right
            continue
        dim = max(range(left.dim()), key=lambda d: left.shape[d])
        half = left.shape[dim] // 2
        after = (*start[:dim], start[dim] + half, *start[dim + 1 :])
        rest = left.shape[dim] - half
        stack.append((after, left.narrow(dim, half, rest), right.narrow(dim, half, rest)))
        stack.append((start, left.narrow(dim, 0, half), right.narrow(dim, 0, half)))


@dataclass
class Sums:
    """Running sums over all pieces of all leaves of one value; errors over the elements finite on both sides."""

    numel: int
    ulps: bool
    differ: int = 0
    finite: int = 0
    related: int = 0
    nan: int = 0
    inf: int = 0
    max_abs: float = 0.0
    sum_abs: float = 0.0
    max_rel: float = 0.0
    sum_rel: float = 0.0
    max_ulp: int = 0
    square_a: float = 0.0
    square_b: float = 0.0
    square_error: float = 0.0
    dot: float = 0.0
    peak: float = 0.0
    worst: str = ""

    def add(self, a: torch.Tensor, b: torch.Tensor, path: str) -> None:
        """Add two dense tensors of one shape."""
        for start, left, right in pieces(a, b):
            if left.numel():
                self._piece(left, right, start, path)

    def _piece(self, a: torch.Tensor, b: torch.Tensor, start: tuple[int, ...], path: str) -> None:
        one_kind = a.dtype == b.dtype
        wide = torch.complex128 if a.is_complex() or b.is_complex() else torch.float64
        left, right = a.to(wide), b.to(wide)
        both_nan = left.isnan() & right.isnan()
        unequal = ~same_bits(a, b) if one_kind else (left != right) & ~both_nan
        self.differ += int(unequal.sum())
        self.nan += int((left.isnan() != right.isnan()).sum())
        infinite = (left.isinf() | right.isinf()) & ~left.isnan() & ~right.isnan()
        self.inf += int((infinite & (left != right)).sum())
        finite = left.isfinite() & right.isfinite()
        left, right = left.masked_fill(~finite, 0), right.masked_fill(~finite, 0)
        error, size = (right - left).abs(), left.abs()
        if one_kind and not a.is_floating_point() and not a.is_complex():
            error = error.masked_fill(unequal & (error == 0), 1.0)  # integers that doubles cannot tell apart
        self.finite += int(finite.sum())
        self.peak = max(self.peak, float(size.max()))
        self.square_a += float(size.square().sum())
        self.square_b += float(right.abs().square().sum())
        self.dot += float((left * right.conj()).real.sum() if left.is_complex() else (left * right).sum())
        self._errors(error, size, start, path)
        if self.ulps and one_kind and (a.is_floating_point() or a.is_complex()):
            self.max_ulp = max(self.max_ulp, ulp_distance(a, b, finite))

    def _errors(self, error: torch.Tensor, size: torch.Tensor, start: tuple[int, ...], path: str) -> None:
        related = size > _TINY
        relative = error[related] / size[related]
        self.related += int(related.sum())
        self.sum_abs += float(error.sum())
        self.square_error += float(error.square().sum())
        if relative.numel():
            self.sum_rel += float(relative.sum())
            self.max_rel = max(self.max_rel, float(relative.max()))
        if bool((error[~related] > 0).any()):
            self.max_rel = math.inf
        at = int(error.argmax())
        greatest = float(error.flatten()[at])
        if greatest > self.max_abs:
            self.max_abs = greatest
            index = torch.unravel_index(torch.tensor(at), error.shape) if error.dim() else ()
            place = [first + int(step) for first, step in zip(start, index, strict=True)]
            self.worst = f"{path}{place}" if place else path

    def result(self, note: str, comparable: bool) -> Difference:
        """Sum up; with nothing added, the leaves were bit-equal."""
        if self.differ == 0:
            zero = 0.0 if self.numel else None
            return Difference(
                equal=comparable and not note,
                numel=self.numel,
                max_abs=zero,
                mean_abs=zero,
                max_rel=zero,
                mean_rel=zero,
                rms_rel=zero,
                max_ulp=0 if self.ulps else None,
                cosine=1.0 if self.numel else None,
                sqnr=math.inf if self.numel else None,
                note=note,
                comparable=comparable,
            )
        signal, noise = math.sqrt(self.square_a), math.sqrt(self.square_error)
        both = signal * math.sqrt(self.square_b)
        silent = math.inf if self.finite and not noise else None
        return Difference(
            equal=False,
            numel=self.numel,
            differ=self.differ,
            max_abs=self.max_abs if self.finite else None,
            mean_abs=self.sum_abs / self.finite if self.finite else None,
            max_rel=self.max_rel if self.finite else None,
            mean_rel=self.sum_rel / self.related if self.related else None,
            rms_rel=noise / signal if signal else None,
            max_ulp=self.max_ulp if self.ulps else None,
            cosine=max(-1.0, min(1.0, self.dot / both)) if both else None,
            sqnr=20 * math.log10(signal / noise) if signal and noise else silent,
            nan=self.nan,
            inf=self.inf,
            peak=self.peak if self.finite else None,
            worst=self.worst,
            note=note,
        )


def ulp_distance(a: torch.Tensor, b: torch.Tensor, finite: torch.Tensor) -> int:
    """Greatest distance in representable numbers among the finite elements; both zeros are one number."""
    if a.is_complex():
        a, b = torch.view_as_real(a), torch.view_as_real(b)
        finite = finite.unsqueeze(-1).expand_as(a)
    left, right = _order(a)[finite], _order(b)[finite]
    apart = (left < 0) != (right < 0)
    near = (left - right)[~apart].abs()
    far = left[apart].abs().double() + right[apart].abs().double()
    return max(int(near.max()) if near.numel() else 0, int(float(far.max())) if far.numel() else 0)


def _order(tensor: torch.Tensor) -> torch.Tensor:
    """Number the floating-point values in their order (the two's-complement trick of Dawson, 2012)."""
    if tensor.element_size() == 1:
        tensor = tensor.to(torch.float16)
    size = tensor.element_size()
    bits = tensor.contiguous().view(_WHOLE[size]).to(torch.int64)
    return torch.where(bits < 0, -(2 ** (8 * size - 1)) - bits, bits)
