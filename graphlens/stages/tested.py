"""Groups of nodes that became other nodes, run side by side on random inputs of the recorded shapes.

This is evidence, and never called a proof: what is equal on a few inputs may differ on others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import fx
from torch.utils import _pytree as pytree

from graphlens.diff.alignment import Alignment, GraphAlignment, Group
from graphlens.program.program import Program, child_path
from graphlens.stages.execute import seeded
from graphlens.stages.failure import failure_of
from graphlens.stages.leaves import compare_leaf
from graphlens.stages.precision import is_rounding
from graphlens.stages.tree import is_hollow

INPUTS = 3
LARGEST = 2**24
"""Elements up to which an input is made; larger groups are left unknown."""


class Untestable(Exception):  # noqa: N818 - a reason, not a fault
    """A group that cannot be run alone, and why."""


class Side(NamedTuple):
    """One graph of one side, with the modules that its nodes hold."""

    module: fx.GraphModule
    nodes: Mapping[str, fx.Node]


def sides(module: fx.GraphModule, program: Program) -> Mapping[str, Side]:
    """Find the live graph behind each graph path of a program."""
    found: dict[str, Side] = {}
    stack: list[tuple[str, Any]] = [("", module)]
    while stack:
        path, owner = stack.pop()
        if not isinstance(owner, fx.GraphModule) or path not in program.graphs:
            continue
        found[path] = Side(owner, {node.name: node for node in owner.graph.nodes})
        for node in program.graphs[path].nodes:
            held = node.subgraphs
            stack.extend((child_path(path, node.name, one.role), _attribute(owner, one.attribute)) for one in held)
    return found


def run_group(group: Group, a: Side, b: Side, mates: Mapping[str, str]) -> str:
    """Run both sides of a group on random inputs.

    Parameters
    ----------
    group
        Names of nodes on each side.
    a, b
        The graphs that they stand in.
    mates
        Name in `b` of each node of `a` that has one partner.

    Returns
    -------
    str
        ``tested equal on 3 inputs``, ``tested equal up to rounding on 3 inputs``, or how the two differ.

    Raises
    ------
    Untestable
        They do not take the same inputs, write in place, hold too much data, or cannot be run.
    """
    ours, theirs = _nodes(group.a, a), _nodes(group.b, b)
    inputs = _inputs(ours)
    outside = {mates.get(node.name): node for node in inputs}
    for node in _inputs(theirs):
        if node.name not in outside:
            raise Untestable(f"{node.name} goes in on one side only")
    results = [(ours, a, _results(ours)), (theirs, b, _results(theirs))]
    if len(results[0][2]) != len(results[1][2]):
        raise Untestable(f"{len(results[0][2])} results on one side, {len(results[1][2])} on the other")
    rounded = False
    for seed in range(INPUTS):
        values = {node: _random(node, seed) for node in inputs}
        other = {node: values[outside[node.name]] for node in _inputs(theirs)}
        one = _run(ours, a, values, seed)
        two = _run(theirs, b, other, seed)
        for x, y in zip(pytree.tree_leaves(one), pytree.tree_leaves(two), strict=True):
            found = compare_leaf(x, y)
            if found.equal:
                continue
            exact = _precise(ours, a, values, seed, x)
            near, why = is_rounding(x, y, exact)
            if not near:
                return f"differs on random input {seed}: {found.why}{'; ' if why else ''}{why}"
            rounded = True
    return f"tested equal{' up to rounding' if rounded else ''} on {INPUTS} inputs"


def run_groups(
    alignment: Alignment, a: Mapping[str, Side], b: Mapping[str, Side]
) -> Iterator[tuple[str, Group, str, str]]:
    """Yield `(graph path, group, what was found, why it could not be tested)` for each group of an alignment.

    A pair whose target changed is a group of one and one.
    """
    for graph in alignment.graphs:
        ours, theirs = a.get(graph.path_a), b.get(graph.path_b)
        if ours is None or theirs is None:
            yield from ((graph.path_a, group, "", "its graph is not at hand") for group in graph.groups)
            continue
        groups = [*graph.groups, *_changed(graph, ours, theirs)]
        mates = {pair.a: pair.b for pair in graph.pairs} | _ends(groups, ours, theirs)
        for group in groups:
            try:
                yield graph.path_a, group, run_group(group, ours, theirs, mates), ""
            except Untestable as reason:
                yield graph.path_a, group, "", str(reason)


def _changed(graph: GraphAlignment, a: Side, b: Side) -> Iterator[Group]:
    for pair in graph.pairs:
        one, two = a.nodes.get(pair.a), b.nodes.get(pair.b)
        if one is not None and two is not None and one.op == two.op == "call_function" and one.target is not two.target:
            yield Group(a=(pair.a,), b=(pair.b,), match=pair.match, confidence=pair.confidence)


def _ends(groups: Sequence[Group], a: Side, b: Side) -> dict[str, str]:
    """The one result of each group on both sides, which later groups take in."""
    found = {}
    for group in groups:
        ours = _results([a.nodes[name] for name in group.a if name in a.nodes])
        theirs = _results([b.nodes[name] for name in group.b if name in b.nodes])
        if len(ours) == len(theirs) == 1:
            found[ours[0].name] = theirs[0].name
    return found


def _attribute(owner: Any, path: str) -> Any:
    for name in path.split(".") if path else ():
        owner = getattr(owner, name, None)
    return owner


def _nodes(names: Sequence[str], side: Side) -> list[fx.Node]:
    found = [side.nodes[name] for name in names if name in side.nodes]
    order = {node: i for i, node in enumerate(side.module.graph.nodes)}
    for node in found:
        schema = getattr(node.target, "_schema", None)
        if node.op != "call_function":
            raise Untestable(f"{node.name} is a {node.op}")
        if schema is not None and schema.is_mutable:
            raise Untestable(f"{node.name} writes in place")
    return sorted(found, key=order.__getitem__)


def _inputs(nodes: Sequence[fx.Node]) -> list[fx.Node]:
    """The nodes outside a group that it reads, in order of use."""
    inside = set(nodes)
    used = [source for node in nodes for source in node.all_input_nodes]
    return list(dict.fromkeys(node for node in used if node not in inside and node.op != "get_attr"))


def _results(nodes: Sequence[fx.Node]) -> list[fx.Node]:
    """The nodes of a group that are used outside it."""
    inside = set(nodes)
    return [node for node in nodes if any(user not in inside for user in node.users)]


def _run(nodes: Sequence[fx.Node], side: Side, values: Mapping[fx.Node, Any], seed: int) -> list[Any]:
    env: dict[fx.Node, Any] = dict(values)

    def value(node: fx.Node) -> Any:
        return _attribute(side.module, str(node.target)) if node.op == "get_attr" else env[node]

    try:
        with torch.no_grad(), seeded(seed):
            for node in nodes:
                args, kwargs = fx.node.map_arg(node.args, value), fx.node.map_arg(node.kwargs, value)
                env[node] = node.target(*args, **kwargs)
    except Exception as error:
        raise Untestable(f"it does not run on random inputs: {failure_of(error)}") from error
    return [env[node] for node in _results(nodes)]


def _precise(nodes: Sequence[fx.Node], side: Side, values: Mapping[fx.Node, Any], seed: int, like: Any) -> Any:
    """The leaf of the first side in double precision that `like` is a rounded form of; `None` where there is none."""
    wide = {node: pytree.tree_map(_wide, value) for node, value in values.items()}
    try:
        leaves = pytree.tree_leaves(_run(nodes, side, wide, seed))
    except Untestable:
        return None
    plain = pytree.tree_leaves(_run(nodes, side, values, seed))
    at = next((i for i, leaf in enumerate(plain) if compare_leaf(leaf, like).equal), None)
    return None if at is None else leaves[at]


def _wide(leaf: Any) -> Any:
    return leaf.double() if isinstance(leaf, torch.Tensor) and leaf.is_floating_point() else leaf


def _random(node: fx.Node, seed: int) -> Any:
    if "val" not in node.meta:
        raise Untestable(f"{node.name} has no recorded shape")
    generator = torch.Generator().manual_seed(seed)
    return pytree.tree_map(lambda leaf: _draw(leaf, node, generator, seed), node.meta["val"])


def _draw(leaf: Any, node: fx.Node, generator: torch.Generator, seed: int) -> Any:
    if isinstance(leaf, torch.SymInt | torch.SymFloat | torch.SymBool):
        return _hint(leaf, node)
    if not isinstance(leaf, torch.Tensor) or not is_hollow(leaf):
        return leaf
    sizes, steps = [_hint(size, node) for size in leaf.shape], [_hint(step, node) for step in leaf.stride()]
    if torch.Size(sizes).numel() > LARGEST:
        raise Untestable(f"{node.name} holds more than {LARGEST:,} elements")
    device = "cpu" if leaf.device.type == "meta" else leaf.device
    made = torch.empty_strided(sizes, steps, dtype=leaf.dtype, device=device)
    if leaf.dtype == torch.bool:
        values = torch.randint(0, 2, sizes, generator=generator)
    elif leaf.is_floating_point() or leaf.is_complex():
        values = torch.randn(sizes, generator=generator, dtype=torch.complex64 if leaf.is_complex() else torch.float32)
    else:
        values = torch.randint(0, 2 + seed, sizes, generator=generator)
    return made.copy_(values)


def _hint(size: Any, node: fx.Node) -> Any:
    try:
        return int(size) if not isinstance(size, torch.SymInt) else size.node.require_hint()
    except Exception as error:
        raise Untestable(f"{node.name} has a size that is not known before it runs") from error
