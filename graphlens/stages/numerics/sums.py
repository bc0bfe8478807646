"""Errors of a tensor against its reference, a piece at a time, so that comparing takes a fixed amount of memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from graphlens.stages.leaves import same_bits
from graphlens.stages.numerics.rows import Difference

PIECE = 1 << 16
"""Elements compared at a time: 512 KiB in double precision for each of a few temporaries."""

_WHOLE = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


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
    return bool(torch.equal(a, b))


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
        complex_ = a.is_complex() or b.is_complex()
        wide = torch.complex128 if complex_ else torch.float64
        left, right = a.to(wide).reshape(-1), b.to(wide).reshape(-1)
        error = (right - left).abs()
        finite, outside = None, -self.nan - self.inf
        if not math.isfinite(float(error.sum())):
            finite = self._nonfinite(left, right)
            left, right = left.masked_fill(~finite, 0), right.masked_fill(~finite, 0)
            error = (right - left).abs()
        self.finite += left.numel() if finite is None else int(finite.sum())
        if one_kind:
            unequal = _bits(a) != _bits(b) if finite is None else ~same_bits(a, b)
            if not complex_ and not a.is_floating_point():
                error.masked_fill_(unequal.reshape(-1) & (error == 0), 1.0)  # integers that doubles cannot tell apart
            self.differ += int(unequal.any(-1).sum()) if complex_ and finite is None else int(unequal.sum())
        else:
            self.differ += int((error > 0).sum()) + outside + self.nan + self.inf
        self._norms(left, right, error)
        self._greatest(error, a.shape, start, path)
        if self.ulps and one_kind and (a.is_floating_point() or complex_):
            self.max_ulp = max(self.max_ulp, ulp_distance(a, b, None if finite is None else finite.view(a.shape)))

    def _nonfinite(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        """Count what is NaN or infinite on one side; return where both are finite."""
        nan_a, nan_b = left.isnan(), right.isnan()
        self.nan += int((nan_a != nan_b).sum())
        infinite = (left.isinf() | right.isinf()) & ~nan_a & ~nan_b
        self.inf += int((infinite & (left != right)).sum())
        return left.isfinite() & right.isfinite()

    def _norms(self, left: torch.Tensor, right: torch.Tensor, error: torch.Tensor) -> None:
        size = left.abs()
        relative = error / size
        nonzero = int(size.count_nonzero())
        if nonzero < size.numel():
            if bool(((size == 0) & (error > 0)).any()):
                self.max_rel = math.inf
            relative = relative.masked_fill(size == 0, 0.0)
        self.related += nonzero
        self.sum_rel += float(relative.sum())
        self.max_rel = max(self.max_rel, float(relative.max()))
        self.sum_abs += float(error.sum())
        self.peak = max(self.peak, float(size.max()))
        self.square_error += float(torch.dot(error, error))
        self.square_a += float(torch.dot(size, size))
        self.square_b += float(torch.vdot(right, right).real)
        self.dot += float(torch.vdot(left, right).real)

    def _greatest(self, error: torch.Tensor, shape: torch.Size, start: tuple[int, ...], path: str) -> None:
        at = int(error.argmax())
        greatest = float(error[at])
        if greatest > self.max_abs:
            self.max_abs = greatest
            index = torch.unravel_index(torch.tensor(at), shape) if shape else ()
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


def ulp_distance(a: torch.Tensor, b: torch.Tensor, finite: torch.Tensor | None = None) -> int:
    """Greatest distance in representable numbers among the finite elements; both zeros are one number."""
    if a.is_complex():
        finite = None if finite is None else finite.unsqueeze(-1).expand(*finite.shape, 2)
        a, b = torch.view_as_real(a), torch.view_as_real(b)
    if a.element_size() == 1:
        a, b = a.to(torch.float16), b.to(torch.float16)
    left, right = _bits(a).to(torch.int64), _bits(b).to(torch.int64)
    lowest = -(2 ** (8 * a.element_size() - 1))
    across = (left ^ right) < 0
    steps = (left - right).abs().masked_fill(across, 0)
    if finite is not None:
        steps, across = steps.masked_fill(~finite, 0), across & finite
    found = int(steps.max())
    if bool(across.any()):
        ours, theirs = left[across], right[across]
        sizes = [torch.where(bits < 0, bits - lowest, bits).double() for bits in (ours, theirs)]
        found = max(found, int(float((sizes[0] + sizes[1]).max())))
    return found


def _bits(tensor: torch.Tensor) -> torch.Tensor:
    """The elements as whole numbers of their bits (Dawson, "Comparing floating point numbers", 2012, orders them so)."""
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    return tensor.contiguous().view(_WHOLE[tensor.element_size()]) if tensor.is_floating_point() else tensor
