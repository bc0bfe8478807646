"""A captured program with every op replaced by torch's decomposition of it."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx
from torch.utils import _pytree as pytree

from graphlens.program.program import Program, child_path
from graphlens.read.live_names import target_text
from graphlens.stages.decomposition.single import Cache, attribute, facets, operands, piece_of, recomputed, stays
from graphlens.stages.decomposition.torch_table import Unavailable

Env = dict[fx.Node, Any]
"""Node of the source to what stands for it in the expanded graph: a node, a number, or a container of them."""


@dataclass
class Expansion:
    """What one expansion writes down.

    `program` is the source as it was read; `kept` holds the targets that the decomposed program still has: a higher-order
    op among them keeps its graphs, another is traced through. `origins` maps graph path and name in the expanded program to the name in the source;
    `unknown` maps graph path and name in the source to why torch could not decompose that node; `writes` maps a
    placeholder of the root to what was written into it.
    """

    program: Program
    cache: Cache
    kept: frozenset[str]
    origins: dict[tuple[str, str], str] = field(default_factory=dict)
    unknown: dict[tuple[str, str], str] = field(default_factory=dict)
    writes: dict[str, Any] = field(default_factory=dict)


@dataclass
class _Site:
    """One graph under way."""

    source: fx.GraphModule
    path: str
    into: Expansion
    graph: fx.Graph = field(default_factory=fx.Graph)
    root: torch.nn.Module = field(default_factory=torch.nn.Module)
    env: Env = field(default_factory=dict)


def expand(source: fx.GraphModule, into: Expansion, path: str = "") -> fx.GraphModule:
    """Build the expanded form of one graph, and of the graphs nested in it.

    Raises
    ------
    Unavailable
        The graph writes into something that may have another name, which cannot be followed op by op.
    """
    site = _Site(source, path, into)
    for node in source.graph.nodes:
        if node.op == "get_attr":
            continue
        first = len(site.graph.nodes)
        if node.op == "output":
            site.graph.output(fx.node.map_arg(node.args[0], site.env.__getitem__)).meta.update(node.meta)
        else:
            site.env[node] = _expanded(node, site)
        for made in list(site.graph.nodes)[first:]:
            into.origins.setdefault((path, made.name), node.name)
    return fx.GraphModule(site.root, site.graph)


def _expanded(node: fx.Node, site: _Site) -> Any:
    if node.op != "call_function":
        return _copy(node, site, {})
    if node.target is operator.getitem and isinstance(site.env.get(node.args[0]), tuple | list):
        item = site.env[node.args[0]][node.args[1]]
        if isinstance(item, fx.Node) and item.target is operator.getitem:
            site.into.origins[site.path, item.name] = node.name
        return item
    table = site.into.cache.table
    same_operands = _operands_as_recorded(node, site)
    if isinstance(node.target, torch._ops.HigherOrderOperator):  # noqa: SLF001 - torch has no public name for this type
        if target_text(node.target) in site.into.kept and same_operands:
            return _copy(node, site, _bodies(node, site))
    elif stays(node.target, table) and target_text(node.target) in site.into.kept:
        copied = _copy(node, site, _held(node, site))
        if not same_operands:
            copied.meta["val"] = recomputed(node, site.source, _values(node, site), site.into.cache)
        return copied
    return _decomposed(node, site)


def _values(node: fx.Node, site: _Site) -> tuple[Any, ...]:
    leaves, where, _ = operands(node)
    return tuple(_value(site.env[leaves[i]]) for i in where)


def _value(stands: Any) -> Any:
    def value(node: fx.Node) -> Any:
        if "val" not in node.meta:
            raise Unavailable(f"{node.name} has no recorded value")
        return node.meta["val"]

    return pytree.tree_map_only(fx.Node, value, stands)


def _operands_as_recorded(node: fx.Node, site: _Site) -> bool:
    """Whether the operands have the sizes and strides here that they had where the node was recorded."""
    leaves, where, _ = operands(node)
    return all(facets(_value(site.env[leaves[i]])) == facets(leaves[i].meta.get("val")) for i in where)


def _held(node: fx.Node, site: _Site) -> dict[str, Any]:
    """The modules and constants among the arguments of a node, by attribute."""
    found = [leaf for leaf in pytree.tree_leaves((node.args, dict(node.kwargs))) if isinstance(leaf, fx.Node)]
    return {str(leaf.target): attribute(site.source, str(leaf.target)) for leaf in found if leaf.op == "get_attr"}


def _bodies(node: fx.Node, site: _Site) -> dict[str, Any]:
    """Expand the graphs nested in a node; return all that it holds by attribute."""
    held = _held(node, site)
    for inner in site.into.program.graphs[site.path][node.name].subgraphs:
        if isinstance(held.get(inner.attribute), fx.GraphModule):
            path = child_path(site.path, node.name, inner.role)
            held[inner.attribute] = expand(held[inner.attribute], site.into, path)
    return held


def _copy(node: fx.Node, site: _Site, held: dict[str, Any]) -> fx.Node:
    """Copy a node as it is, with the modules and constants that it holds."""

    def operand(used: fx.Node) -> Any:
        return (
            _attach(site, str(used.target), held[str(used.target)], used.name)
            if used.op == "get_attr"
            else site.env[used]
        )

    args, kwargs = fx.node.map_arg(node.args, operand), fx.node.map_arg(node.kwargs, operand)
    made = site.graph.create_node(node.op, node.target, args, kwargs, node.name)
    made.meta.update(node.meta)
    return made


def _attach(site: _Site, target: str, value: Any, origin: str = "") -> fx.Node:
    name = target.replace(".", "_")
    while getattr(site.root, name, value) is not value:
        name += "_"
    setattr(site.root, name, value)
    made = site.graph.create_node("get_attr", name)
    if origin:
        site.into.origins[site.path, made.name] = origin
    return made


def _decomposed(node: fx.Node, site: _Site) -> Any:
    try:
        piece = piece_of(node, site.source, _values(node, site), site.into.cache)
    except Unavailable as reason:
        site.into.unknown[site.path, node.name] = str(reason)
        return _copy(node, site, _held(node, site))
    leaves, where, _ = operands(node)
    spread = [(leaves[i], leaf) for i in where for leaf in _spread(site, site.env[leaves[i]])]
    inputs = [inner for inner in piece.graph.nodes if inner.op == "placeholder"]
    stands: Env = dict(zip(inputs, (leaf for _, leaf in spread), strict=True))
    for inner in piece.graph.nodes:
        if inner.op == "get_attr":
            stands[inner] = _attach(site, f"{node.name}_{inner.target}", attribute(piece, str(inner.target)))
        elif inner.op == "call_function":
            name = f"{node.name}__{inner.name}"
            args, kwargs = fx.node.map_arg(inner.args, stands.get), fx.node.map_arg(inner.kwargs, stands.get)
            stands[inner] = site.graph.create_node(inner.op, inner.target, args, kwargs, name)
            stands[inner].meta.update(inner.meta)
    result, written = next(inner for inner in piece.graph.nodes if inner.op == "output").args[0]
    for (owner, _), value in zip(spread, written, strict=True):
        if value is not None:
            _write(owner, stands[value], site)
    return fx.node.map_arg(result, stands.get)


def _spread(site: _Site, stands: Any) -> Sequence[Any]:
    """Take an operand apart into its leaves, the way `make_fx` takes its inputs apart."""
    value = stands.meta["val"] if isinstance(stands, fx.Node) else stands
    if not isinstance(value, tuple | list):
        return [stands]
    if isinstance(stands, fx.Node):
        stands = [site.graph.call_function(operator.getitem, (stands, i)) for i in range(len(value))]
        for item, each in zip(stands, value, strict=True):
            item.meta["val"] = each
    return [leaf for item in stands for leaf in _spread(site, item)]


def _write(written: fx.Node, value: Any, site: _Site) -> None:
    """Let later reads see what was written into the result of a node.

    Raises
    ------
    Unavailable
        Another name for it may exist, so that a later read could be missed.
    """
    if written.op == "placeholder" and site.path:
        raise Unavailable(f"{written.name} is written in place inside the nested graph {site.path}")
    if (written.op != "placeholder" and _may_alias(written)) or any(_may_alias(user) for user in written.users):
        raise Unavailable(f"{written.name} is written in place and has another name")
    site.env[written] = value
    if written.op == "placeholder":
        site.into.writes[written.name] = value


def _may_alias(node: fx.Node) -> bool:
    """Whether a call may return another name of one of its operands; its own writes do not count."""
    if node.op != "call_function":
        return False
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return True
    return any(a.alias_info is not None and not a.alias_info.is_write for a in schema.arguments)
