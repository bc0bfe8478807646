"""One region as DOT: boxes of known size, ports, links.

No text of the program ever goes in, so nothing needs escaping and regions that are equal up to names give the same DOT,
which is the key of the layout cache. `js/src/dot.ts` writes the same text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct


class DotNode(Struct, frozen=True):
    """A box; an open region has ports, given by their places along the side, from left to right."""

    width: float
    height: float
    ins: tuple[float, ...] | None = None
    outs: tuple[float, ...] | None = None


class DotEnd(Struct, frozen=True):
    """An end of an edge: `member` is an index into the nodes; -1 is the border, then `port` is the border's port."""

    member: int
    port: int


class DotGraph(Struct, frozen=True):
    """What Graphviz lays out: `ins` and `outs` are the widths of the border's own ports.

    `row` says that it is a call, whose members stand side by side (`row_layout`).
    """

    nodes: tuple[DotNode, ...]
    ins: tuple[float, ...]
    outs: tuple[float, ...]
    edges: tuple[tuple[DotEnd, DotEnd], ...]
    weights: tuple[int, ...]
    row: bool


def write_dot(graph: DotGraph) -> str:
    """Write a region graph as DOT."""
    lines = [
        "digraph{graph[nodesep=.3 ranksep=.44]",
        'node[shape=box fixedsize=true label="" fontname=Courier fontsize=1]edge[arrowhead=none]',
    ]
    for i, node in enumerate(graph.nodes):
        ports = "" if node.ins is None and node.outs is None else f' shape=record label="{_record_label(node)}"'
        lines.append(f"m{i}[width={_inches(node.width)} height={_inches(node.height)}{ports}]")
    lines += [*_port_rank("i", "source", graph.ins), *_port_rank("o", "sink", graph.outs)]
    lines += [
        f"{_end_text(tail, out=True)}->{_end_text(head, out=False)}[id={i}{f' weight={weight}' if weight > 1 else ''}]"
        for i, ((tail, head), weight) in enumerate(zip(graph.edges, graph.weights, strict=True))
    ]
    return "\n".join([*lines, "}"])


def _inches(points: float) -> str:
    return f"{points / 72:.3f}"


def _port_rank(letter: str, rank: str, widths: Sequence[float]) -> list[str]:
    nodes = ";".join(f"{letter}{i}[width={_inches(width)} height=.02]" for i, width in enumerate(widths))
    return [f"{{rank={rank};{nodes}}}"] if widths else []


def _end_text(end: DotEnd, *, out: bool) -> str:
    if end.member < 0:
        return f"{'i' if out else 'o'}{end.port}"
    if end.port < 0:
        return f"m{end.member}"
    return f"m{end.member}:o{end.port}:s" if out else f"m{end.member}:i{end.port}:n"


def _record_label(node: DotNode) -> str:
    """Give ports their places: fields of a record are as wide as their text, so fields of `x` stand between them."""
    sides = []
    for letter, spots in (("i", node.ins or ()), ("o", node.outs or ())):
        fields, start = [], 0.0
        for i, spot in enumerate(spots):
            fields += [_filler(spot - start), f"<{letter}{i}>"]
            start = spot
        sides.append("|".join([*fields, _filler(node.width - start)]))
    return f"{{{{{sides[0]}}}|{{}}|{{{sides[1]}}}}}"


def _filler(width: float) -> str:
    """Write text of about a width: Courier at 1pt is 0.6 wide, a record pads a field by 16; some is left to share out."""
    return "x" * max(0, math.floor((width - 20) / 0.6))
