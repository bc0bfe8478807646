"""Layers of a graph that repeat the layer before them, operands and all."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from graphlens.program.argument import argument_text
from graphlens.program.graph import Graph, Node
from graphlens.program.parts import InputSpec
from graphlens.program.value import value_text

_LAYER = re.compile(r"^(.*?(?:^|\.)\d+)(?=\.|$)")


class Fold(NamedTuple):
    """Nodes `start` to `stop` (exclusive): `repeats` layers from `first` to `last` like the layer before, `size` nodes each."""

    start: int
    stop: int
    repeats: int
    size: int
    first: str
    last: str


class _Block(NamedTuple):
    layer: str
    start: int
    stop: int


def fold_layers(graph: Graph, inputs: Sequence[InputSpec] = ()) -> list[Fold]:
    """Find runs of two or more layers that do what the layer before them does.

    A layer is a run of nodes in one numbered module (``layers.3``), or of placeholders of its weights. It repeats the
    layer before it if node by node op, target, value, literals and the places of the operands agree: an operand is a
    node of the same layer, the same node of the layer before as there, a weight of the same name in its own layer, or
    one and the same other node.
    """
    targets = {spec.argument: spec.target for spec in inputs if spec.target}
    blocks = _blocks(graph, targets)
    owner = {i: (b, i - block.start) for b, block in enumerate(blocks) for i in range(block.start, block.stop)}
    texts = [_block_text(graph, blocks, b, owner, targets) for b in range(len(blocks))]
    folds: list[Fold] = []
    b = 0
    while b < len(blocks):
        last = b
        while last + 1 < len(blocks) and blocks[last + 1].start == blocks[last].stop and texts[last + 1] == texts[b]:
            last += 1
        if last - b >= 2 and not any(graph.nodes[i].subgraphs for i in range(blocks[b].start, blocks[b].stop)):
            size = blocks[b].stop - blocks[b].start
            folds.append(
                Fold(blocks[b + 1].start, blocks[last].stop, last - b, size, blocks[b + 1].layer, blocks[last].layer)
            )
        b = last + 1
    return folds


def _blocks(graph: Graph, targets: Mapping[str, str]) -> list[_Block]:
    blocks: list[_Block] = []
    layer, start = "", 0
    for i, node in enumerate((*graph.nodes, None)):
        here = _layer_of(node, targets) if node is not None else ""
        if here != layer:
            if layer:
                blocks.append(_Block(layer, start, i))
            layer, start = here, i
    return blocks


def _layer_of(node: Node, targets: Mapping[str, str]) -> str:
    name = targets.get(node.name, "") if node.op == "placeholder" else node.module
    found = _LAYER.match(name)
    return found[1] if found else ""


def _block_text(
    graph: Graph, blocks: Sequence[_Block], b: int, owner: Mapping[int, tuple[int, int]], targets: Mapping[str, str]
) -> tuple[str, ...]:
    """What a block does, with everything erased that only says which of its kind it is."""
    block = blocks[b]
    layer = block.layer

    def operand(name: str) -> str:
        i = graph.index.get(name)
        if i is None:
            return f"?{name}"
        at = owner.get(i)
        if at is not None and at[0] == b:
            return f"%{at[1]}"
        if at is not None and graph.nodes[i].op == "placeholder" and blocks[at[0]].layer == layer:
            return f"weight {at[1]}"
        if at is not None and at[0] == b - 1:
            return f"before {at[1]}"
        return f"={name}"

    lines = []
    for node in graph.nodes[block.start : block.stop]:
        shape = ",".join(argument_text(argument, operand) for argument in (*node.args, *node.kwargs.values()))
        held = node.op == "placeholder"
        module = (targets[node.name] if held else node.module).removeprefix(layer)
        target = "" if held else node.target
        lines.append(f"{node.op} {target} {module} {value_text(node.value)} {','.join(node.kwargs)} {shape}")
    return tuple(lines)
