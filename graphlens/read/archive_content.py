"""The elements of a tensor in an archive, read from the file when somebody asks. numpy only, and only then."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, BinaryIO

from msgspec import Struct

from graphlens.errors import ArchiveError
from graphlens.read import limits
from graphlens.read.archive_enums import ITEM_BYTES
from graphlens.read.archive_member import data_start
from graphlens.read.archive_zip import Fingerprint, fingerprint

if TYPE_CHECKING:
    import numpy as np

_CHUNK_BYTES = 4 << 20
_SPAN_BYTES = 256 << 20
"""How much of a storage is held at most to gather elements that are scattered in it."""


class ArchiveContent(Struct, frozen=True, kw_only=True):
    """A strided tensor in a stored member of an archive, whose local header is at `header`."""

    source: str | BinaryIO
    name: str
    mark: Fingerprint
    header: int
    nbytes: int
    dtype: str
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int
    swap: bool = False
    """Whether the archive was written on a big-endian machine."""

    def digest(self) -> str | None:
        """Digest of the resolved elements (`graphlens.program.digest`); `None` if the archive does not hold them.

        Raises
        ------
        ArchiveError
            If the file is gone or was changed since it was read.
        """
        from graphlens.program.digest import digest_elements

        return digest_elements(self.dtype, self.shape, self._chunks()) if self.readable else None

    def element_bytes(self) -> bytes | None:
        """The elements in logical order, little endian; `None` if the archive does not hold them.

        Raises
        ------
        ArchiveError
            If the file is gone or was changed since it was read.
        """
        return b"".join(self._chunks()) if self.readable else None

    @property
    def readable(self) -> bool:
        """Whether every element lies inside the storage, and there are not absurdly many of them."""
        return _fits(self.dtype, self.shape, self.stride, self.offset, self.nbytes)

    def _chunks(self) -> Iterator[bytes]:
        if 0 in self.shape:
            return
        try:
            if not isinstance(self.source, str):
                yield from self._resolved(self.source)
                return
            with open(self.source, "rb") as file:  # noqa: PTH123
                yield from self._resolved(file)
        except (OSError, ValueError) as error:
            raise ArchiveError(f"{self.name}: cannot be read any more: {error}") from None

    def _resolved(self, file: BinaryIO) -> Iterator[bytes]:
        if fingerprint(file, self.source) != self.mark:
            raise ArchiveError(f"{self.name}: was changed since it was read; read it again")
        item = ITEM_BYTES[self.dtype]
        start = data_start(file, self.header)
        if start is None:
            raise ArchiveError(f"{self.name}: a local header is missing; the archive is damaged")
        pieces = [(self.shape, self.stride, self.offset)]
        while pieces:
            shape, stride, offset = pieces.pop()
            span = 1 + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))
            if _is_contiguous(shape, stride) and not self.swap:
                yield from _read(file, start + offset * item, math.prod(shape) * item)
            elif span * item <= _SPAN_BYTES:
                yield from self._gathered(b"".join(_read(file, start + offset * item, span * item)), shape, stride)
            else:
                pieces.extend(reversed(_split(shape, stride, offset)))

    def _gathered(self, data: bytes, shape: tuple[int, ...], stride: tuple[int, ...]) -> Iterator[bytes]:
        import numpy as np

        item = ITEM_BYTES[self.dtype]
        flat: np.ndarray[Any, Any] = np.frombuffer(data, dtype=f"V{item}")
        whole = np.lib.stride_tricks.as_strided(flat, shape, [step * item for step in stride], writeable=False)
        whole = np.atleast_1d(whole)
        rows = max(1, _CHUNK_BYTES // (item * math.prod(whole.shape[1:])))
        for i in range(0, whole.shape[0], rows):
            yield self._little_endian(np.ascontiguousarray(whole[i : i + rows]).tobytes(), item)

    def _little_endian(self, data: bytes, item: int) -> bytes:
        import numpy as np

        part = item // 2 if self.dtype.startswith("complex") else item
        if not self.swap or part == 1:
            return data
        return np.frombuffer(data, dtype=np.uint8).reshape(-1, part)[:, ::-1].tobytes()


@lru_cache(maxsize=4096)
def _fits(dtype: str, shape: tuple[int, ...], stride: tuple[int, ...], offset: int, nbytes: int) -> bool:
    item = ITEM_BYTES.get(dtype)
    if item is None or len(shape) != len(stride) or min((*shape, *stride, offset, 0)) < 0:
        return False
    count = math.prod(shape)
    last = offset + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))
    within = count == 0 or (last + 1) * item <= nbytes
    return within and count * item <= limits.MAX_LOGICAL_FACTOR * max(nbytes, _CHUNK_BYTES)


Piece = tuple[tuple[int, ...], tuple[int, ...], int]


def _split(shape: tuple[int, ...], stride: tuple[int, ...], offset: int) -> list[Piece]:
    """Cut a view into two along its first dimension of more than one, in logical order."""
    axis = next(i for i, size in enumerate(shape) if size > 1)
    half = shape[axis] // 2
    rest = shape[axis] - half
    return [
        ((*shape[:axis], half, *shape[axis + 1 :]), stride, offset),
        ((*shape[:axis], rest, *shape[axis + 1 :]), stride, offset + half * stride[axis]),
    ]


def _is_contiguous(shape: tuple[int, ...], stride: tuple[int, ...]) -> bool:
    expected = 1
    for size, step in zip(reversed(shape), reversed(stride), strict=True):
        if size != 1:
            if step != expected:
                return False
            expected *= size
    return True


def _read(file: BinaryIO, start: int, count: int) -> Iterator[bytes]:
    file.seek(start, os.SEEK_SET)
    while count > 0:
        data = file.read(min(count, _CHUNK_BYTES))
        if not data:
            raise OSError("the file ends before the tensor does")
        count -= len(data)
        yield data
