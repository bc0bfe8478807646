"""Metadata in short texts, and where two values of a key part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import zip_longest
from typing import Any

from graphlens.diff.rows import Finding, Kind, shorten, shorten_apart
from graphlens.diff.settings import steady_trace
from graphlens.program.argument import argument_text
from graphlens.program.frames import frame_text, parse_stack_trace, source_text
from graphlens.program.graph import ModuleCall, Provenance
from graphlens.program.value import ConstValue, ContainerValue, OpaqueValue, SymValue, TensorValue, value_text

_NO_FRAME = "no more frames"
VALUES = (TensorValue, SymValue, ConstValue, ContainerValue, OpaqueValue)


def meta_finding(key: str, kind: Kind, a: Any, b: Any, aspect: str = "") -> Finding:
    """Make a finding about a metadata key; its texts show where the two sides part."""
    texts = meta_text(key, a), meta_text(key, b)
    if aspect == "key":
        texts = _keys(a), _keys(b)
    elif key == "nn_module_stack" and kind == "changed":
        texts = _without_common_start(a, b)
    if texts[0] == texts[1] and isinstance(a, str) and isinstance(b, str):
        texts = _first_frames(a, b) if key == "stack_trace" else _first_difference(a, b)
    return Finding(field=key, kind=kind, a=texts[0], b=texts[1], aspect=aspect, value_a=a, value_b=b)


def _without_common_start(a: tuple[ModuleCall, ...], b: tuple[ModuleCall, ...]) -> tuple[str, str]:
    """Write two module stacks from where they part."""
    same = 0
    while same < min(len(a), len(b)) - 1 and a[same] == b[same]:
        same += 1
    return meta_text("nn_module_stack", a[same:]), meta_text("nn_module_stack", b[same:])


def _keys(stack: tuple[ModuleCall, ...]) -> str:
    return shorten(" › ".join(call.key for call in stack))


def _first_frames(a: str, b: str) -> tuple[str, str]:
    """Write the first frames in which two stack traces differ, where the user's own lines are the same."""
    a, b = steady_trace(a), steady_trace(b)
    pairs = zip_longest(parse_stack_trace(a), parse_stack_trace(b))
    parted = [(x, y) for x, y in pairs if x != y]
    texts = [(frame_text(x) or _NO_FRAME, frame_text(y) or _NO_FRAME) for x, y in parted]
    places = next((pair for pair in texts if pair[0] != pair[1]), None)
    code = next(((x.text, y.text) for x, y in parted if x is not None and y is not None and x.text != y.text), None)
    if places is None and code is not None:
        return shorten_apart(*code)
    return places or _first_difference(a, b)


def _first_difference(a: str, b: str) -> tuple[str, str]:
    """Write the first lines in which two texts differ, where their short forms are the same."""
    pairs = zip_longest(a.splitlines(), b.splitlines(), fillvalue="")
    ours, theirs = next(((x, y) for x, y in pairs if x != y), (a, b))
    return shorten(ours.strip()), shorten(theirs.strip())


_TEXTS: Mapping[str, Callable[[Any], str]] = {
    "stack_trace": lambda trace: source_text(trace) or shorten(trace.strip().replace("\n", " ⏎ ")),
    "nn_module_stack": lambda stack: " › ".join(f"{call.call or 'root'} ({call.type})" for call in stack),
    "source_fn_stack": lambda stack: " › ".join(f"{name}: {target}" for name, target in stack),
    "from_node": lambda chain: " › ".join(_provenance_text(entry) for entry in chain),
}


def _provenance_text(entry: Provenance) -> str:
    names: list[str] = []
    found: Provenance | None = entry
    while found is not None and len(names) < 8:
        names.append(f"{found.name} ({found.pass_name})" if found.pass_name else found.name)
        found = found.from_node[0] if found.from_node else None
    return " < ".join(names)


def meta_text(key: str, value: Any) -> str:
    """Write a metadata value in short; ``""`` where there is none."""
    if value is None:
        return ""
    try:
        text = _TEXTS[key](value)
    except (KeyError, TypeError, ValueError, AttributeError):
        text = _plain_text(value)
    return shorten(text)


def _plain_text(value: Any) -> str:
    if isinstance(value, VALUES):
        return value_text(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(str, value))})"
    return argument_text(value)
