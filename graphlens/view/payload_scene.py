"""The part of the payload that is drawn, and tables; see `graphlens.view.payload`."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

Text: TypeAlias = int
"""An index into `Payload.strings`."""

Ints: TypeAlias = list[int]


class Regions(Struct, frozen=True):
    """The tree of foldable regions of a scene, in columns. Region 0 is the root graph; a parent precedes its children."""

    key: Annotated[Ints, Meta(description="Text: stable name for links and state, unique in the scene")]
    kind: Annotated[
        list[Literal["graph", "module", "call"]],
        Meta(
            description="graph: the root or a nested graph; module: one call of a module; call: a node that holds nested "
            "graphs (its children are exactly those graphs, drawn side by side)"
        ),
    ]
    parent: Annotated[Ints, Meta(description="region around it, -1 for the root")]
    label: Annotated[
        Ints, Meta(description="Text: module path relative to the parent with call index, role of a nested graph, op")
    ]
    type: Annotated[Ints, Meta(description="Text: class name of the module, '' elsewhere")]
    path: Annotated[Ints, Meta(description="Text: full module path (module) or graph path (graph); '' for a call")]
    owner: Annotated[
        Ints,
        Meta(description="box that this region is when folded (call), or that holds it (nested graph); -1 elsewhere"),
    ]
    hash: Annotated[Ints, Meta(description="Text: equal for regions that compute the same up to names and weights")]
    size: Annotated[Ints, Meta(description="number of nodes inside, at any depth, hidden ones included")]


class Boxes(Struct, frozen=True):
    """The nodes of a scene, in columns, in topological order graph by graph.

    A box with role parameter, buffer, constant or subgraph is not drawn where it has a user: it is listed in its users.
    """

    key: Annotated[Ints, Meta(description="Text: graph path and node name, `cond.true_fn/mul`; stable, unique")]
    label: Annotated[Ints, Meta(description="Text: short name of the operator, or of the input")]
    sub: Annotated[Ints, Meta(description="Text: its value in short, `f32[2, s77]`")]
    role: Annotated[
        list[Literal["op", "input", "output", "parameter", "buffer", "constant", "subgraph", "call"]],
        Meta(description="call: holds nested graphs, see the region of kind call whose owner it is"),
    ]
    region: Annotated[Ints, Meta(description="innermost region of kind graph or module around it")]


class Edges(Struct, frozen=True):
    """Data flow of a scene, in columns, sorted by `dst`, then by position of the operand."""

    dst: Annotated[Ints, Meta(description="box that uses the value")]
    back: Annotated[Ints, Meta(description="dst minus the box that makes the value (repeats well: smaller files)")]
    slot: Annotated[Ints, Meta(description="Text: the operand by schema name and place, `input`, `tensors[1]`")]
    port: Annotated[Ints, Meta(description="which output of the maker is used, where a getitem says so; else -1")]


class Ties(Struct, frozen=True):
    """What the placeholders of nested graphs stand for, in columns."""

    outer: Annotated[Ints, Meta(description="box of the operand in the enclosing graph")]
    inner: Annotated[Ints, Meta(description="box of the placeholder in the nested graph")]


class Scene(Struct, frozen=True):
    """What is drawn."""

    regions: Regions
    boxes: Boxes
    edges: Edges
    ties: Ties


class Column(Struct, frozen=True):
    """One column of a table."""

    name: str
    type: Annotated[
        Literal["text", "number", "bool"], Meta(description="how to sort and align; cells are texts anyway")
    ]
    cells: Annotated[Ints, Meta(description="Text per row, -1 where there is nothing")]


class Table(Struct, frozen=True):
    """A table to show as it is."""

    title: str
    note: Annotated[
        str, Meta(description="one sentence under the title, '' for none; says how many rows were left out")
    ]
    columns: list[Column]
    boxes: Annotated[
        Ints, Meta(description="box of the view that a row leads to, -1 for none; empty where no row leads anywhere")
    ] = []
