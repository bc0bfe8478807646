"""The payload: what Python hands the front end, the same in the widget and in the report.

One JSON document, gzipped. It is written for its reader: every text that repeats stands once in `Payload.strings` and
is an index (`Text`) elsewhere; where there are thousands of things they are columns, arrays of equal length, rather than
objects. `-1` reads "none" in every index. `tools/make_payload_types.py` turns these structs into `js/src/payload.ts`.

A `Scene` is what is drawn: a tree of regions, the boxes in them, the edges. A program has one, and a diff has one (the
union of its two programs), so that one renderer draws both. What the details pane shows of a node stands in
`ProgramData.nodes`, under the same index as the scene's box; a diff's boxes point into its two programs.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from graphlens.view.payload_scene import Ints, Scene, Table, Text

VERSION = 1


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
    severity: Annotated[
        Ints,
        Meta(
            description="per box, Text: worst severity of its root differences, else of those that follow, '' for none"
        ),
    ]
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
    summary: Annotated[Table, Meta(description="like differences told in one line, worst first")]
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
