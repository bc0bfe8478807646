"""What a program says about itself as a whole: facts, symbols, signature, stored tensors, as texts and tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from graphlens.program.argument import literal_text
from graphlens.program.parts import InputSpec, OutputSpec, StoredTensor, Symbol
from graphlens.program.program import Program
from graphlens.program.pytree import leaf_paths
from graphlens.program.value import SHORT_DTYPES, shape_text
from graphlens.view.labels import clip
from graphlens.view.payload import SymbolData
from graphlens.view.payload_scene import Column, Table
from graphlens.view.privacy import Source, shorten
from graphlens.view.wire import Interner

MOST_ROWS = 20_000
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def program_facts(program: Program, source: Source) -> list[tuple[str, str]]:
    """Return `(what, text)` lines about a program; what is unknown is left out."""
    name = shorten(program.origin.name, source if source == "full" else "relative")
    versions, nodes = program.versions, sum(len(graph) for graph in program.graphs.values())
    by_storage = {t.storage or t.fqn: t.nbytes for t in program.stored if t.nbytes is not None}
    lines = [
        ("source", f"{program.origin.kind} {name}".strip()),
        ("nodes", f"{nodes} in {len(program.graphs)} graph{'s' * (len(program.graphs) != 1)}"),
        ("torch", versions.torch or ""),
        ("schema", versions.schema or ""),
        ("opset", ", ".join(f"{name} {version}" for name, version in versions.opset.items())),
        ("dialect", versions.dialect or ""),
        ("verifiers", ", ".join(versions.verifiers)),
        ("archive", versions.archive or ""),
        ("stored tensors", f"{len(program.stored)}, {size_text(sum(by_storage.values()))}" if program.stored else ""),
        ("called with", _spec_text(program.in_spec, call=True)),
        ("returns", _spec_text(program.out_spec, call=False)),
        ("example inputs", clip(program.example_inputs or "", 2000)),
        *(("guard", clip(guard, 500)) for guard in program.guards[:100]),
    ]
    return [(what, text) for what, text in lines if text]


def _spec_text(spec: str | None, *, call: bool) -> str:
    """Write a pytree's spec as the places of its leaves, or as it is where it cannot be read."""
    paths = leaf_paths(spec, call=call) if spec else ()
    return clip(", ".join(path or "one value" for path in paths) if paths is not None else spec or "", 2000)


def size_text(count: float) -> str:
    """Write a number of bytes: ``1.5 MiB``."""
    for unit in _UNITS:
        if count < 1024 or unit == _UNITS[-1]:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError


def symbol_data(program: Program) -> list[SymbolData]:
    """Return the symbols of a program with their ranges."""
    return [
        SymbolData(symbol.name, symbol.kind, str(symbol.range), _text(symbol.hint), _bound(symbol))
        for symbol in program.symbol_table
    ]


def _bound(symbol: Symbol) -> str:
    if symbol.bound is None:
        return ""
    graph, node, place = symbol.bound
    return f"{graph + ':' if graph else ''}{node}.{place}"


def _text(value: object) -> str:
    return "" if value is None else str(value)


def program_tables(program: Program, text: Interner) -> list[Table]:
    """Return the tables of a program: inputs, outputs, symbols, stored tensors, members, notices; empty ones left out."""
    rows: list[tuple[str, Sequence[str], Iterable[tuple[Any, ...]]]] = [
        ("Notices", ("where", "message"), ((n.where, n.message) for n in program.notices)),
        ("Inputs", ("kind", "placeholder", "target", "path", "constant"), map(_input_row, program.inputs)),
        ("Outputs", ("kind", "node", "target", "path", "constant"), map(_output_row, program.outputs)),
        (
            "Symbols",
            ("symbol", "kind", "range", "hint", "bound to"),
            ((s.name, s.kind, str(s.range), s.hint, _bound(s)) for s in program.symbol_table),
        ),
        (
            "Range constraints",
            ("expression", "range"),
            ((e, str(r)) for e, r in program.ranges.items() if e not in {s.name for s in program.symbol_table}),
        ),
        ("Stored tensors", ("name", "kind", "value", "device", "bytes", "note"), map(_stored_row, program.stored)),
        ("Archive members", ("member", "kind", "bytes"), ((p.member, p.kind, p.size) for p in program.payloads)),
    ]
    tables = [make_table(text, title, names, list(cells)) for title, names, cells in rows]
    return [table for table in tables if table.columns[0].cells]


def _input_row(spec: InputSpec) -> tuple[Any, ...]:
    constant = "" if spec.constant is None else literal_text(spec.constant)
    return (spec.kind, spec.argument, spec.target, spec.path, constant)


def _output_row(spec: OutputSpec) -> tuple[Any, ...]:
    constant = "" if spec.constant is None else literal_text(spec.constant)
    return (spec.kind, spec.argument, spec.target, spec.path, constant)


def _stored_row(tensor: StoredTensor) -> tuple[Any, ...]:
    value = tensor.type or ""
    if tensor.dtype is not None and tensor.shape is not None:
        value = SHORT_DTYPES.get(tensor.dtype, tensor.dtype) + shape_text(tensor.shape)
    return (tensor.fqn, tensor.kind, value, tensor.device, tensor.nbytes, tensor.note)


def make_table(
    text: Interner, title: str, names: Sequence[str], rows: Sequence[Sequence[Any]], *, note: str = ""
) -> Table:
    """Make a table from rows of plain cells; rows over `MOST_ROWS` are left out and the note says so."""
    shown = rows[:MOST_ROWS]
    if len(rows) > len(shown):
        note = f"{note} {len(rows) - len(shown)} more rows are not shown.".strip()
    columns = []
    for i, name in enumerate(names):
        cells = [row[i] for row in shown]
        columns.append(Column(name, _column_type(cells), [-1 if _absent(c) else text(cell_text(c)) for c in cells]))
    return Table(title, note, columns)


def _absent(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell)


def cell_text(cell: Any) -> str:
    """Write a cell: floats to six digits, everything else as it is, bounded in length."""
    text = f"{cell:.6g}" if isinstance(cell, float) else str(cell)
    return text if len(text) <= 2000 else clip(text, 2000)


def _column_type(cells: list[Any]) -> Any:
    known = [cell for cell in cells if cell is not None]
    if known and all(isinstance(cell, bool) for cell in known):
        return "bool"
    if known and all(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in known):
        return "number"
    return "text"
