"""The payload on its way: texts to indices, the document to bytes and back."""

from __future__ import annotations

import gzip
from typing import Any

import msgspec

from graphlens.view.payload import Payload
from graphlens.view.payload_scene import Text

_LARGE = 16 * 2**20
"""From so many bytes on, the hardest compression takes seconds, for some percent less."""


class Interner:
    """Texts to indices, in order of first use. A lone surrogate, which JSON cannot carry, becomes `?`."""

    def __init__(self) -> None:
        self._index: dict[str, int] = {}

    def __call__(self, text: str) -> Text:
        """Return the index of a text, adding it if it is new."""
        index = self._index.get(text)
        if index is None:
            index = self._index.setdefault(text.encode("utf-8", "replace").decode(), len(self._index))
        return index

    @property
    def strings(self) -> list[str]:
        """The texts by index."""
        return list(self._index)


def encode(payload: Payload) -> bytes:
    """Write a payload as gzipped JSON; equal payloads give equal bytes."""
    try:
        text = msgspec.json.encode(payload)
    except UnicodeEncodeError:
        text = msgspec.json.encode(_encodable(msgspec.to_builtins(payload)))
    return gzip.compress(text, compresslevel=9 if len(text) < _LARGE else 5, mtime=0)


def _encodable(value: Any) -> Any:
    """Replace lone surrogates, which JSON cannot carry, by `?`; as deep as the schema is."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {key: _encodable(item) for key, item in value.items()}
    return [_encodable(item) for item in value] if isinstance(value, list | tuple) else value


def decode(data: bytes) -> Payload:
    """Read what `encode` wrote, checking every type."""
    return msgspec.json.decode(gzip.decompress(data), type=Payload)
