"""What a node is to a reader: an operator, an input, or a stored tensor that belongs into its user's box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from graphlens.program.graph import Node
from graphlens.program.program import ROOT, Program
from graphlens.view.forms import Form
from graphlens.view.labels import clip
from graphlens.view.regions import Tree

Role = Literal["op", "input", "output", "parameter", "buffer", "constant", "subgraph", "call"]

FOLDED: frozenset[Role] = frozenset({"parameter", "buffer", "constant", "subgraph"})

_KINDS: dict[str, Role] = {
    "parameter": "parameter",
    "buffer": "buffer",
    "constant": "constant",
    "constant_tensor": "constant",
    "custom_obj": "constant",
    "user_input": "input",
    "token": "input",
}


def roles(
    program: Program, tree: Tree, tied: list[tuple[int, int]], forms: Sequence[Form]
) -> tuple[list[Role], list[str]]:
    """Return the role and the label of every node.

    A placeholder of a nested graph that is tied to a stored tensor is that stored tensor, under its name.
    """
    specs = {spec.argument: spec for spec in program.inputs}
    stored = {tensor.fqn: _KINDS.get(tensor.kind, "constant") for tensor in program.stored}
    held = _subgraph_holders(program, tree)
    found: list[Role] = []
    labels: list[str] = []
    for number, (node, form) in enumerate(zip(tree.nodes, forms, strict=True)):
        role: Role = "call" if number in tree.calls else "op"
        label = form.label
        if node.op == "placeholder":
            spec = specs.get(node.name) if tree.graphs[tree.graph_of[number]] == ROOT else None
            role = _KINDS.get(spec.kind, "input") if spec else "input"
            label = clip(spec.target) if spec and spec.target and role in FOLDED else label
        elif node.op == "output":
            role = "output"
        elif node.op == "get_attr":
            role = "subgraph" if number in held else stored.get(node.target, "constant")
        found.append(role)
        labels.append(label)
    for outer, inner in sorted(tied):
        if found[outer] in FOLDED and found[outer] != "subgraph":
            found[inner], labels[inner] = found[outer], labels[outer]
    return found, labels


def _subgraph_holders(program: Program, tree: Tree) -> set[int]:
    """Number the get_attr nodes through which calling nodes hold their nested graphs."""
    held: set[int] = set()
    for number in tree.calls:
        graph = tree.graph_of[number]
        attributes = {subgraph.attribute for subgraph in tree.nodes[number].subgraphs}
        for name in tree.nodes[number].inputs:
            operand = tree.number(program, graph, name)
            if operand >= 0 and _is_holder(tree.nodes[operand], attributes):
                held.add(operand)
    return held


def _is_holder(node: Node, attributes: set[str]) -> bool:
    return node.op == "get_attr" and node.target in attributes
