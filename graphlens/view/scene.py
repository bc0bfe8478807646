"""A program as a scene: regions, boxes, edges, with plain texts. `columns` turns it into the payload's columns."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from graphlens.program.argument import Argument, Map, Ref, Seq, Slice, argument_text, children, refs
from graphlens.program.graph import Node
from graphlens.program.program import Program
from graphlens.program.value import value_text
from graphlens.progress import each
from graphlens.view import payload_scene
from graphlens.view.flow import Edge, edges, named_arguments, ties
from graphlens.view.labels import clip
from graphlens.view.regions import Region, Tree, node_key, region_tree
from graphlens.view.roles import Role, roles
from graphlens.view.wire import Interner

_UNNAMED = re.compile(r"^arg\d+$")
_PLACE = frozenset({"device", "layout", "pin_memory", "memory_format", "non_blocking", "copy"})
"""Arguments that say where and how a tensor lies: in the details, not in the box."""


class Box(Struct, frozen=True):
    """One node as it is drawn: `sub` is its value in short, `literals` the arguments that are no other nodes."""

    key: str
    name: str
    label: str
    sub: str
    role: Role
    region: int
    literals: str = ""


class Scene(Struct, frozen=True, kw_only=True):
    """What is drawn. `hashes` and `sizes` are per region."""

    regions: tuple[Region, ...]
    hashes: tuple[str, ...]
    sizes: tuple[int, ...]
    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]
    ties: tuple[tuple[int, int], ...]


def program_scene(program: Program, tree: Tree | None = None) -> Scene:
    """Make the scene of a program; box `i` is node `i` of its `Tree`."""
    tree = tree or region_tree(program)
    tied = ties(program, tree)
    kinds, labels = roles(program, tree, tied)
    boxes = tuple(
        Box(
            node_key(tree.graphs[tree.graph_of[i]], node.name),
            node.name,
            labels[i],
            clip(value_text(node.value)) if node.op != "output" else "",
            kinds[i],
            tree.region_of[i],
            literals(node, labels[i]),
        )
        for i, node in enumerate(each(tree.nodes, len(tree.nodes), "boxes"))
    )
    flow = edges(program, tree)
    members = members_of(tree.regions, tree.region_of, tree.calls)
    return Scene(
        regions=tree.regions,
        hashes=tuple(_hashes(tree, boxes, flow, members)),
        sizes=tuple(len(inside) for inside in members),
        boxes=boxes,
        edges=tuple(flow),
        ties=tuple(tied),
    )


def literals(node: Node, label: str) -> str:
    """Write the arguments that hold no value of another node, `dim=-1, keepdim=True`."""
    if node.op == "output" or label.startswith("getitem["):
        return ""
    plain = [
        (name, argument)
        for name, argument in named_arguments(node)
        if name not in _PLACE and not any(True for _ in refs(argument))
    ]
    texts = [_short(a) if _UNNAMED.match(name) else f"{name}={_short(a)}" for name, a in plain]
    return clip(", ".join(texts))


def _short(argument: Argument) -> str:
    return clip(argument_text(argument).removeprefix("torch."))


def members_of(regions: Sequence[Region], region_of: Sequence[int], calls: dict[int, int]) -> list[list[int]]:
    """List the boxes of each region at any depth, in order; the calling node is in its call region too."""
    inside: list[list[int]] = [[] for _ in regions]
    for box, region in enumerate(region_of):
        if box in calls:
            inside[calls[box]].append(box)
        here = region
        while here >= 0:
            inside[here].append(box)
            here = regions[here].parent
    return inside


def _hashes(tree: Tree, boxes: Sequence[Box], flow: Iterable[Edge], members: list[list[int]]) -> list[str]:
    """Hash every region: operators, literals, values and wiring, but no names and no weights."""
    operands: list[list[int]] = [[] for _ in boxes]
    for edge in flow:
        operands[edge.dst].append(edge.src)
    texts = [_template(node, box) for node, box in zip(tree.nodes, boxes, strict=True)]
    found = []
    for inside in members:
        local = {box: str(i) for i, box in enumerate(inside)}
        outside: dict[int, str] = {}
        digest = hashlib.blake2b(digest_size=6)
        for box in inside:
            wires = [local.get(o) or outside.setdefault(o, f"x{len(outside)} {boxes[o].sub}") for o in operands[box]]
            digest.update(f"{texts[box]}({','.join(wires)})\n".encode("utf-8", "replace"))
        found.append(digest.hexdigest())
    return found


def _template(node: Node, box: Box) -> str:
    """Write a node with its operands left open."""
    named = node.op in ("call_function", "call_method", "call_module")
    literals = [] if node.op == "output" else [f"{name}={open_text(a)}" for name, a in named_arguments(node)]
    return f"{node.op} {node.target if named else box.role} {box.sub} {' '.join(literals)}"


def open_text(argument: Argument) -> str:
    """Write an argument with `%` for each use of a node, without recursion."""
    parts: list[str] = []
    stack: list[Argument | _Mark] = [argument]
    while stack:
        top = stack.pop()
        if isinstance(top, _Mark):
            parts.append(top.text)
        elif isinstance(top, Ref):
            parts.append("%")
        elif isinstance(top, Seq | Map | Slice):
            kind = top.kind if isinstance(top, Seq) else type(top).__name__
            parts.append(f"{kind}(")
            stack += [_Mark(")"), *reversed(children(top))]
        else:
            parts.append(f"{argument_text(top)},")
    return "".join(parts)


class _Mark(Struct, frozen=True):
    text: str


def columns(scene: Scene, text: Interner) -> payload_scene.Scene:
    """Turn a scene into the payload's columns."""
    regions, boxes, flow = scene.regions, scene.boxes, scene.edges
    return payload_scene.Scene(
        regions=payload_scene.Regions(
            key=[text(r.key) for r in regions],
            kind=[r.kind for r in regions],
            parent=[r.parent for r in regions],
            label=[text(r.label) for r in regions],
            type=[text(r.type) for r in regions],
            path=[text(r.path) for r in regions],
            owner=[r.owner for r in regions],
            hash=[text(h) for h in scene.hashes],
            size=list(scene.sizes),
        ),
        boxes=payload_scene.Boxes(
            key=[text(b.key) for b in boxes],
            label=[text(b.label) for b in boxes],
            sub=[text(b.sub) for b in boxes],
            role=[b.role for b in boxes],
            region=[b.region for b in boxes],
        ),
        edges=payload_scene.Edges(
            dst=[e.dst for e in flow],
            back=[e.dst - e.src for e in flow],
            slot=[text(e.slot) for e in flow],
            port=[e.port for e in flow],
        ),
        ties=payload_scene.Ties(outer=[outer for outer, _ in scene.ties], inner=[inner for _, inner in scene.ties]),
    )
