"""A `.pt2` archive to a Program: without torch, without a pickle, without its weights."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, BinaryIO

from msgspec import Raw

from graphlens.program.argument import Argument
from graphlens.program.collector import without_collector
from graphlens.program.frozen import freeze
from graphlens.program.graph import Graph
from graphlens.program.parts import InputSpec, Origin, Symbol, Versions
from graphlens.program.program import ROOT, Program, child_path
from graphlens.read import schema
from graphlens.read.archive_call import Converted, build_graph
from graphlens.read.archive_decode import KNOWN_MAJORS, Reading, decode
from graphlens.read.archive_layout import AOTI, Layout, compiled_name, find_layout, payloads
from graphlens.read.archive_member import read_member
from graphlens.read.archive_meta import Metadata, json_argument
from graphlens.read.archive_signature import input_specs, module_calls, output_specs, ranges
from graphlens.read.archive_stored import stored_tensors
from graphlens.read.archive_zip import Archive, check_unchanged, open_archive
from graphlens.read.source_paths import folders, kept_file, source_lines

_SMALL_JSON = 1 << 20

PATH_LIMIT = 20_000
"""Nested graphs listed at most."""


def read_archive(
    obj: str | os.PathLike[str] | BinaryIO, /, *, model: str | None = None, source: str = "relative"
) -> Program:
    """Read a `.pt2` archive of any torch release.

    Parameters
    ----------
    obj
        A path, or a binary file object that can seek; it is left open.
    model
        Which program of an archive that holds several.
    source
        What is kept of the source files that stack traces name: ``"none"``, ``"relative"`` or ``"full"``.

    Returns
    -------
    Program
        What ``read(torch.export.load(obj))`` gives, in all that the file holds. Facets that torch drops when it loads
        (storage offsets, layouts) are kept; those that the file does not have (conjugate bit) are `None`. Nothing
        of the archive is run, and weights are read only through `StoredTensor.content`.

    Raises
    ------
    SourceError
        The path cannot be opened.
    ArchiveError
        The file is broken, hostile, of an unreadable layout, or changed while it was read.
    """
    with open_archive(obj) as archive, without_collector(settle=True):
        layout = find_layout(archive, model)
        program = _compiled_only(archive, layout, source) if layout.program is None else _read(archive, layout, source)
        check_unchanged(archive)
    return program


def _compiled_only(archive: Archive, layout: Layout, policy: str) -> Program:
    """Describe an archive of compiled models: there is no graph in it."""
    reading = Reading(archive.name, "")
    names = ", ".join(layout.compiled[:20])
    reading.notice("compiled", "", f"holds no exported graph, only models compiled by AOTInductor: {names}")
    return Program(
        graphs=freeze({ROOT: Graph(())}),
        versions=Versions(archive=layout.archive),
        payloads=payloads(archive, layout),
        notices=reading.notices(),
        meta=freeze(_compiled_meta(archive, layout, reading)),
        origin=_origin(archive, policy),
    )


def _read(archive: Archive, layout: Layout, policy: str) -> Program:
    assert layout.program is not None
    reading = Reading(archive.name, layout.program.name)
    exported = decode(read_member(archive, layout.program), schema.ExportedProgram, reading, "$")
    module = exported.graph_module
    _check_version(exported.schema_version, reading)
    calls = tuple(module_calls(module.module_call_graph, reading))
    top = next((call for call in calls if not call.fqn), None)
    in_spec, out_spec = (top.in_spec, top.out_spec) if top is not None else (None, None)
    inputs = input_specs(module.signature, in_spec, reading)
    outputs = output_specs(module.signature, out_spec, reading)
    metadata = Metadata(reading, policy)
    graphs = _graphs(module.graph, inputs, metadata, reading)
    constraints = ranges(exported.range_constraints)
    stored = tuple(stored_tensors(archive, layout, inputs, graphs[ROOT], reading))
    return Program(
        graphs=freeze(graphs),
        inputs=inputs,
        outputs=outputs,
        symbol_table=_symbols(graphs, constraints, reading),
        ranges=constraints,
        stored=stored,
        module_calls=calls,
        guards=tuple(exported.guards_code),
        in_spec=in_spec,
        out_spec=out_spec,
        example_inputs=_example_inputs(layout),
        versions=Versions(
            torch=exported.torch_version,
            schema=f"{exported.schema_version.major}.{exported.schema_version.minor}",
            opset=freeze(exported.opset_version),
            verifiers=tuple(exported.verifiers),
            dialect=exported.verifiers[0] if exported.verifiers else None,
            archive=layout.archive,
        ),
        sources=source_lines(metadata.traces, policy, read_files=False),
        folders=folders(metadata.traces, policy),
        payloads=payloads(archive, layout),
        notices=reading.notices(),
        meta=freeze(_program_meta(module, archive, layout, reading)),
        origin=_origin(archive, policy),
    )


def _check_version(version: schema.SchemaVersion, reading: Reading) -> None:
    reading.lenient = version.major not in KNOWN_MAJORS
    if reading.lenient:
        reading.first(
            "$.schema_version",
            f"schema {version.major}.{version.minor} is not one of {KNOWN_MAJORS[0]}.x to {KNOWN_MAJORS[-1]}.x that this "
            "reader knows; it was read as far as it could be",
        )


def _graphs(
    root: schema.Graph, inputs: tuple[InputSpec, ...], metadata: Metadata, reading: Reading
) -> dict[str, Graph]:
    """Convert the root and every nested graph, to any depth, in the order in which they are met."""
    names = [spec.argument for spec in inputs]
    graphs: dict[str, Graph] = {}
    shared: dict[tuple[str, str], tuple[Raw, Converted]] = {}
    stack: list[tuple[str, Converted]] = [(ROOT, build_graph(root, reading, metadata, "$.graph_module.graph", names))]
    while stack:
        path, (graph, children) = stack.pop()
        if len(graphs) >= PATH_LIMIT:
            reading.notice("graphs", "$", f"only the first {PATH_LIMIT} nested graphs are listed")
            break
        graphs[path] = graph
        below = []
        for node, role, held in children:
            # a body with several callers is written once for each of them, under one name
            raw, converted = shared.get((path, held.attribute), (None, None))
            if raw is None or converted is None or bytes(raw) != bytes(held.raw):
                converted = build_graph(held.graph, reading, metadata, held.json_path, names)
                shared[path, held.attribute] = (held.raw, converted)
            below.append((child_path(path, node, role), converted))
        stack.extend(reversed(below))
    return graphs


def _symbols(graphs: Mapping[str, Graph], constraints: Mapping[str, Any], reading: Reading) -> tuple[Symbol, ...]:
    """List the symbols; a program without any does not pay for the import."""
    if not constraints and not reading.symbolic:
        return ()
    from graphlens.program.symbols import symbol_table

    return symbol_table(graphs, constraints, reading.hints)


def _origin(archive: Archive, policy: str) -> Origin:
    return Origin("archive", kept_file(archive.name, policy) or os.path.basename(archive.name))  # noqa: PTH119


def _example_inputs(layout: Layout) -> str | None:
    member = layout.example_inputs
    return f"{member.name} ({member.size} bytes, a pickle: not opened)" if member is not None and member.size else None


def _program_meta(
    module: schema.GraphModule, archive: Archive, layout: Layout, reading: Reading
) -> dict[str, Argument]:
    """Collect the metadata of the GraphModule, under torch's own keys, and of compiled models that lie beside it."""
    meta: dict[str, Argument] = {}
    reading.graph, reading.node, reading.item = "$.graph_module.metadata", -1, ""
    for key, text in module.metadata.items():
        if key == "custom" and text:
            meta[key] = json_argument(decode(text.encode("utf-8", "replace"), object, reading, f".{key}"))
        elif key != "custom":
            meta[key] = text
    meta["treespec_namedtuple_fields"] = json_argument(
        {name: fields.field_names for name, fields in module.treespec_namedtuple_fields.items()}
    )
    if reading.unknown:
        meta["unknown_fields"] = json_argument(reading.unknown)
    return meta | _compiled_meta(archive, layout, reading)


def _compiled_meta(archive: Archive, layout: Layout, reading: Reading) -> dict[str, Argument]:
    """Describe the models that AOTInductor compiled: how many files and bytes, and for what machine."""
    found: dict[str, dict[str, Any]] = {}
    for name, member in archive.members.items():
        inside = name.removeprefix(layout.root)
        if not inside.startswith(AOTI):
            continue
        about = found.setdefault(compiled_name(inside), {"files": 0, "bytes": 0})
        about["files"] += 1
        about["bytes"] += member.size
        if inside.endswith("_metadata.json") and member.size <= _SMALL_JSON:
            reading.member, reading.graph = name, "$"
            about |= decode(read_member(archive, member), dict[str, Any], reading, "$")
    return {"aotinductor": json_argument(found)} if found else {}
