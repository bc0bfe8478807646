"""One digest for the elements of a stored tensor, however they are held: live in memory or in an archive."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from graphlens.program.value import Size

CHUNK_BYTES = 1 << 22
"""How much of a tensor is resolved at a time."""


def digest_elements(dtype: str, shape: Sequence[Size], chunks: Iterable[bytes | bytearray | memoryview]) -> str:
    """Digest of a tensor's elements: BLAKE2b (RFC 7693, 16 bytes) over dtype, shape and the bytes, as hexadecimal text.

    Parameters
    ----------
    dtype
        Name without ``torch.``, such as ``bfloat16``.
    shape
        Sizes, so that equal bytes of another shape digest differently.
    chunks
        The elements in logical (C) order, little endian, conj, neg and strides resolved, cut anywhere.
    """
    state = hashlib.blake2b(f"{dtype}[{','.join(map(str, shape))}]".encode(), digest_size=16)
    for chunk in chunks:
        state.update(chunk)
    return state.hexdigest()
