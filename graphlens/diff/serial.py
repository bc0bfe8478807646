"""A diff as JSON and back.

A row has the columns of the table, and those of its other fields that say something. What a value is, beyond its short
text, stands once in ``values``, however many rows have it: ``{"$value": 7}`` is the eighth.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct

from graphlens.diff.encoding import plain, structured
from graphlens.diff.identity import program_identity
from graphlens.diff.modules import LoneModule
from graphlens.diff.proof import Proof, Refusal
from graphlens.diff.quality import Quality
from graphlens.diff.rows import MISMATCH_COLUMNS, Mismatch, NodeRow, Pattern
from graphlens.diff.settings import Settings, StackTraces
from graphlens.errors import DiffError
from graphlens.files import write_file
from graphlens.program.collector import without_collector
from graphlens.program.frozen import freeze
from graphlens.progress import each

if TYPE_CHECKING:
    from graphlens.diff.diff import Diff
    from graphlens.program.program import Program

FORMAT = "graphlens.diff"
VERSION = 2
_READ = (1, VERSION)
"""Version 1 wrote every value where it is."""
_VALUE: Final = "$value"
_REST = ("aspect", "where", "inherited_from")
_LONG: Final = 40
"""Longer texts are shared."""


class _Values:
    """Values that rows share, each written once."""

    def __init__(self) -> None:
        self.written: list[Any] = []
        self._by_text: dict[str, int] = {}
        self._by_id: dict[int, int] = {}

    def refer(self, value: Any) -> Any:
        """Return a value as JSON-ready data; what is long as a reference."""
        if value is None or type(value) in (bool, int, float) or (type(value) is str and len(value) < _LONG):
            return plain(value)
        number = self._by_id.get(id(value))
        if number is None:
            data = plain(value)
            text = data if type(value) is str else "\0" + json.dumps(data)
            number = self._by_text.get(text)
            if number is None:
                number = self._by_text[text] = len(self.written)
                self.written.append(data)
            self._by_id[id(value)] = number
        return {_VALUE: number}


def to_dict(diff: Diff) -> dict[str, Any]:
    """Return the whole diff as JSON-ready data; the columns of each table by their names."""
    with without_collector():
        return _head(diff) | {key: list(rows) for key, rows in _tables(diff).items()}


def _head(diff: Diff) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "verdict": diff.verdict,
        "ok": diff.ok,
        "worst": diff.worst,
        "settings": _settings(diff.settings),
        "ignored": diff.ignored,
        "a": diff.stored.get("a") or program_identity(diff.a),
        "b": diff.stored.get("b") or program_identity(diff.b),
        "proof": diff.proof.to_dict(),
        "quality": diff.quality.to_dict(),
    }


def _tables(diff: Diff) -> dict[str, Iterator[dict[str, Any]]]:
    values = _Values()
    rows = each(diff.rows, len(diff.rows), "writing", unit="rows")
    return {
        "mismatches": (_mismatch(row, values) for row in rows),
        "nodes": map(_columns, diff.node_rows),
        "patterns": map(_columns, diff.pattern_rows),
        "modules": map(_columns, diff.lone_modules),
        "values": (value for value in values.written),  # complete when the rows are written
    }


def _mismatch(row: Mismatch, values: _Values) -> dict[str, Any]:
    columns = {name: getattr(row, name) for name in MISMATCH_COLUMNS}
    if row.graph_b is not None:
        columns["graph_b"] = row.graph_b
    columns |= {name: value for name in _REST if (value := getattr(row, name))}
    if row.value_a is not None:
        columns["value_a"] = values.refer(row.value_a)
    if row.value_b is not None:
        columns["value_b"] = values.refer(row.value_b)
    return columns


def _columns(row: Struct) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in row.__struct_fields__}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _settings(settings: Settings) -> dict[str, Any]:
    severities = [{"field": plain(key), "severity": value} for key, value in settings.severities.items()]
    data = {name: plain(getattr(settings, name)) for name in ("profile", "pins", "ignore", "weights")}
    traces = settings.stack_trace
    data["stack_trace"] = {"lines": traces.lines, "prefixes": dict(traces.prefixes), "library": traces.library}
    return data | {"severities": severities}


def to_json(diff: Diff, path: str | Path | None) -> str:
    """Return the diff as JSON text of one line per row, and write it if a path is given."""
    with without_collector():
        parts = [f"{_line(key)}: {_line(value)}" for key, value in _head(diff).items()]
        for key, rows in _tables(diff).items():
            lines = ",\n".join(map(_line, rows))
            parts.append(f"{_line(key)}: [{chr(10) + lines + chr(10) if lines else ''}]")
        text = "{" + ",\n".join(parts) + "}"
    if path is not None:
        write_file(path, text + "\n")
    return text


_ASCII = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode
_FAST = msgspec.json.Encoder().encode


def _line(data: Any) -> str:
    """Write JSON of printable ASCII on one line."""
    try:
        text = _FAST(data).decode()
    except (UnicodeEncodeError, OverflowError):  # a lone surrogate, a number of more than 64 bits
        return _ASCII(data)
    return text if text.isascii() and "\x7f" not in text else _ASCII(data)


def from_json(source: str | bytes | Path, a: Program | None, b: Program | None) -> Diff:
    """Read a diff back; its programs are taken if they are given and are the ones that were compared."""
    from graphlens.diff.diff import Diff

    data = _load(source)
    try:
        values = [structured(item) for item in data.get("values", ())]
        rows = tuple(_row(item, values) for item in data["mismatches"])
        settings = _read_settings(data["settings"])
        stored = {
            "verdict": str(data["verdict"]),
            "nodes": tuple(msgspec.convert(item, NodeRow) for item in data["nodes"]),
            "patterns": tuple(msgspec.convert(item, Pattern) for item in data["patterns"]),
            "modules": tuple(msgspec.convert(item, LoneModule) for item in data["modules"]),
            "quality": msgspec.convert(data["quality"], Quality),
            "a": data["a"],
            "b": data["b"],
        }
        proof = _proof(data["proof"])
        ignored = int(data["ignored"])
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, msgspec.ValidationError) as error:
        raise DiffError(
            f"the JSON is not a diff of graphlens: {type(error).__name__}: {error}; write it with Diff.to_json()"
        ) from error
    for side, program in (("a", a), ("b", b)):
        if program is not None and program_identity(program) != stored[side]:
            raise DiffError(
                f"{side} is not the program that was compared: its content differs; give the same one or none"
            )
    alignment = None
    if a is not None and b is not None:
        from graphlens.diff.align import align

        alignment = align(a, b, pins=settings.pins)
    return Diff(
        a=a, b=b, alignment=alignment, proof=proof, rows=rows, settings=settings, ignored=ignored, stored=stored
    )


def _load(source: str | bytes | Path) -> dict[str, Any]:
    try:
        data = json.loads(source.read_bytes() if isinstance(source, Path) else source)
    except OSError as error:
        raise DiffError(f"cannot read {source!s}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise DiffError(f"the text is not JSON: {error}; give what Diff.to_json() returned, or a Path") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise DiffError("the JSON is not a diff of graphlens; write it with Diff.to_json()")
    if data.get("version") not in _READ:
        raise DiffError(
            f"the diff is of version {data.get('version')!r} and this graphlens reads {VERSION} and before; make it again"
        )
    return data


def _row(item: dict[str, Any], values: Sequence[Any]) -> Mismatch:
    sides = [_value(item.pop(name, None), values) for name in ("value_a", "value_b")]
    return msgspec.structs.replace(msgspec.convert(item, Mismatch), value_a=sides[0], value_b=sides[1])


def _value(data: Any, values: Sequence[Any]) -> Any:
    if type(data) is not dict or _VALUE not in data:
        return structured(data)
    number = data[_VALUE]
    if type(number) is not int or not 0 <= number < len(values):
        raise ValueError(f"there is no value {number!r}")
    return values[number]


def _read_settings(data: dict[str, Any]) -> Settings:
    def selector(item: Any) -> Any:
        return tuple(item) if isinstance(item, list) else item

    given = data["stack_trace"]
    traces = StackTraces(given["lines"], freeze(given["prefixes"]), given["library"])
    return Settings(
        profile=data["profile"],
        pins=tuple((a, b) for a, b in data["pins"]),
        severities=freeze({selector(entry["field"]): entry["severity"] for entry in data["severities"]}),
        ignore=tuple(selector(item) for item in data["ignore"]),
        stack_trace=traces,
        weights=data["weights"],
    )


def _proof(data: dict[str, Any]) -> Proof:
    return Proof(
        level=data["level"],
        rules=freeze(data["rules"]),
        nodes=data["nodes"],
        edges=data["edges"],
        assumptions=tuple(data["assumptions"]),
        unknown=tuple(data["unknown"]),
        refusals=tuple(msgspec.convert(item, Refusal) for item in data["refusals"]),
    )
