"""What the border of a program says about which node is which: the signature, the output, stored tensors."""

from __future__ import annotations

from graphlens.diff.search.match import Match
from graphlens.program.parts import InputSpec
from graphlens.program.program import Program


def anchor_root(a: Program, b: Program, match: Match) -> None:
    """Pair the placeholders of two root graphs by their roles, and the output nodes."""
    roles_b = _roles(b)
    for role, name in _roles(a).items():
        other = roles_b.get(role)
        if other is not None and name in match.a.index and other in match.b.index:
            match.pair(match.a.index[name], match.b.index[other], "signature", 1.0)
    if not (a.inputs and b.inputs):
        anchor_by_name(match)
    anchor_output(match)


def _roles(program: Program) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    users = 0
    for spec in program.inputs:
        found.setdefault(_role(spec, users), spec.argument)
        users += spec.kind == "user_input"
    return found


def _role(spec: InputSpec, users: int) -> tuple[str, str]:
    if spec.kind == "user_input":
        return ("user_input", spec.path or f"#{users}")
    return ("lifted", spec.target or spec.argument)


def anchor_by_name(match: Match) -> None:
    """Pair placeholders of equal name."""
    for i, node in enumerate(match.a.nodes):
        j = match.b.index.get(node.name, -1)
        if node.op == "placeholder" and j >= 0 and match.b.nodes[j].op == "placeholder":
            match.pair(i, j, "signature", 0.9)


def anchor_by_position(match: Match) -> None:
    """Pair the placeholders of two nested graphs in the same role by their position."""
    left = [i for i, node in enumerate(match.a.nodes) if node.op == "placeholder"]
    right = [j for j, node in enumerate(match.b.nodes) if node.op == "placeholder"]
    if len(left) == len(right):
        for i, j in zip(left, right, strict=True):
            match.pair(i, j, "signature", 1.0)
    anchor_output(match)


def anchor_output(match: Match) -> None:
    """Pair the output nodes."""
    left = [i for i, node in enumerate(match.a.nodes) if node.op == "output"]
    right = [j for j, node in enumerate(match.b.nodes) if node.op == "output"]
    if len(left) == len(right) == 1:
        match.pair(left[0], right[0], "signature", 1.0)
