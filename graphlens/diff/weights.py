"""Are the elements of two stored tensors the same? Three answers, and the assumption that an answer rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal as OneOf
from typing import TypeAlias

from msgspec import Struct

from graphlens.program.parts import Content, StoredTensor
from graphlens.program.program import Program
from graphlens.progress import progress

Mode: TypeAlias = OneOf["digest", "exact"]

LONG_BYTES = 1 << 30
"""Digests of as much take about two seconds."""

CRC_ASSUMPTION = "sizes and CRC-32 of stored tensors agree, their bytes were not compared"
DIGEST_ASSUMPTION = "digests of stored tensors agree, their bytes were not compared"

_PLAIN = {"Tensor", "Parameter"}
_ITEM_BYTES = {
    "float64": 8, "int64": 8, "uint64": 8, "complex64": 8, "complex128": 16, "float32": 4, "int32": 4, "uint32": 4,
    "complex32": 4, "qint32": 4, "float16": 2, "bfloat16": 2, "int16": 2, "uint16": 2, "int8": 1, "uint8": 1, "bool": 1,
    "qint8": 1, "quint8": 1, "float8_e4m3fn": 1, "float8_e5m2": 1, "float8_e4m3fnuz": 1, "float8_e5m2fnuz": 1,
    "float8_e8m0fnu": 1,
}  # fmt: skip


class Equality(Struct, frozen=True):
    """The answer: `state`, why in words, and the assumption that ``equal`` rests on (`None`: the bytes were compared)."""

    state: OneOf["equal", "different", "unknown"]
    why: str
    assumption: str | None = None


def stored_equal(a: StoredTensor, b: StoredTensor, mode: Mode = "digest") -> Equality:
    """Compare the elements of two stored tensors (not where or how they are laid out).

    Parameters
    ----------
    a, b
        The descriptions; what they hold is read through `StoredTensor.content` only when nothing cheaper decides.
    mode
        ``"digest"`` trusts the CRC-32 of an archive's directory and digests, and says so; ``"exact"`` compares bytes.

    Returns
    -------
    Equality
        ``unknown`` where one side's elements cannot be had (fake tensors, pickled subclasses), never a guess.
    """
    if a is b:
        return Equality("equal", "the same description")
    settled = _settled_by_description(a, b)
    if settled is not None:
        return settled
    by_crc = _by_crc(a, b)
    if by_crc is not None and (by_crc.state == "different" or mode == "digest"):
        return by_crc
    if a.content is not None and a.content is b.content:
        return Equality("equal", "the same tensor")
    if a.content is None or b.content is None:
        return by_crc or Equality("unknown", _why_unknown(a, b))
    return _by_content(a, b, a.content, b.content, mode) or by_crc or Equality("unknown", _why_unknown(a, b))


Equal: TypeAlias = Callable[[StoredTensor, StoredTensor, Mode], Equality]


@contextmanager
def remembered(a: Program, b: Program) -> Iterator[Equal]:
    """Give a `stored_equal` that asks about two tensors once, and shows a bar where there are gigabytes to read.

    What a live tensor holds may change at any time, so an answer is good for one comparison of two programs only.
    """
    known: dict[tuple[int, int, Mode], Equality] = {}
    total = sum(stored.nbytes or 0 for stored in a.stored if stored.content is not None)
    long = total >= LONG_BYTES and a is not b
    bar = progress(total, "weights", unit="bytes") if long else None

    def equal(left: StoredTensor, right: StoredTensor, mode: Mode = "digest") -> Equality:
        key = (id(left), id(right), mode)
        if key not in known:
            known[key] = stored_equal(left, right, mode)
            if bar is not None:
                bar.update(left.nbytes or 0)
        return known[key]

    try:
        yield equal
    finally:
        if bar is not None:
            bar.close()


def _settled_by_description(a: StoredTensor, b: StoredTensor) -> Equality | None:
    if a.dtype is not None and b.dtype is not None and a.dtype != b.dtype:
        return Equality("different", f"dtype {a.dtype} and {b.dtype}")
    if a.type != b.type and None not in (a.type, b.type) and not {a.type, b.type} <= _PLAIN:
        return Equality("different", f"type {a.type} and {b.type}")
    if a.shape is not None and b.shape is not None and a.shape != b.shape:
        return Equality("different", "shapes differ")
    if a.shape is not None and b.shape is not None and 0 in a.shape and a.dtype == b.dtype:
        return Equality("equal", "no elements")
    return None


def _by_crc(a: StoredTensor, b: StoredTensor) -> Equality | None:
    if a.crc32 is None or b.crc32 is None:
        return None
    if _alike_in_storage(a, b) and (a.nbytes, a.crc32) == (b.nbytes, b.crc32):
        return Equality("equal", "same size and CRC-32 in the archives", CRC_ASSUMPTION)
    if _fills_storage(a) and _fills_storage(b) and a.stride == b.stride:
        return Equality("different", "size or CRC-32 differ in the archives")
    return None


def _alike_in_storage(a: StoredTensor, b: StoredTensor) -> bool:
    """Whether equal storages mean equal elements."""
    return (a.shape, a.dtype, a.stride, a.storage_offset, a.conj, a.neg) == (
        b.shape,
        b.dtype,
        b.stride,
        b.storage_offset,
        b.conj,
        b.neg,
    ) and (a.layout, a.type) == (b.layout, b.type)


def _fills_storage(tensor: StoredTensor) -> bool:
    """Whether each byte of the storage belongs to exactly one element, so that other bytes mean other elements."""
    item = _ITEM_BYTES.get(tensor.dtype or "")
    if item is None or tensor.storage_offset or tensor.conj or tensor.neg or tensor.layout not in (None, "strided"):
        return False
    if tensor.type not in (None, "Tensor", "Parameter") or tensor.shape is None or tensor.stride is None:
        return False
    sizes = [n for n in tensor.shape if isinstance(n, int)]
    strides = [n for n in tensor.stride if isinstance(n, int)]
    if len(sizes) != len(tensor.shape) or len(strides) != len(sizes):
        return False
    expected = 1
    for stride, size in sorted((s, n) for s, n in zip(strides, sizes, strict=True) if n != 1):
        if stride != expected:
            return False
        expected *= size
    return expected * item == tensor.nbytes


def _by_content(a: StoredTensor, b: StoredTensor, left: Content, right: Content, mode: Mode) -> Equality | None:
    if mode == "exact":
        ours, theirs = left.element_bytes(), right.element_bytes()
        if ours is not None and theirs is not None:
            return _answer(ours == theirs and a.dtype == b.dtype, "bytes", None)
    one, two = left.digest(), right.digest()
    if one is None or two is None:
        return None
    return _answer(one == two, "digests", DIGEST_ASSUMPTION)


def _answer(same: bool, what: str, assumption: str | None) -> Equality:
    return Equality("equal", f"{what} agree", assumption) if same else Equality("different", f"{what} differ")


def _why_unknown(a: StoredTensor, b: StoredTensor) -> str:
    missing = " and ".join(side for side, t in (("a", a), ("b", b)) if t.content is None) or "a or b"
    note = next((t.note for t in (a, b) if t.note), None)
    return f"the elements of {missing} cannot be read" + (f" ({note})" if note else "")
