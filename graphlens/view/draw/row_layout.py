"""The layout of a call: its nested graphs side by side, heads aligned, operands coming in above and results going out below."""

from __future__ import annotations

from collections.abc import Sequence

from graphlens.view.draw.dot import DotEnd, DotGraph, DotNode
from graphlens.view.draw.geometry import Curve, Geometry, Point

GAP_X = 22.0
GAP_Y = 32.0
PORT_GAP = 14.0


def row_layout(graph: DotGraph) -> Geometry:
    """Lay out a region graph whose nodes stand in a row; the result has the same shape as Graphviz's."""
    lefts, x = [], 0.0
    for node in graph.nodes:
        lefts.append(x)
        x += node.width + GAP_X
    width = max(x - GAP_X, 0.0)
    tallest = max((node.height for node in graph.nodes), default=0.0)
    top, bottom = GAP_Y, GAP_Y + tallest
    heads = [[_port(graph, lefts, h, out=False) for t, h in graph.edges if _at(t, i)] for i in range(len(graph.ins))]
    tails = [[_port(graph, lefts, t, out=True) for t, h in graph.edges if _at(h, i)] for i in range(len(graph.outs))]
    ins, outs = _spread(heads, graph.ins, width), _spread(tails, graph.outs, width)
    height = bottom + GAP_Y
    nodes: dict[str, Point] = {
        f"m{i}": (left + node.width / 2, top + node.height / 2)
        for i, (left, node) in enumerate(zip(lefts, graph.nodes, strict=True))
    }
    nodes.update({f"i{i}": (place, 0.0) for i, place in enumerate(ins)})
    nodes.update({f"o{i}": (place, height) for i, place in enumerate(outs)})
    edges: dict[int, Curve] = {}
    for i, (tail, head) in enumerate(graph.edges):
        if tail.member < 0 <= head.member:
            edges[i] = _bend(ins[tail.port], 0.0, _port(graph, lefts, head, out=False), top)
        elif head.member < 0 <= tail.member:
            start = _port(graph, lefts, tail, out=True)
            under = top + graph.nodes[tail.member].height
            edges[i] = [start, under, *_down(start, under, bottom), *_bend(start, bottom, outs[head.port], height)[2:]]
    return Geometry(width, height, nodes, edges)


def _at(end: DotEnd, port: int) -> bool:
    return end.member < 0 and end.port == port


def _port(graph: DotGraph, lefts: Sequence[float], end: DotEnd, *, out: bool) -> float:
    if end.member < 0:
        return 0.0
    node: DotNode = graph.nodes[end.member]
    spots = (node.outs if out else node.ins) or ()
    return lefts[end.member] + (spots[end.port] if 0 <= end.port < len(spots) else node.width / 2)


def _spread(places: Sequence[Sequence[float]], widths: Sequence[float], width: float) -> list[float]:
    """Put each port at the middle of where it leads, no two over each other."""
    wanted = [sum(p) / len(p) if p else width / 2 for p in places]
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i], i))
    found = list(wanted)
    edge = float("-inf")
    for i in order:
        found[i] = max(found[i], edge + widths[i] / 2)
        edge = found[i] + widths[i] / 2 + PORT_GAP
    over = max(0.0, max((found[i] + widths[i] / 2 for i in order), default=0.0) - width)
    return [place - over for place in found]


def _bend(x0: float, y0: float, x1: float, y1: float) -> Curve:
    middle = (y0 + y1) / 2
    return [x0, y0, x0, middle, x1, middle, x1, y1]


def _down(x: float, y0: float, y1: float) -> Curve:
    return [x, y0 + (y1 - y0) / 3, x, y0 + 2 * (y1 - y0) / 3, x, y1]
