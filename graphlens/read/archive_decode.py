"""Decoding the JSON of an archive: strictly and fast, or slowly where the file says more than the types know."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NoReturn, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Raw

from graphlens.errors import ArchiveError
from graphlens.program.parts import Notice
from graphlens.read import archive_upgrade, limits, schema
from graphlens.read.limits import brief

T = TypeVar("T")

KNOWN_MAJORS = (3, 4, 5, 6, 7, 8)
"""Major versions of the schema whose fields are known: torch 2.2 to 2.13."""

_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_ESCAPE = re.compile(r"\\\\|\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u[dD][89a-fA-F]..")
_TEXT = 400


class Reading:
    """What one reading of one file knows: where it is for errors, and what it met that people should see."""

    __slots__ = (
        "_counts",
        "_notices",
        "file",
        "graph",
        "hints",
        "item",
        "kinds",
        "lenient",
        "literals",
        "member",
        "node",
        "shared",
        "symbolic",
        "unknown",
        "values",
    )

    def __init__(self, file: str, member: str) -> None:
        self.file = file
        self.member = member
        self.lenient = False
        """Whether the schema is of an unknown major version, so that what is unreadable is labelled, not refused."""
        self.literals: dict[bytes, Any] = {}
        self.values: dict[bytes, Any] = {}
        self.symbolic = False
        """Whether any value has a symbol in it."""
        self.hints: dict[str, int | float] = {}
        """Example values by expression."""
        self.unknown: dict[str, str] = {}
        """Fields outside of nodes that the schema does not know: JSON path to JSON text."""
        self.shared: dict[Any, Any] = {}
        self.kinds: dict[str, Any] = {}
        self.graph = "$"
        self.node = -1
        self.item: int | str = ""
        """Where reading is: JSON path of the graph, index of the node, index of its input or other part."""
        self._notices: list[Notice] = []
        self._counts: dict[str, int] = {}

    def path(self, where: str) -> str:
        """Return a JSON path; one that does not start with ``$`` starts from where reading is."""
        if where.startswith("$"):
            return where
        node = f".nodes[{self.node}]" if self.node >= 0 else ""
        item = f".inputs[{self.item}].arg" if isinstance(self.item, int) else self.item and f".{self.item}"
        return f"{self.graph}{node}{item}{where}"

    def error(self, problem: str, where: str = "") -> ArchiveError:
        """Return an error that names file, member and JSON path."""
        return ArchiveError(
            f"{self.file}: member {brief(self.member)}: {problem[:_TEXT]} at {_shown(self.path(where))}"
        )

    def tolerate(self, error: ArchiveError) -> None:
        """Make an error a notice where the schema is of an unknown major version; raise it where it is known."""
        if not self.lenient:
            raise error
        self.notice("unreadable parts", "", str(error))

    def notice(self, kind: str, where: str, message: str) -> None:
        """Keep a notice; of each kind the first `limits.MAX_NOTICES`."""
        count = self._counts[kind] = self._counts.get(kind, 0) + 1
        if count <= limits.MAX_NOTICES:
            self._notices.append(Notice(self.path(where)[:_TEXT], message[:_TEXT]))

    def first(self, where: str, message: str) -> None:
        """Keep a notice before all others."""
        self._notices.insert(0, Notice(where, message))

    def notices(self) -> tuple[Notice, ...]:
        """Return all notices, and for each kind how many were left out."""
        more = [
            Notice("", f"{count - limits.MAX_NOTICES} more: {kind}")
            for kind, count in self._counts.items()
            if count > limits.MAX_NOTICES
        ]
        return (*self._notices, *more)


def _shown(path: str) -> str:
    return path if len(path) <= _TEXT else f"{path[:_TEXT]}…"


def decode(data: bytes | Raw, kind: type[T], reading: Reading, where: str) -> T:
    """Decode JSON as `kind`.

    Where that fails, it is tried once more after what JSON of torch may hold beyond these types was taken care of:
    fields that are not known are kept as a notice (of a node: as metadata), bare ``NaN`` and ``Infinity`` (torch
    2.5 and earlier) become text, lone surrogates become U+FFFD.

    Raises
    ------
    ArchiveError
        With file, member and JSON path, if it is no JSON or of another type.
    """
    decoder = _DECODERS.get(kind)
    if decoder is None:
        decoder = _DECODERS[kind] = msgspec.json.Decoder(kind)
    try:
        return decoder.decode(data)  # type: ignore[no-any-return]
    except _UNREADABLE as error:
        first = error
    tree = _tolerant(bytes(data), reading, where)
    if kind is schema.ExportedProgram:
        reading.lenient = _major(tree) not in KNOWN_MAJORS
        if archive_upgrade.OLDEST <= _major(tree) <= archive_upgrade.NEWEST:
            archive_upgrade.upgrade(tree)
    pruned = _prune(tree, kind, where, reading)
    try:
        return decoder.decode(_encoded(pruned))  # type: ignore[no-any-return]
    except _UNREADABLE as error:
        _refuse(first if isinstance(first, msgspec.ValidationError) and not _unknown(first) else error, reading, where)


def _unknown(error: Exception) -> bool:
    return "unknown field" in str(error)


def _major(tree: Any) -> int:
    version = tree.get("schema_version") if isinstance(tree, dict) else None
    major = version.get("major") if isinstance(version, dict) else None
    return major if isinstance(major, int) else KNOWN_MAJORS[-1]


def _refuse(error: Exception, reading: Reading, where: str) -> NoReturn:
    if isinstance(error, RecursionError):
        raise reading.error("its JSON is nested too deeply to be a program", where) from None
    message, _, path = str(error).partition(" - at `$")
    raise reading.error(message, where + path.rstrip("`")) from None


def _tolerant(data: bytes, reading: Reading, where: str) -> Any:
    """Parse JSON as Python does, non-finite numbers as text."""
    import json

    def number(text: str) -> float | str:
        value = float(text)
        return value if value - value == 0 else "Infinity" if value > 0 else "-Infinity"

    try:
        return json.loads(data.decode("utf-8"), parse_constant=str, parse_float=number)
    except UnicodeDecodeError as error:
        raise reading.error(f"is not UTF-8 at its byte {error.start}", where) from None
    except RecursionError as error:
        _refuse(error, reading, where)
    except ValueError as error:
        raise reading.error(f"is no JSON: {error}", where) from None


def _encoded(tree: Any) -> bytes:
    import json

    def lone(match: re.Match[str]) -> str:
        return match[0] if len(match[0]) != 6 else "\\ufffd"

    return _ESCAPE.sub(lone, json.dumps(tree)).encode()


def _prune(tree: Any, kind: Any, where: str, reading: Reading) -> Any:
    """Take out the fields that `kind` does not have. Recurses over the types, which are shallow, not over the data."""
    origin = get_origin(kind)
    if origin is types.UnionType:
        kind = next(
            (part for part in get_args(kind) if isinstance(part, type) and issubclass(part, msgspec.Struct)), Raw
        )
    if origin is list and isinstance(tree, list):
        inner = get_args(kind)[0]
        return [_prune(item, inner, f"{where}[{i}]", reading) for i, item in enumerate(tree)] if _deep(inner) else tree
    if origin is dict and isinstance(tree, dict):
        inner = get_args(kind)[1]
        return {k: _prune(v, inner, f"{where}.{k[:80]}", reading) for k, v in tree.items()} if _deep(inner) else tree
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct) and isinstance(tree, dict)):
        return tree
    hints = _hints(kind)
    found = {k: _prune(v, hints[k], f"{where}.{k}", reading) for k, v in tree.items() if k in hints}
    for field, value in tree.items():
        if field not in hints:
            _keep(found, kind, field, value, where, reading)
    if reading.lenient:
        for field in msgspec.structs.fields(kind):
            if field.required and field.name not in found:
                reading.notice(f"no {field.name}", where, f"has no `{field.name}`; read as empty")
                found[field.name] = _empty(field.type)
    return found


def _keep(found: dict[str, Any], kind: type, field: str, value: Any, where: str, reading: Reading) -> None:
    import json

    text = json.dumps(value)
    if kind is schema.Node and isinstance(found.get("metadata"), dict):
        found["metadata"] = {field: text, **found["metadata"]}
    elif len(reading.unknown) < limits.MAX_UNKNOWN:
        reading.unknown[f"{reading.path(where)}.{field}"[:_TEXT]] = text[: limits.MAX_UNKNOWN_TEXT]
    reading.notice(
        f"field {brief(field)} of {kind.__name__}",
        where,
        f"{kind.__name__} has a field that this reader does not know: {brief(field)} = {text[:200]}",
    )


def _deep(kind: Any) -> bool:
    return get_origin(kind) is not None or (isinstance(kind, type) and issubclass(kind, msgspec.Struct))


@lru_cache(maxsize=64)
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _empty(kind: Any) -> Any:
    origin = get_origin(kind) or kind
    if isinstance(origin, type) and issubclass(origin, msgspec.Struct):
        return {field.name: _empty(field.type) for field in msgspec.structs.fields(origin) if field.required}
    return {list: [], dict: {}, str: "", int: 0, bool: False}.get(origin)
