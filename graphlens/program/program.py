"""The Program: one captured program as immutable data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from graphlens.program.display import Displayable
from graphlens.program.frozen import EMPTY
from graphlens.program.graph import Graph, Node
from graphlens.program.parts import (
    InputSpec,
    ModuleSignature,
    Notice,
    Origin,
    OutputSpec,
    Payload,
    Range,
    StoredTensor,
    Symbol,
    Versions,
)

if TYPE_CHECKING:
    import pandas as pd

ROOT = ""
LISTING_LINES = 500
"""Lines of `str(program)`: what an issue takes. `graphlens.program.listing.program_listing` writes all."""


class Program(Struct, Displayable, frozen=True, dict=True, kw_only=True):
    """One captured program: its graphs by path (the root, ``""``, first) and everything around them.

    A graph path is ``node.role`` steps joined by ``/``: ``cond.true_fn/map_impl.f``. `stored` describes weights and
    constants; `sources` maps a file name to its lines by number, for the lines that stack traces name, and `folders` to
    digests of the folders that reading left out of it; `schemas` maps the targets of custom ops to their schema text; `payloads` are archive members that were listed and not opened.
    """

    graphs: Mapping[str, Graph]
    inputs: tuple[InputSpec, ...] = ()
    outputs: tuple[OutputSpec, ...] = ()
    symbol_table: tuple[Symbol, ...] = ()
    ranges: Mapping[str, Range] = EMPTY
    stored: tuple[StoredTensor, ...] = ()
    module_calls: tuple[ModuleSignature, ...] = ()
    guards: tuple[str, ...] = ()
    in_spec: str | None = None
    out_spec: str | None = None
    example_inputs: str | None = None
    versions: Versions = Versions()
    schemas: Mapping[str, str] = EMPTY
    sources: Mapping[str, Mapping[int, str]] = EMPTY
    folders: Mapping[str, tuple[str, ...]] = EMPTY
    payloads: tuple[Payload, ...] = ()
    notices: tuple[Notice, ...] = ()
    meta: Mapping[str, Any] = EMPTY
    origin: Origin = Origin("graph", "")

    @property
    def graph(self) -> Graph:
        """The root graph."""
        return self.graphs[ROOT]

    def walk(self) -> Iterator[tuple[str, Node]]:
        """Yield `(graph path, node)` for every node, graph by graph."""
        for path, graph in self.graphs.items():
            for node in graph.nodes:
                yield path, node

    def child_path(self, path: str, node: str, role: str) -> str:
        """Return the graph path of the nested graph that `node` of graph `path` holds as `role`."""
        return child_path(path, node, role)

    def nodes(self) -> pd.DataFrame:
        """One row per node: ``graph name op target module value dtype shape source users``."""
        from graphlens.program.tables import nodes_table

        return nodes_table(self)

    def values(self) -> pd.DataFrame:
        """One row per leaf of every node's value, with every facet; see `graphlens.program.tables.values_table`."""
        from graphlens.program.tables import values_table

        return values_table(self)

    def symbols(self) -> pd.DataFrame:
        """One row per symbol: ``name kind expression lower upper hint backed bound users``."""
        from graphlens.program.tables import symbols_table

        return symbols_table(self)

    def weights(self) -> pd.DataFrame:
        """One row per stored weight, buffer or constant; see `graphlens.program.tables.weights_table`."""
        from graphlens.program.tables import weights_table

        return weights_table(self)

    def signature(self) -> pd.DataFrame:
        """One row per input and output: ``direction index kind argument target path persistent constant value``."""
        from graphlens.program.tables import signature_table

        return signature_table(self)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready data; see `graphlens.program.plain.program_dict`."""
        from graphlens.program.plain import program_dict

        return program_dict(self)

    def __str__(self) -> str:
        from graphlens.program.listing import program_listing

        return program_listing(self, limit=LISTING_LINES)

    def __repr__(self) -> str:
        count = sum(len(graph) for graph in self.graphs.values())
        name = f" {self.origin.name}" if self.origin.name else ""
        return f"<graphlens.Program{name}: {count} nodes in {len(self.graphs)} graph{'s' * (len(self.graphs) != 1)}>"


def child_path(path: str, node: str, role: str) -> str:
    """Join a graph path and one ``node.role`` step."""
    return f"{path}/{node}.{role}" if path else f"{node}.{role}"
