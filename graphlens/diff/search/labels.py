"""What singles out nodes without operands: constants by value, attributes by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping

from graphlens.program.graph import Graph
from graphlens.program.parts import StoredTensor
from graphlens.program.program import ROOT, Program
from graphlens.program.state import StateNames
from graphlens.program.value import TensorValue

_GENERATED = re.compile(
    r"(^|\.)_?(lifted_(tensor|custom)|tensor_constant|param_constant|torchbind_obj|constant|lifted)_?\d+$"
)

Token = Callable[[StoredTensor], Hashable]


def generated(fqn: str) -> bool:
    """Whether a name was made up by a tracer (``_tensor_constant0``) and so says nothing."""
    return fqn[-1:].isdecimal() and _GENERATED.search(fqn) is not None


def by_crc(stored: StoredTensor) -> Hashable:
    """Tell a stored tensor by its size and CRC-32."""
    return (
        None
        if stored.crc32 is None
        else (stored.nbytes, stored.crc32, stored.storage_offset, stored.shape, stored.dtype)
    )


def by_digest(stored: StoredTensor) -> Hashable:
    """Tell a stored tensor by the digest of its elements."""
    digest = stored.content.digest() if stored.content is not None else None
    return None if digest is None else (digest, stored.shape, stored.dtype)


def token_for(a: Program, b: Program) -> Token:
    """Choose the cheapest way to tell stored tensors that works on both sides."""
    crc = all(stored.crc32 is not None for program in (a, b) for stored in program.stored)
    return by_crc if crc and a.stored and b.stored else by_digest


def constant_labels(program: Program, path: str, graph: Graph, token: Token, names: StateNames) -> dict[str, Hashable]:
    """Label constants with made-up names by their values and other attributes by their names."""
    stored = {each.fqn: each for each in program.stored}
    found: dict[str, Hashable] = {}
    if path == ROOT:
        for spec in program.inputs:
            if spec.kind in ("constant_tensor", "custom_obj") and spec.target and generated(spec.target):
                found[spec.argument] = _label(stored, spec.target, token)
    for node in graph.by_op.get("get_attr", ()):
        known = _label(stored, names.name(path, node.target), token) if generated(node.target) else None
        found[node.name] = known or ("attribute", node.target)
    return found


def _label(stored: Mapping[str, StoredTensor], fqn: str, token: Token) -> Hashable:
    known = token(stored[fqn]) if fqn in stored else None
    return ("constant", fqn) if known is None else ("value", known)


def weak_labels(program: Program, path: str, graph: Graph) -> dict[str, Hashable]:
    """Label constants by their names alone, whatever their values."""
    found: dict[str, Hashable] = {}
    if path == ROOT:
        named = [spec for spec in program.inputs if spec.kind == "constant_tensor"]
        found.update((spec.argument, ("constant", spec.target)) for spec in named)
    return found | {node.name: ("constant", node.target) for node in graph.by_op.get("get_attr", ())}


def weight_labels(program: Program) -> dict[str, Hashable]:
    """Label weights by shape and dtype: one of another name and another form is another weight."""
    found: dict[str, Hashable] = {}
    values = {node.name: node.value for node in program.graph.placeholders}
    for spec in program.inputs:
        value = values.get(spec.argument)
        if type(value) is TensorValue and spec.kind in ("parameter", "buffer"):
            found[spec.argument] = ("weight", value.shape, value.dtype)
    return found
