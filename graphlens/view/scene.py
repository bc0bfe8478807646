"""A program as a scene: regions, boxes, edges, with plain texts. `columns` turns it into the payload's columns."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from graphlens.program.program import Program
from graphlens.progress import each
from graphlens.view import payload_scene
from graphlens.view.flow import Edge, edges, ties
from graphlens.view.forms import Form, Forms
from graphlens.view.labels import ValueTexts
from graphlens.view.region_hashes import region_hashes, region_sizes
from graphlens.view.regions import Region, Tree, region_tree
from graphlens.view.roles import Role, roles
from graphlens.view.wire import Interner


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


def program_scene(program: Program, tree: Tree | None = None, forms: Sequence[Form] | None = None) -> Scene:
    """Make the scene of a program; box `i` is node `i` of its `Tree`."""
    tree = tree or region_tree(program)
    forms = forms or Forms().of_all(tree.nodes)
    tied = ties(program, tree)
    kinds, labels = roles(program, tree, tied, forms)
    keys = [f"{path}/" if path else "" for path in tree.graphs]
    texts = ValueTexts()
    boxes = tuple(
        Box(
            keys[graph] + node.name,
            node.name,
            label,
            texts(node.value) if node.op != "output" else "",
            kind,
            region,
            form.literals,
        )
        for node, graph, label, kind, region, form in zip(
            each(tree.nodes, len(tree.nodes), "boxes"),
            tree.graph_of,
            labels,
            kinds,
            tree.region_of,
            forms,
            strict=True,
        )
    )
    flow = edges(program, tree, forms)
    return Scene(
        regions=tree.regions,
        hashes=region_hashes(tree, boxes, flow, forms),
        sizes=region_sizes(tree.regions, tree.region_of, tree.calls),
        boxes=boxes,
        edges=tuple(flow),
        ties=tuple(tied),
    )


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
