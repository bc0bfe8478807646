"""All graphs of a program: each converted once, and named by every path that reaches it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import fx

from graphlens.program.graph import Graph
from graphlens.program.parts import Notice
from graphlens.program.program import ROOT, child_path
from graphlens.read.live_graph import Body, Converted, convert
from graphlens.read.live_meta import Interned

PATH_LIMIT = 20_000
"""Graph paths listed at most: bodies that share bodies can have exponentially many."""


class Walked(NamedTuple):
    """Graphs by path, the root first; live bodies by the first path; schemas of custom ops; what was noticed."""

    graphs: Mapping[str, Graph]
    bodies: Mapping[str, Body]
    schemas: Mapping[str, str]
    notices: tuple[Notice, ...]


def walk(root: Body, interned: Interned) -> Walked:
    """Convert a graph and everything nested in it; a body that several nodes share becomes one `Graph` object."""
    converted = _convert_all(root, interned)
    graphs: dict[str, Graph] = {}
    bodies: dict[str, Body] = {}
    notices: list[Notice] = []
    stack: list[tuple[str, Body, frozenset[int]]] = [(ROOT, root, frozenset())]
    while stack:
        path, body, inside = stack.pop()
        if len(graphs) >= PATH_LIMIT:
            notices.append(Notice(path, f"only the first {PATH_LIMIT} nested graphs are listed"))
            break
        plain, links, _ = converted[id(body.graph)]
        graphs[path] = plain
        bodies[path] = body
        inside |= {id(body.graph)}
        below: list[tuple[str, Body, frozenset[int]]] = []
        for link in links:
            child = child_path(path, link.node, link.role)
            if id(link.body.graph) in inside:
                notices.append(Notice(child, "this graph contains itself; it is not entered again"))
            else:
                below.append((child, link.body, inside))
        stack.extend(reversed(below))
    schemas = {target: text for part in converted.values() for target, text in part.schemas.items()}
    return Walked(graphs, bodies, schemas, (*notices, *_orphans(root, converted)))


def _convert_all(root: Body, interned: Interned) -> dict[int, Converted]:
    done: dict[int, Converted] = {}
    stack = [root]
    while stack:
        body = stack.pop()
        if id(body.graph) not in done:
            done[id(body.graph)] = found = convert(body, interned)
            stack.extend(link.body for link in found.links)
    return done


def _orphans(root: Body, converted: Mapping[int, Converted]) -> list[Notice]:
    """Registered GraphModules that no node uses: dead weight, or a sign that a pass lost a call."""
    if not isinstance(root.owner, torch.nn.Module):
        return []
    return [
        Notice(name, "this GraphModule is registered, but no node uses it")
        for name, module in root.owner.named_modules()
        if isinstance(module, fx.GraphModule) and id(module.graph) not in converted
    ]
