"""A digest that tells whether a program is the one that was compared."""

from __future__ import annotations

import hashlib
from typing import Any

from graphlens.program.argument import Ref, argument_text
from graphlens.program.program import Program
from graphlens.program.value import value_text


def program_identity(program: Program | None) -> dict[str, Any]:
    """Describe a program by its name, its size and a digest of its graphs (BLAKE2b, 16 bytes, no weights)."""
    if program is None:
        return {}
    state = hashlib.blake2b(digest_size=16)
    nodes = 0
    values: dict[int, str] = {}
    for path, graph in program.graphs.items():
        state.update(f"graph {path}\n".encode("utf-8", "surrogatepass"))
        nodes += len(graph)
        for node in graph.nodes:
            arguments = [each.node if type(each) is Ref else argument_text(each) for each in node.args]
            arguments += [f"{k}={argument_text(v)}" for k, v in node.kwargs.items()]
            value = values.get(id(node.value))
            if value is None:
                value = values[id(node.value)] = value_text(node.value)
            line = "\x1f".join((node.name, node.op, node.target, *arguments, value, node.stack_trace or ""))
            state.update(line.encode("utf-8", "surrogatepass") + b"\x1e")
    return {"name": program.origin.name, "kind": program.origin.kind, "nodes": nodes, "digest": state.hexdigest()}
