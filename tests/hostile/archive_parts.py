"""Archives taken apart and put together again, with something in them changed."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).parents[1] / "data" / "archives"
NESTED = FIXTURES / "torch-2.13.0" / "nested_control_flow.pt2"
DTYPES = FIXTURES / "torch-2.13.0" / "dtypes.pt2"
DYNAMIC = FIXTURES / "torch-2.13.0" / "decoder_dynamic.pt2"
OLD = FIXTURES / "torch-2.5.1" / "unbacked.pt2"

Json = dict[str, Any]


def members(source: Path | bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def packed(parts: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def program_member(parts: dict[str, bytes]) -> str:
    return next(n for n in parts if n.endswith(".json") and ("/models/" in n or n.startswith("serialized_exported")))


def edited(source: Path, edit: Callable[[Json], None]) -> io.BytesIO:
    """The archive with its program's JSON edited in place."""
    parts = members(source)
    name = program_member(parts)
    tree = json.loads(parts[name])
    edit(tree)
    parts[name] = json.dumps(tree).encode()
    return io.BytesIO(packed(parts))


def replaced(source: Path, old: bytes, new: bytes, count: int = -1) -> io.BytesIO:
    """The archive with bytes of its program's JSON replaced."""
    parts = members(source)
    name = program_member(parts)
    assert old in parts[name]
    parts[name] = parts[name].replace(old, new, count)
    return io.BytesIO(packed(parts))


def graph_of(tree: Json) -> Json:
    return tree["graph_module"]["graph"]
