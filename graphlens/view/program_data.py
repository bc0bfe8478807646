"""A program as the payload's `ProgramData`: the scene, and everything the details pane can show."""

from __future__ import annotations

from typing import Any

from graphlens.program.argument import argument_text
from graphlens.program.frames import Frame, parse_stack_trace, user_frame
from graphlens.program.graph import ModuleCall, Node, Provenance
from graphlens.program.program import Program
from graphlens.program.value import TensorValue, Value, value_leaves, value_text
from graphlens.progress import each
from graphlens.view import payload
from graphlens.view.facets import dtype_words, leaf_facets
from graphlens.view.facts import program_facts, program_tables, symbol_data
from graphlens.view.flow import named_arguments
from graphlens.view.privacy import Source, shorten
from graphlens.view.regions import Tree, region_tree
from graphlens.view.scene import Scene, columns, program_scene
from graphlens.view.wire import Interner

LONGEST_TEXT = 4000


def program_data(
    program: Program, text: Interner, *, name: str = "", source: Source = "relative"
) -> tuple[payload.ProgramData, Scene]:
    """Write a program for the front end; the scene is returned too, for a diff that builds on it."""
    tree = region_tree(program)
    scene = program_scene(program, tree)
    tables = _Tables(text, source)
    nodes = _nodes(tree, tables)
    data = payload.ProgramData(
        name=name or program.origin.name or program.origin.kind,
        facts=program_facts(program, source),
        graphs=list(tree.graphs),
        scene=columns(scene, text),
        nodes=nodes,
        values=tables.values,
        frames=tables.frame_columns(),
        traces=tables.traces,
        sources=_sources(program, text, source),
        symbols=symbol_data(program),
        tables=program_tables(program, text),
    )
    return data, scene


def _nodes(tree: Tree, tables: _Tables) -> payload.Nodes:
    text, nodes = tables.text, tree.nodes
    return payload.Nodes(
        graph=list(tree.graph_of),
        name=[text(node.name) for node in nodes],
        op=[text(node.op) for node in nodes],
        target=[text(node.target) for node in nodes],
        value=[tables.value(node.value) for node in nodes],
        module=[text(node.module) for node in nodes],
        trace=[tables.trace(node.stack_trace) for node in nodes],
        args=[
            _flat(text, [(name, argument_text(value)) for name, value in named_arguments(node)])
            for node in each(nodes, len(nodes), "arguments")
        ],
        meta=[_flat(text, meta_texts(node)) for node in each(nodes, len(nodes), "metadata")],
    )


def _flat(text: Interner, pairs: list[tuple[str, str]]) -> list[int]:
    return [text(bound(part)) for pair in pairs for part in pair]


def bound(text: str) -> str:
    """Cut a text that is too long to be read, and say how much was cut."""
    rest = len(text) - LONGEST_TEXT
    return text if rest <= 0 else f"{text[:LONGEST_TEXT]}… ({rest} more characters)"


def meta_texts(node: Node) -> list[tuple[str, str]]:
    """Return `(key, text)` of all metadata but the stack trace, which has its own place."""
    return [(key, meta_text(key, value)) for key, value in node.meta.items() if key != "stack_trace"]


def meta_text(key: str, value: Any) -> str:
    """Write one metadata entry for people, one line per part."""
    if key == "nn_module_stack":
        return "\n".join(f"{call.call or '(root)'}: {call.type}" for call in value if isinstance(call, ModuleCall))
    if key == "from_node":
        return "\n".join(_provenance(value))
    if key == "source_fn_stack":
        return "\n".join(f"{name}: {target}" for name, target in value)
    if key == "torch_fn":
        return ", ".join(map(str, value))
    if key == "example_value":
        return value_text(value)
    return argument_text(value)


def _provenance(entries: tuple[Provenance, ...]) -> list[str]:
    """Write provenance as an indented list, without recursion."""
    lines = []
    stack = [(0, entry) for entry in reversed(entries)]
    while stack:
        depth, entry = stack.pop()
        action = f" [{', '.join(entry.action)}]" if entry.action else ""
        by = f" by {entry.pass_name}" if entry.pass_name else ""
        lines.append(f"{'  ' * min(depth, 40)}{entry.name}: {entry.target}{by}{action}")
        stack.extend((depth + 1, inner) for inner in reversed(entry.from_node))
    return lines


def _sources(program: Program, text: Interner, source: Source) -> list[payload.SourceFile]:
    if source == "none":
        return []
    return [
        payload.SourceFile(text(shorten(file, source)), sorted(lines), [text(lines[n]) for n in sorted(lines)])
        for file, lines in program.sources.items()
    ]


class _Tables:
    """Values, traces and frames, each once, by index."""

    def __init__(self, text: Interner, source: Source) -> None:
        self.text, self.source = text, source
        self.values: list[payload.ValueData] = []
        self.traces: list[payload.Trace] = []
        self._values: dict[str, int] = {}
        self._traces: dict[str, int] = {}
        self._frames: dict[Frame, int] = {}

    def value(self, value: Value | None) -> int:
        if value is None:
            return -1
        key = repr(value)  # `==` would take 1 for True
        index = self._values.get(key)
        if index is None:
            index = self._values[key] = len(self.values)
            self.values.append(self._value_data(value))
        return index

    def _value_data(self, value: Value) -> payload.ValueData:
        text = self.text
        leaves = list(value_leaves(value))
        words = dict.fromkeys(w for _, leaf in leaves if isinstance(leaf, TensorValue) for w in dtype_words(leaf))
        facets = [(text(path), text(key), text(shown)) for path, leaf in leaves for key, shown in leaf_facets(leaf)]
        return payload.ValueData(text(bound(value_text(value))), text(" ".join(words)), facets)

    def trace(self, trace: str | None) -> int:
        if not trace or self.source == "none":
            return -1
        index = self._traces.get(trace)
        if index is None:
            index = self._traces[trace] = len(self.traces)
            frames, user = parse_stack_trace(trace), user_frame(trace)
            numbers = [self._frame(frame) for frame in frames or (Frame("", 0, "", bound(trace)),)]
            position = max((i for i, frame in enumerate(frames) if frame == user), default=-1)
            self.traces.append(payload.Trace(numbers, position))
        return index

    def _frame(self, frame: Frame) -> int:
        return self._frames.setdefault(frame, len(self._frames))

    def frame_columns(self) -> payload.Frames:
        text, frames = self.text, list(self._frames)
        return payload.Frames(
            file=[text(shorten(frame.file, self.source)) for frame in frames],
            line=[frame.line for frame in frames],
            function=[text(frame.function) for frame in frames],
            text=[text(frame.text) for frame in frames],
        )
