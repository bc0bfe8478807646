"""A program as DOT with clusters, for a Graphviz of the user's own."""

from __future__ import annotations

from graphviz import Digraph, escape, nohtml

from graphlens.program.program import Program
from graphlens.view.draw.content import region_line
from graphlens.view.draw.lift import Entity, members_of, open_regions
from graphlens.view.draw.walk import Walk, walk_scene
from graphlens.view.escape import printable
from graphlens.view.opening import first_open
from graphlens.view.scene import program_scene


def program_dot(program: Program, depth: int) -> str:
    """Write a program; regions are clusters down to a depth and boxes below it. Every text is escaped.

    Rules that keep every Graphviz well: plain labels only, no ``rank=same`` across clusters, no ``concentrate``, no
    orthogonal splines, a font with built-in metrics.
    """
    scene = program_scene(program)
    wanted = first_open(scene, depth, budget=1_000_000)
    walk = walk_scene(scene, wanted)
    opened = open_regions(walk, wanted)
    graphs: dict[int, Digraph] = {}
    for number in sorted(opened, key=lambda number: -walk.regions[number].depth):
        graph = graphs[number] = _graph(program) if number == 0 else _cluster(walk, number)
        for member in members_of(walk, number):
            if member < 0 and -1 - member in graphs:
                graph.subgraph(graphs[-1 - member])
            else:
                graph.node(_name(member), label=_text(*_lines(walk, member)))
    for tail, head, slot in _edges(walk, frozenset(opened)):
        graphs[0].edge(tail, head, label=_text(slot))
    return str(graphs[0].source)


def _graph(program: Program) -> Digraph:
    return Digraph(
        graph_attr={"fontname": "Helvetica", "label": _text(program.origin.name), "labelloc": "t"},
        node_attr={"shape": "box", "style": "rounded", "fontname": "Helvetica", "fontsize": "11"},
        edge_attr={"fontname": "Helvetica", "fontsize": "9", "arrowsize": "0.6"},
    )


def _cluster(walk: Walk, number: int) -> Digraph:
    label = _text(walk.regions[number].label)
    return Digraph(name=f"cluster_r{number}", graph_attr={"label": label, "style": "rounded"})


def _lines(walk: Walk, entity: Entity) -> list[str]:
    if entity < 0:
        return [walk.regions[-1 - entity].label, region_line(walk, -1 - entity)]
    box = walk.boxes[entity]
    module = walk.regions[walk.wrapper[entity]].label if walk.wrapper[entity] >= 0 else ""
    return [text for text in (box.label, module, box.literals, box.sub) if text]


def _edges(walk: Walk, opened: frozenset[int]) -> list[tuple[str, str, str]]:
    """Return the uses of values between what is drawn, each once; a value into an open call goes to its placeholders."""
    found: dict[tuple[str, str], str] = {}
    for use, (src, dst) in enumerate(zip(walk.flow.src, walk.flow.dst, strict=True)):
        if walk.folded[src] or walk.folded[dst]:
            continue
        tail, head = _shown(walk, src, opened, into=False), _shown(walk, dst, opened, into=True)
        if tail and head and tail != head:
            slot = walk.flow.slot[use] if use < walk.flow.ties else ""
            found.setdefault((tail, head), slot)
    return [(tail, head, walk_label) for (tail, head), walk_label in found.items()]


def _shown(walk: Walk, box: int, opened: frozenset[int], *, into: bool) -> str:
    """Return the DOT name of what stands for a box; an open call is stood for by the output of its first nested graph."""
    call = walk.call[box]
    regions, up = [], call if call >= 0 else walk.around[box]
    while up > 0:
        regions.append(up)
        up = walk.regions[up].parent
    for number in reversed(regions):
        if number not in opened:
            return _name(-1 - number)
    if call < 0:
        return _name(box)
    if into:
        return ""
    child = next(iter(walk.regions[call].children), None)
    if child is None:
        return ""
    output = next((b for b in walk.regions[child].boxes if walk.boxes[b].role == "output"), None)
    return _name(-1 - child) if child not in opened else "" if output is None else _name(output)


def _name(entity: Entity) -> str:
    return f"n{entity}" if entity >= 0 else f"r{-1 - entity}"


def _text(*lines: str) -> str:
    """Write lines as a label that no Graphviz takes for markup or for escapes."""
    label: str = nohtml("\\n".join(str(escape(printable(line))) for line in lines))
    return label
