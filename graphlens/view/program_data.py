"""A program as the payload's `ProgramData`: the scene, and everything the details pane can show."""

from __future__ import annotations

from typing import Any

from graphlens.program.argument import Ref, argument_text
from graphlens.program.frames import Frame, parse_stack_trace, user_frame
from graphlens.program.graph import ModuleCall, Node, Provenance, modules_of
from graphlens.program.program import Program
from graphlens.program.value import TensorValue, Value, value_leaves, value_text
from graphlens.progress import each
from graphlens.view import payload
from graphlens.view.drawn import Drawn
from graphlens.view.facets import dtype_words, leaf_facets
from graphlens.view.facts import program_facts, program_tables, symbol_data
from graphlens.view.forms import Form
from graphlens.view.privacy import Source, shorten
from graphlens.view.scene import columns
from graphlens.view.wire import Interner

LONGEST_TEXT = 4000


def program_data(drawn: Drawn, text: Interner, *, name: str = "", source: Source = "relative") -> payload.ProgramData:
    """Write a program for the front end."""
    program, tree, scene = drawn.program, drawn.tree, drawn.scene
    tables = _Tables(text, source)
    nodes = _nodes(drawn, tables)
    return payload.ProgramData(
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


def _nodes(drawn: Drawn, tables: _Tables) -> payload.Nodes:
    text, tree, nodes = tables.text, drawn.tree, drawn.tree.nodes
    written = MetaTexts(text)
    return payload.Nodes(
        graph=list(tree.graph_of),
        name=[text(node.name) for node in nodes],
        op=[text(node.op) for node in nodes],
        target=[text(node.target) for node in nodes],
        value=[tables.value(node.value) for node in nodes],
        module=[text(module) for module in modules_of(nodes)],
        trace=[tables.trace(node.stack_trace) for node in nodes],
        args=[
            _arguments(text, node, form)
            for node, form in zip(each(nodes, len(nodes), "arguments"), drawn.forms, strict=True)
        ],
        meta=[written(node) for node in each(nodes, len(nodes), "metadata")],
    )


def _arguments(text: Interner, node: Node, form: Form) -> list[int]:
    """Write a node's arguments as name, text, name, text …; what its form says of them is not written again."""
    found: list[int] = []
    given = iter((*node.args, *node.kwargs.values()) if node.kwargs else node.args)
    for (name, known), argument in zip(form.texts, given, strict=True):
        if known is None:
            known = argument.node if type(argument) is Ref else argument_text(argument)
        found += (text(name), text(bound(known)))
    return found


class MetaTexts:
    """Writes the metadata of a program's nodes; what several nodes share (the module stack) is written once."""

    def __init__(self, text: Interner) -> None:
        self.text = text
        self._known: dict[tuple[str, int], tuple[int, int]] = {}

    def __call__(self, node: Node) -> list[int]:
        """Return key, text, key, text … of all metadata but the stack trace, which has its own place."""
        found: list[int] = []
        for key, value in node.meta.items():
            if key == "stack_trace":
                continue
            known = self._known.get((key, id(value)))
            if known is None:
                known = self.text(bound(key)), self.text(bound(meta_text(key, value)))
                self._known[key, id(value)] = known
            found += known
        return found


def bound(text: str) -> str:
    """Cut a text that is too long to be read, and say how much was cut."""
    rest = len(text) - LONGEST_TEXT
    return text if rest <= 0 else f"{text[:LONGEST_TEXT]}… ({rest} more characters)"


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
        self._values: dict[object, int] = {}
        self._traces: dict[str, int] = {}
        self._frames: dict[Frame, int] = {}

    def value(self, value: Value | None) -> int:
        if value is None:
            return -1
        key = value if type(value) is TensorValue else repr(value)  # `==` would take 1 for True
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
