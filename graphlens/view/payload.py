"""The payload: what Python hands the front end, the same in the widget and in the report.

One JSON document, gzipped. It is written for its reader: every text that repeats stands once in `Payload.strings` and
is an index (`Text`) elsewhere; where there are thousands of things they are columns, arrays of equal length, rather than
objects. `-1` reads "none" in every index. `tools/make_payload_types.py` turns these structs into `js/src/payload.ts`.

A `Scene` is what is drawn: a tree of regions, the boxes in them, the edges. A program has one, and a diff has one (the
union of its two programs), so that one renderer draws both. What the details pane shows of a node stands in
`ProgramData.nodes`, under the same index as the scene's box; a diff's boxes point into its two programs.
"""

from __future__ import annotations

import gzip
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

VERSION = 1

Text: TypeAlias = int
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


class ValueData(Struct, frozen=True):
    """What a node makes, in full. Equal values stand once."""

    text: Annotated[Text, Meta(description="short form, `f32[2, s77]`")]
    dtype: Annotated[
        Text, Meta(description="dtypes of its tensors, space separated, as torch and in short, for search")
    ]
    facets: Annotated[
        list[tuple[Text, Text, Text]],
        Meta(description="(place in the value, '' for a bare one; name of the facet; its text), known facets only"),
    ]


class Frames(Struct, frozen=True):
    """Stack frames, in columns, each once."""

    file: Annotated[Ints, Meta(description="Text")]
    line: Ints
    function: Annotated[Ints, Meta(description="Text")]
    text: Annotated[Ints, Meta(description="Text: the line as the trace quotes it, '' if it does not")]


class Trace(Struct, frozen=True):
    """One stack trace."""

    frames: Annotated[Ints, Meta(description="indices into Frames, outermost first")]
    user: Annotated[int, Meta(description="position in `frames` of the user's own line, -1 if there is none")]


class SourceFile(Struct, frozen=True):
    """The lines of a source file that were kept when the program was captured, in ascending order."""

    file: Text
    lines: Ints
    text: Annotated[Ints, Meta(description="Text per line")]


class Nodes(Struct, frozen=True):
    """What is known of each node of a program, in columns; same index as the boxes of its scene."""

    graph: Annotated[Ints, Meta(description="index into ProgramData.graphs")]
    name: Annotated[Ints, Meta(description="Text: FX name")]
    op: Annotated[Ints, Meta(description="Text: FX op (call_function, placeholder, …)")]
    target: Annotated[Ints, Meta(description="Text: `aten.linear.default`")]
    value: Annotated[Ints, Meta(description="index into ProgramData.values, -1 where unknown")]
    module: Annotated[Ints, Meta(description="Text: innermost module path with call index, '' for the root")]
    trace: Annotated[Ints, Meta(description="index into ProgramData.traces, -1 for none")]
    args: Annotated[list[Ints], Meta(description="per node: name, text, name, text … (Text); kwargs last")]
    meta: Annotated[list[Ints], Meta(description="per node: key, text, key, text … (Text) of all other metadata")]


class SymbolData(Struct, frozen=True):
    """One symbol of the program's shapes."""

    name: str
    kind: str
    range: Annotated[str, Meta(description="`[2, 64]`, bounds inclusive")]
    hint: str
    bound: Annotated[str, Meta(description="where it gets its value, `x.shape[0]`, '' if unknown")]


class ProgramData(Struct, frozen=True):
    """One program."""

    name: str
    facts: Annotated[list[tuple[str, str]], Meta(description="(what, text) lines about the program as a whole")]
    graphs: Annotated[list[str], Meta(description="graph paths, the root '' first")]
    scene: Scene
    nodes: Nodes
    values: list[ValueData]
    frames: Frames
    traces: list[Trace]
    sources: list[SourceFile]
    symbols: list[SymbolData]
    tables: Annotated[list[Table], Meta(description="signature, stored tensors, members, notices")]


class Mismatches(Struct, frozen=True):
    """The differences, one per row, worst first, in columns; the columns of `Diff.mismatches` and the box to go to."""

    box: Annotated[Ints, Meta(description="box of the diff's scene, -1 for a difference of the program as a whole")]
    graph: Annotated[Ints, Meta(description="Text")]
    node_a: Annotated[Ints, Meta(description="Text")]
    node_b: Annotated[Ints, Meta(description="Text")]
    target: Annotated[Ints, Meta(description="Text")]
    module: Annotated[Ints, Meta(description="Text")]
    source: Annotated[Ints, Meta(description="Text: `model.py:47`")]
    field: Annotated[Ints, Meta(description="Text")]
    kind: Annotated[Ints, Meta(description="Text: changed lost added renamed moved only_a only_b ambiguous")]
    severity: Annotated[Ints, Meta(description="Text: wrong_result breaks_pass debug_info cosmetic")]
    cause: Annotated[Ints, Meta(description="Text: root or inherited")]
    a: Annotated[Ints, Meta(description="Text")]
    b: Annotated[Ints, Meta(description="Text")]


class DiffData(Struct, frozen=True):
    """Two programs and what differs: a union scene with a status per box."""

    name: str
    a: Annotated[int, Meta(description="index into Payload.programs")]
    b: Annotated[int, Meta(description="index into Payload.programs")]
    verdict: str
    proof: str
    ok: bool
    scene: Scene
    node_a: Annotated[Ints, Meta(description="per box: node of program a, -1 if only b has it")]
    node_b: Annotated[Ints, Meta(description="per box: node of program b, -1 if only a has it")]
    status: Annotated[
        list[Literal["same", "changed", "only_a", "only_b", "ambiguous"]],
        Meta(description="per box; same also covers differences below every severity"),
    ]
    severity: Annotated[Ints, Meta(description="per box, Text: worst severity of its rows, '' for none")]
    cause: Annotated[
        list[Literal["", "root", "inherited"]],
        Meta(
            description="per box: whether any of its rows is a root difference, or all follow from others; '' without rows"
        ),
    ]
    match: Annotated[Ints, Meta(description="per box, Text: the evidence for the match, '' where unmatched")]
    side: Annotated[list[Literal["both", "a", "b"]], Meta(description="per edge of the scene: which program has it")]
    mismatches: Mismatches
    dropped: Annotated[int, Meta(description="rows left out of `mismatches` to bound the size")]
    tables: Annotated[list[Table], Meta(description="patterns (one row per distinct edit), quality")]


class View(Struct, frozen=True):
    """Something that a section can draw."""

    label: str
    kind: Literal["program", "diff"]
    index: Annotated[int, Meta(description="into Payload.programs or Payload.diffs")]
    open: Annotated[Ints, Meta(description="regions of its scene that are open at first; 0, the root, always is")]


class Section(Struct, frozen=True):
    """One object that was given to `view` or `report`: a tab where there are several."""

    kind: Annotated[
        Literal["program", "diff", "roundtrip", "tables"], Meta(description="tables: results without graphs")
    ]
    title: str
    verdict: Annotated[str, Meta(description="one sentence; '' where there is nothing to judge")]
    status: Annotated[Literal["ok", "warn", "fail", "none"], Meta(description="of the verdict")]
    views: Annotated[list[View], Meta(description="the first is shown first; may be empty")]
    tables: Annotated[list[Table], Meta(description="stages, outputs, …")]


class Payload(Struct, frozen=True):
    """The whole document."""

    version: int
    generator: str
    title: str
    strings: Annotated[list[str], Meta(description="every Text is an index into this")]
    programs: list[ProgramData]
    diffs: list[DiffData]
    sections: list[Section]


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
    return gzip.compress(text, compresslevel=9, mtime=0)


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
