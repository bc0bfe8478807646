"""One live `fx.Graph` to plain data, and the nested graphs that its nodes hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import fx
from torch._ops import HigherOrderOperator, OpOverload, OpOverloadPacket

from graphlens.program.argument import Argument
from graphlens.program.frozen import EMPTY, freeze
from graphlens.program.graph import Graph, Node, Subgraph
from graphlens.program.roles import Where, hop_parameters, subgraph_roles, where_text
from graphlens.progress import each
from graphlens.read.live_arguments import to_argument
from graphlens.read.live_code import function_code, hooks_code, module_code
from graphlens.read.live_meta import Interned, graph_metadata, to_metadata
from graphlens.read.live_names import python_attribute, target_text, type_name
from graphlens.read.live_torch import schema_of, symbolic_operators
from graphlens.read.live_triton import kernel_arguments
from graphlens.read.live_values import Storages, to_value

_CALLED: Where = ("module",)
"""Where a graph is that a ``call_module`` node calls."""


class Body(NamedTuple):
    """A live graph and the module that holds its attributes (`None` for a bare graph)."""

    graph: fx.Graph
    owner: torch.nn.Module | None


class Link(NamedTuple):
    """A nested graph found under a node: the node, the role, the body."""

    node: str
    role: str
    body: Body


class Converted(NamedTuple):
    """One graph as data, with its nested graphs still to be converted."""

    graph: Graph
    links: tuple[Link, ...]
    schemas: Mapping[str, str]


class Found(NamedTuple):
    """A nested graph among one node's arguments."""

    where: Where
    attribute: str
    body: Body


def convert(body: Body, interned: Interned) -> Converted:
    """Convert one graph. Nested graphs become links and are not entered."""
    storages: Storages = {}
    nodes: list[Node] = []
    links: list[Link] = []
    schemas: dict[str, str] = {}
    for node in each(body.graph.nodes, len(body.graph.nodes), "reading"):
        found = list(nested(node, body.owner))
        plain = _node(node, body.owner, found, storages, interned)
        nodes.append(plain)
        links += [Link(node.name, sub.role, f.body) for sub, f in zip(plain.subgraphs, found, strict=True)]
        schema = custom_schema(node.target)
        if schema is not None:
            schemas[plain.target] = schema
    meta = graph_metadata(getattr(body.owner, "meta", None) or EMPTY) if is_module(body.owner) else EMPTY
    return Converted(Graph(tuple(nodes), meta), tuple(links), schemas)


def _node(
    node: fx.Node, owner: torch.nn.Module | None, found: Sequence[Found], storages: Storages, interned: Interned
) -> Node:
    target = target_text(node.target)
    args = tuple(to_argument(argument, node.graph, passed=True) for argument in node.args)
    has_value, held = "val" in node.meta, node.meta.get("val")
    if not has_value and "example_value" in node.meta:
        has_value, held = True, node.meta["example_value"]
    return Node(
        name=node.name,
        op=node.op,
        target=target,
        args=args,
        kwargs=_keywords(node, target) if node.kwargs else EMPTY,
        value=to_value(held, storages) if has_value else None,
        meta=to_metadata(node, storages, interned),
        arg_names=argument_names(node.target, len(args)) if node.op == "call_function" else (),
        code=_code(node, owner, found),
        subgraphs=_subgraphs(target, args, found) if found else (),
    )


def _keywords(node: fx.Node, target: str) -> Mapping[str, Argument]:
    named = kernel_arguments(node.kwargs) if target.startswith("higher_order.triton_kernel_wrapper") else EMPTY
    given = ((str(key), item) for key, item in node.kwargs.items())
    return freeze((k, named[k] if k in named else to_argument(item, node.graph, passed=True)) for k, item in given)


def _code(node: fx.Node, owner: torch.nn.Module | None, found: Sequence[Found]) -> str:
    """Describe what a node calls where its name does not say it; a module that is a nested graph is seen as such."""
    if node.op == "call_function":
        return "" if isinstance(node.target, OpOverload) else _called(node)
    held = attribute(owner, node.target) if node.op == "call_module" else None
    if not isinstance(held, torch.nn.Module):
        return ""
    return hooks_code(held) if any(f.where == _CALLED for f in found) else module_code(held)


def _called(node: fx.Node) -> str:
    """Describe a function, and the classes of the named tuples that it is given, which arguments do not keep."""
    code = function_code(node.target)
    if not code:
        return ""
    stack: list[Any] = [*node.args, *node.kwargs.values()]
    given: set[str] = set()
    while stack:
        top = stack.pop()
        if isinstance(top, tuple | list):
            stack.extend(top)
            if hasattr(top, "_fields"):
                given.add(type_name(type(top)))
        elif isinstance(top, dict):
            stack.extend(top.values())
    return f"{code} given {', '.join(sorted(given))}" if given else code


def _subgraphs(target: str, args: Sequence[Argument], found: Sequence[Found]) -> tuple[Subgraph, ...]:
    roles = subgraph_roles(target, args, [f.where for f in found])
    return tuple(
        Subgraph(role, "target" if f.where == _CALLED else where_text(f.where), f.attribute)
        for role, f in zip(roles, found, strict=True)
    )


def argument_names(target: Any, count: int) -> tuple[str, ...]:
    """Names of the first `count` positional arguments where an op has a schema or is a known one."""
    if isinstance(target, OpOverload):
        return _schema_names(target)[:count]
    if isinstance(target, HigherOrderOperator):
        return hop_parameters(f"higher_order.{target.name()}")[:count]
    try:
        return symbolic_operators().get(target, ())[:count]
    except TypeError:  # an unhashable callable
        return ()


@lru_cache(maxsize=8192)
def _schema_names(target: OpOverload) -> tuple[str, ...]:
    return tuple(argument.name for argument in schema_of(target).arguments)  # type: ignore[union-attr]


def custom_schema(target: Any) -> str | None:
    """Schema text of a custom op; `None` for torch's own and for anything else.

    Dynamo keeps the name that the user called, without an overload: where there is but one, it is meant.
    """
    if isinstance(target, OpOverloadPacket):
        names = target.overloads()
        return _custom_schema(getattr(target, names[0])) if len(names) == 1 else None
    return _custom_schema(target) if isinstance(target, OpOverload) else None


@lru_cache(maxsize=8192)
def _custom_schema(target: OpOverload) -> str | None:
    schema = schema_of(target)
    return None if schema is None or schema.name.startswith(("aten::", "prim::", "prims::")) else str(schema)


def nested(node: fx.Node, owner: torch.nn.Module | None) -> Iterator[Found]:
    """Find the nested graphs that one node holds: no list of ops, any argument, however deep.

    A graph is held by an argument that is a ``get_attr`` node of a module with a graph (or of a backend's lowered
    module, which keeps the program it was made from), by a module that is itself an argument, or by a
    ``call_module``. The order is that of the arguments.
    """
    if node.op == "call_module":
        body = body_of(attribute(owner, node.target))
        if body is not None:
            yield Found(_CALLED, str(node.target), body)
    elif node.op in ("placeholder", "get_attr"):
        return
    for where, leaf in _leaves(node):
        if isinstance(leaf, fx.Node):
            if leaf.op != "get_attr" or node.op == "output":
                continue
            name, held = str(leaf.target), attribute(owner, leaf.target)
        else:
            name, held = "", leaf
        body = body_of(held)
        if body is not None:
            yield Found(where, name, body)


def _leaves(node: fx.Node) -> Iterator[tuple[Where, Any]]:
    """Yield the nodes and modules among a node's arguments with their places, slices and dicts included."""
    stack: list[tuple[Where, Any]] = []
    stack.extend([((key,), item) for key, item in node.kwargs.items()][::-1])
    stack.extend([((i,), item) for i, item in enumerate(node.args)][::-1])
    while stack:
        where, top = stack.pop()
        if isinstance(top, fx.Node | torch.nn.Module):
            yield where, top
        elif isinstance(top, tuple | list):
            stack.extend([((*where, i), item) for i, item in enumerate(top)][::-1])
        elif isinstance(top, dict):
            stack.extend([((*where, str(key)), item) for key, item in top.items()][::-1])
        elif isinstance(top, slice):
            stack.extend([((*where, key), getattr(top, key)) for key in ("step", "stop", "start")])


def body_of(obj: Any) -> Body | None:
    """The graph inside an object: of a GraphModule, of a module that interprets one, of a backend's lowered module.

    By what it is and has, never by class name: branches of control flow are called ``<lambda>``, and executorch's
    `LoweredBackendModule`, whose `original_module` is an ExportedProgram, is not known here.
    """
    if isinstance(obj, torch.nn.Module):
        graph = python_attribute(obj, "graph")
        if isinstance(graph, fx.Graph):
            return Body(graph, obj)
    if obj is None or isinstance(obj, torch.Tensor | str | int | float | bool):
        return None
    original = python_attribute(obj, "original_module")
    for inner in (python_attribute(obj, "graph_module"), original, python_attribute(original, "graph_module")):
        if isinstance(inner, fx.GraphModule):
            return Body(inner.graph, inner)
    return None


def attribute(owner: torch.nn.Module | None, target: Any) -> Any:
    """What a dotted attribute path leads to; `None` where it leads nowhere."""
    held: Any = owner
    for part in str(target).split("."):
        held = python_attribute(held, part)
        if held is None:
            return None
    return held


def is_module(obj: Any) -> bool:
    """Whether an object is a GraphModule, whose `meta` is torch's own."""
    return isinstance(obj, fx.GraphModule)
