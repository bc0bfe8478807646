"""What the inputs of a graph without a signature stand for, as far as it is told: where Dynamo found them, their names.

Names are never taken apart: Dynamo's name of every weight that the other side has is spelled out and compared, and what
two weights would be called is the name of neither.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping

from graphlens.diff.search.labels import generated
from graphlens.program.argument import Opaque
from graphlens.program.graph import DYNAMO_SOURCE, Node
from graphlens.program.program import ROOT, Program
from graphlens.program.value import TensorValue

Role = tuple[str, str]
Roles = dict[Role, str]
"""Placeholder (or attribute) by what it stands for: ``("state", fqn)`` or ``("user", name)``."""

_WEIGHT = re.compile(
    r"(?P<root>.*?)(?P<modules>(?:\._modules\['[^']*'\])*)\._(?:parameters|buffers)\['(?P<leaf>[^']*)'\]"
)
_ATTRIBUTE = re.compile(r"(?P<root>L\['self'\])(?P<modules>(?:\._modules\['[^']*'\])*)\.(?P<leaf>[^.\[\]]+)")
_MODULE = re.compile(r"\._modules\['([^']*)'\]")
_OTHER = re.compile(r"[^a-zA-Z0-9]+")
_FRAME = re.compile(r"^[LG](?=\[|_)|^l_")
_LIFTED = frozenset({"parameter", "buffer", "constant_tensor", "custom_obj"})
_SELF = "L['self']"


def told_pairs(a: Program, b: Program, translate: Callable[[str], str | None]) -> list[tuple[str, str]]:
    """Pair the inputs of two programs of which one has no signature."""
    if ROOT not in a.graphs or ROOT not in b.graphs:
        return []
    theirs = told_roles(b, a)
    found: dict[str, str] = {}
    for (kind, name), ours in told_roles(a, b).items():
        image = translate(name) if kind == "state" else name
        partner = theirs.get((kind, image)) if image is not None and not generated(name) else None
        if partner is not None:
            found.setdefault(partner, ours)
    return [(ours, partner) for partner, ours in found.items()] or in_place(a, b)


def told_roles(program: Program, other: Program) -> Roles:
    """Say what the inputs of a program stand for, each role once."""
    found = list(_signed(program) if program.inputs else _unsigned(program, other))
    counts = Counter(role for role, _ in found)
    return {role: name for role, name in found if counts[role] == 1}


def in_place(a: Program, b: Program) -> list[tuple[str, str]]:
    """Pair inputs by their places, where AOTAutograd numbered those of one side and all agree in shape and dtype."""
    left, right = a.graph.placeholders, b.graph.placeholders
    if len(left) != len(right) or not any(all(map(_numbered, side, range(len(side)))) for side in (left, right)):
        return []
    pairs = list(zip(left, right, strict=True))
    return [(x.name, y.name) for x, y in pairs] if all(_form(x) == _form(y) for x, y in pairs) else []


def _numbered(node: Node, place: int) -> bool:
    held = node.meta.get("desc")
    return isinstance(held, Opaque) and held.type.endswith(".PlainAOTInput") and held.text == f"idx={place}"


def _form(node: Node) -> Hashable:
    value = node.value
    return (value.shape, value.dtype) if isinstance(value, TensorValue) else (type(value),)


def _signed(program: Program) -> Iterator[tuple[Role, str]]:
    named = {_plain(spec.argument) for spec in program.inputs if spec.kind == "user_input"}
    for spec in program.inputs:
        if spec.kind == "user_input":
            yield ("user", _plain(spec.argument)), spec.argument
            path = _plain(spec.path or "")
            if path and path not in named:
                yield ("user", path), spec.argument
        elif spec.target is not None and spec.kind in _LIFTED:
            yield ("state", spec.target), spec.argument


def _unsigned(program: Program, other: Program) -> Iterator[tuple[Role, str]]:
    root = _root(program)
    spelled = _spelled(other)
    for node in program.graph.nodes:
        if node.op == "get_attr":
            yield ("state", node.target), node.name
        elif node.op == "placeholder":
            source = node.meta.get(DYNAMO_SOURCE)
            role = _by_source(source, root) if isinstance(source, str) else _by_name(node, spelled)
            if role is not None:
                yield role, node.name


def _root(program: Program) -> str:
    """Find the module that was traced: what all weights are reached from, which is ``self`` in a method."""
    found = Counter(
        known["root"]
        for node in program.graph.placeholders
        if (known := _WEIGHT.fullmatch(str(node.meta.get(DYNAMO_SOURCE, ""))))
    )
    return _SELF if _SELF in found or len(found) != 1 else next(iter(found))


def _by_source(source: str, root: str) -> Role | None:
    for pattern in (_WEIGHT, _ATTRIBUTE):
        known = pattern.fullmatch(source)
        if known is not None:
            return (
                ("state", ".".join([*_MODULE.findall(known["modules"]), known["leaf"]]))
                if known["root"] == root
                else None
            )
    return "user", _plain(source)


def _by_name(node: Node, spelled: Mapping[str, str]) -> Role | None:
    """Read an input's name, or what AOTAutograd says of it."""
    described = node.meta.get("desc")
    if isinstance(described, Opaque):
        target = re.fullmatch(r"target='(.*)'", described.text)
        if described.type.endswith((".ParamAOTInput", ".BufferAOTInput")) and target is not None:
            return "state", target[1]
    fqn = spelled.get(node.target)
    return ("state", fqn) if fqn is not None else ("user", _plain(node.target))


def _spelled(program: Program) -> dict[str, str]:
    """Spell out what Dynamo would call each weight of a program; what two would be called is left out."""
    found: dict[str, set[str]] = {}
    for spec in program.inputs:
        if spec.target is None or spec.kind not in _LIFTED:
            continue
        *modules, leaf = spec.target.split(".")
        around = _SELF + "".join(f"._modules['{name}']" for name in modules)
        for text in (f"{around}._parameters['{leaf}']", f"{around}._buffers['{leaf}']", f"{around}.{leaf}"):
            name = _OTHER.sub("_", text)
            for each in (name, name.lower()):
                found.setdefault(each, set()).add(spec.target)
    return {name: next(iter(fqns)) for name, fqns in found.items() if len(fqns) == 1}


def _plain(text: str) -> str:
    """Write a place in the call as it stands in a name: ``L['batch']['ids'][0]`` is ``batch_ids_0``."""
    return _OTHER.sub("_", _FRAME.sub("", text)).strip("_").lower()
