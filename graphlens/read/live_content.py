"""The elements of a live tensor, read when somebody asks, a few megabytes at a time."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

import torch

from graphlens.program.digest import CHUNK_BYTES, digest_elements
from graphlens.read.live_names import python_attribute
from graphlens.read.live_torch import holds_elements, inner_tensors, is_real, without_torch_function
from graphlens.read.live_values import dtype_text, tensor_type

_SPARSE = {
    torch.sparse_coo: ("indices", "values"),
    torch.sparse_csr: ("crow_indices", "col_indices", "values"),
    torch.sparse_csc: ("ccol_indices", "row_indices", "values"),
    torch.sparse_bsr: ("crow_indices", "col_indices", "values"),
    torch.sparse_bsc: ("ccol_indices", "row_indices", "values"),
}


class TensorContent:
    """A reference to a live tensor; no copy, and nothing remembered.

    It gives what the tensor holds when it is asked: writes through `.data` leave no trace that a cache could heed.
    """

    __slots__ = ("__weakref__", "_tensor")

    def __init__(self, tensor: torch.Tensor) -> None:
        self._tensor = tensor

    def digest(self) -> str | None:
        """Digest of the resolved elements (`graphlens.program.digest`); `None` where there are none to be had."""
        return _digest(self._tensor)

    def element_bytes(self) -> bytes | None:
        """The resolved elements in logical order, little endian; `None` where there are none to be had."""
        if not _has_elements(self._tensor):
            return None
        try:
            return b"".join(bytes(chunk) for chunk in _chunks(self._tensor))
        except (RuntimeError, NotImplementedError, TypeError):
            return None


class BytesContent:
    """What a backend compiled a delegate to."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    def digest(self) -> str:
        """Digest of the bytes."""
        return digest_elements("bytes", (len(self._data),), [self._data])

    def element_bytes(self) -> bytes:
        """The bytes themselves."""
        return self._data


def compiled_bytes(obj: Any) -> bytes | None:
    """What a backend's lowered module holds (executorch's `LoweredBackendModule.processed_bytes`); `None` for others."""
    data = python_attribute(obj, "processed_bytes")
    return data if isinstance(data, bytes) else None


_CONTENTS: weakref.WeakValueDictionary[int, TensorContent] = weakref.WeakValueDictionary()


def content_of(tensor: torch.Tensor) -> TensorContent | None:
    """The content of a tensor, one object per tensor; `None` for meta and fake tensors."""
    if not is_real(tensor):
        return None
    known = _CONTENTS.get(id(tensor))
    if known is None or known._tensor is not tensor:  # noqa: SLF001 - our own class
        known = _CONTENTS[id(tensor)] = TensorContent(tensor)
    return known


def _has_elements(tensor: torch.Tensor) -> bool:
    return (
        is_real(tensor)
        and tensor.layout is torch.strided
        and tensor_type(tensor) in ("Tensor", "Parameter")
        and type(tensor) in (torch.Tensor, torch.nn.Parameter, torch.nn.Buffer)
        and not tensor.is_quantized
        and not tensor.is_nested
    )


def _digest(tensor: torch.Tensor) -> str | None:
    try:
        with without_torch_function():
            if _has_elements(tensor):
                return digest_elements(dtype_text(tensor.dtype), tuple(tensor.shape), _chunks(tensor))
            return _composite_digest(tensor)
    except (RuntimeError, NotImplementedError, TypeError, AttributeError):
        return None


def _composite_digest(tensor: torch.Tensor) -> str | None:
    """Digest of a tensor that is made of others, of its named parts; `None` where these are not known."""
    with torch.no_grad():
        found = _parts(tensor)
        if found is None:
            return None
        kind, parts = found
        digests = {name: _digest(part) for name, part in parts.items()}
    if None in digests.values():
        return None
    named = [f"{name}:{digest};".encode() for name, digest in digests.items()]
    shape = () if tensor.is_nested else tuple(tensor.shape)
    return digest_elements(f"{kind}:{dtype_text(tensor.dtype)}", shape, named)


def _parts(tensor: torch.Tensor) -> tuple[str, dict[str, torch.Tensor]] | None:
    """Take apart a wrapper subclass, a sparse, quantised, nested or mkldnn tensor: what it is, and the tensors in it."""
    inner = inner_tensors(tensor)
    if inner is not None:
        parts, context = inner
        return f"{tensor_type(tensor)} {_context(context)}", parts
    plain = tensor.detach()
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter, torch.nn.Buffer):
        if not holds_elements(tensor):
            return None
        return f"{tensor_type(tensor)} {_context(vars(tensor))}", {"elements": plain.as_subclass(torch.Tensor)}
    if tensor.layout in _SPARSE:
        whole = plain.coalesce() if tensor.layout is torch.sparse_coo else plain
        return str(tensor.layout), {name: getattr(whole, name)() for name in _SPARSE[tensor.layout]}
    if str(tensor.layout) == "torch._mkldnn":
        return str(tensor.layout), {"dense": plain.to_dense()}
    if tensor.is_nested:
        return "nested", {str(i): part for i, part in enumerate(plain.unbind())}
    if tensor.is_quantized:
        return _quantised(plain)
    return None


def _quantised(tensor: torch.Tensor) -> tuple[str, dict[str, torch.Tensor]]:
    parts = {"elements": tensor.int_repr()}
    if tensor.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
        return f"{tensor.qscheme()} {tensor.q_scale()!r} {tensor.q_zero_point()}", parts
    parts |= {"scales": tensor.q_per_channel_scales(), "zero_points": tensor.q_per_channel_zero_points()}
    return f"{tensor.qscheme()} {tensor.q_per_channel_axis()}", parts


def _context(context: Any) -> str:
    """Describe what a wrapper subclass holds besides tensors."""
    from graphlens.read.live_fingerprint import fingerprint

    return fingerprint(context)


def _chunks(tensor: torch.Tensor) -> Iterator[memoryview]:
    """Yield the elements of a strided tensor in C order; what is contiguous in memory is not copied."""
    with torch.no_grad(), without_torch_function():
        stack = [tensor.detach()]
        while stack:
            piece = stack.pop()
            small = piece.numel() * piece.element_size() <= CHUNK_BYTES
            if piece.numel() == 0:
                continue
            if small or piece.dim() == 0:
                yield _bytes_of(piece)
            elif piece.size(0) == 1:
                stack.append(piece[0])
            else:
                rows = max(1, CHUNK_BYTES // (piece[0].numel() * piece.element_size()))
                stack.extend(reversed(piece.split(rows)))


def _bytes_of(piece: torch.Tensor) -> memoryview:
    flat = piece.resolve_conj().resolve_neg().contiguous().cpu().reshape(-1)
    # one element counts as contiguous whatever its stride, but cannot be viewed as bytes then
    return memoryview(flat.as_strided((flat.numel(),), (1,)).view(torch.uint8).numpy()).cast("B")
