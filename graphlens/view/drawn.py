"""A program with what is drawn of it, made once for its own drawing and for every diff that it is in."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from graphlens.program.program import Program
from graphlens.progress import each
from graphlens.view.forms import Form, Forms
from graphlens.view.regions import Tree, region_tree
from graphlens.view.scene import Scene, program_scene


class Drawn(Struct, frozen=True):
    """A program with the regions and the scene that were made of it."""

    program: Program
    tree: Tree
    forms: Sequence[Form]
    scene: Scene


def draw(program: Program, forms: Forms | None = None) -> Drawn:
    """Find the regions of a program and make its scene; `forms` may be those of other programs too."""
    tree = region_tree(program)
    found = (forms or Forms()).of_all(each(tree.nodes, len(tree.nodes), "nodes"))
    return Drawn(program, tree, found, program_scene(program, tree, found))
