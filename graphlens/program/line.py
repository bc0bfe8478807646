"""One node as one line of text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from graphlens.program.argument import argument_text, literal_text
from graphlens.program.frames import source_text
from graphlens.program.graph import Node
from graphlens.program.value import TensorValue, Value, value_text

if TYPE_CHECKING:
    from graphlens.program.program import Program

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
_TIMES = re.compile(r"(?<![*])\*(?![*])")
_LINE_LIMIT = 600


def display(text: str) -> str:
    """Make text safe to print: control characters, directions and lone surrogates become escapes."""
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def shape_display(value: Value | None) -> str:
    """Write a value as listings do: ``f32[s0, 4·s1]``, with unknown ones empty."""
    text = value_text(value)
    return _TIMES.sub("·", text) if isinstance(value, TensorValue) or "'" not in text else text


def comment(*parts: str) -> str:
    """Join what is known about a node: ``layers.0.attn  model.py:47``."""
    return "  ".join(part for part in parts if part)


def node_line(node: Node, *, with_comment: bool = True) -> str:
    """Write a node as ``name: f32[2, s77] = aten.linear.default(x, w, b)  # layers.0.attn  model.py:47``.

    A very long line (an output of thousands of values) is cut and says so.
    """
    arguments = [argument_text(argument) for argument in node.args]
    arguments += [f"{key}={argument_text(argument)}" for key, argument in node.kwargs.items()]
    inner = ", ".join(arguments)
    text = _call(node, inner)
    if node.op != "output":
        shown = shape_display(node.value)
        typed = f"{node.name}: {shown}" if shown else node.name
        text = f"{typed} = {text}" if text else typed
    if len(text) > _LINE_LIMIT:
        text = f"{text[:_LINE_LIMIT]} … ({len(text)} characters)"
    note = comment(node.module, source_text(node.stack_trace)) if with_comment else ""
    return display(f"{text}  # {note}" if note else text)


def _call(node: Node, inner: str) -> str:
    if node.op == "placeholder":
        return inner and f"default {inner}"
    if node.op == "output":
        return f"return {inner}"
    if node.op == "get_attr":
        return f"self.{node.target}"
    if node.op == "call_module":
        return f"self.{node.target}({inner})"
    if node.op == "call_method":
        owner, _, rest = inner.partition(", ")
        return f"{owner}.{node.target}({rest})"
    return f"{node.target}({inner})"


def signature_comments(program: Program) -> dict[str, str]:
    """Say what each placeholder of the root stands for, by its name, and under ``""`` what the results are."""
    notes = {}
    for spec in program.inputs:
        kind = "input" if spec.kind == "user_input" else spec.kind
        place = spec.target if spec.target is not None else spec.path
        fixed = f"fixed at {spec.constant!r}" if spec.constant is not None else ""
        unsaved = "not persistent" if spec.persistent is False else ""
        notes[spec.argument] = comment(kind, place or "", fixed, unsaved)
    results = []
    for output in program.outputs:
        shown = output.argument or literal_text(output.constant)
        if output.kind != "user_output":
            results.append(f"{shown}: {output.kind}{' ' + output.target if output.target else ''}")
        elif output.path:
            results.append(f"{shown}: output {output.path}")
    notes[""] = "\n".join(results)
    return notes
