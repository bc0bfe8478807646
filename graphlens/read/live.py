"""Live torch objects to Programs: ExportedProgram, GraphModule, bare fx.Graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram

from graphlens.program.frozen import EMPTY, freeze
from graphlens.program.graph import Graph
from graphlens.program.parts import Origin, Range, Versions
from graphlens.program.program import ROOT, Program
from graphlens.program.symbols import symbol_table
from graphlens.read.live_graph import Body
from graphlens.read.live_meta import Interned
from graphlens.read.live_names import python_attribute
from graphlens.read.live_signature import input_specs, module_calls, output_specs, ranges_of, spec_text, versions_of
from graphlens.read.live_stored import stored_in_modules, stored_in_program
from graphlens.read.live_torch import graph_pytree, guards_of, hints_and_ranges
from graphlens.read.live_values import expression_text
from graphlens.read.live_walk import walk


def is_live(obj: Any) -> bool:
    """Whether `read_live` takes an object."""
    return isinstance(obj, ExportedProgram | fx.Graph) or (
        isinstance(obj, torch.nn.Module) and isinstance(python_attribute(obj, "graph"), fx.Graph)
    )


def read_live(obj: Any, *, source: str = "relative") -> Program:
    """Read an ExportedProgram, a GraphModule (or another module that interprets an `fx.Graph`) or an `fx.Graph`.

    The object is left as it is. Nothing of it is run but its own `repr` functions, whose errors are contained.
    """
    interned = Interned(source)
    if isinstance(obj, ExportedProgram):
        return _read_exported(obj, interned)
    if isinstance(obj, fx.Graph):
        return _read_graph(Body(obj, obj.owning_module), interned, Origin("graph", ""))
    return _read_graph(Body(obj.graph, obj), interned, Origin("graph_module", type(obj).__name__))


def _read_exported(program: ExportedProgram, interned: Interned) -> Program:
    module = program.graph_module
    walked = walk(Body(module.graph, module), interned)
    graphs, meta = _without_root_meta(walked.graphs)
    calls = tuple(module_calls(program))
    top = next((call for call in calls if not call.fqn), None)
    in_spec, out_spec = (top.in_spec, top.out_spec) if top is not None else (None, None)
    ranges = ranges_of(program.range_constraints)
    return Program(
        graphs=graphs,
        inputs=input_specs(program, in_spec),
        outputs=output_specs(program, out_spec),
        symbol_table=symbol_table(graphs, ranges, _environment(walked.bodies)[0]),
        ranges=ranges,
        stored=stored_in_program(program, walked.bodies),
        module_calls=calls,
        guards=guards_of(program),
        in_spec=in_spec,
        out_spec=out_spec,
        example_inputs=None if program.example_inputs is None else "in memory",
        versions=versions_of(program),
        schemas=freeze(walked.schemas),
        sources=interned.sources(),
        folders=interned.folders(),
        notices=walked.notices,
        meta=meta,
        origin=Origin("exported_program", ""),
    )


def _read_graph(body: Body, interned: Interned, origin: Origin) -> Program:
    walked = walk(body, interned)
    graphs, meta = _without_root_meta(walked.graphs)
    in_spec, out_spec = graph_pytree(body.graph)
    hints, known = _environment(walked.bodies)
    names = {symbol.name for symbol in symbol_table(graphs, EMPTY, hints)}
    ranges = freeze((name, limits) for name, limits in known.items() if name in names)
    return Program(
        graphs=graphs,
        symbol_table=symbol_table(graphs, ranges, hints),
        ranges=ranges,
        stored=stored_in_modules(walked.bodies),
        in_spec=spec_text(in_spec),
        out_spec=spec_text(out_spec),
        versions=Versions(torch=str(torch.__version__)),
        schemas=freeze(walked.schemas),
        sources=interned.sources(),
        folders=interned.folders(),
        notices=walked.notices,
        meta=meta,
        origin=origin,
    )


def _without_root_meta(graphs: Mapping[str, Graph]) -> tuple[Mapping[str, Graph], Mapping[str, Any]]:
    """Take the root's own metadata out: it is the program's, and a file has it there."""
    return freeze({**graphs, ROOT: Graph(graphs[ROOT].nodes)}), graphs[ROOT].meta


def _environment(bodies: Mapping[str, Body]) -> tuple[Mapping[str, int | float], Mapping[str, Range]]:
    """Example values and ranges of the symbols, from the shape environment that the values of the graphs share."""
    found: dict[str, int | float] = {}
    hints, ranges = hints_and_ranges(_symbolic_numbers(bodies))
    for symbol, hint in hints.items():
        if isinstance(hint, int | float):
            found[expression_text(symbol)] = hint
        elif getattr(hint, "is_Integer", False):
            found[expression_text(symbol)] = int(hint)
        elif getattr(hint, "is_Float", False):
            found[expression_text(symbol)] = float(hint)
    return found, ranges_of(ranges)


def _symbolic_numbers(bodies: Mapping[str, Body]) -> Iterator[Any]:
    for body in bodies.values():
        for node in body.graph.nodes:
            held = node.meta.get("val", node.meta.get("example_value"))
            if isinstance(held, torch.SymInt | torch.SymFloat | torch.SymBool):
                yield held
            elif isinstance(held, torch.Tensor):
                yield from (size for size in held.shape if isinstance(size, torch.SymInt))
