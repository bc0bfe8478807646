"""Which nodes of a live graph write to their inputs or draw random numbers, and which weights may be written to."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

import torch
from torch import fx

from graphlens.read.live_graph import body_of
from graphlens.read.live_torch import schema_of

_IN_PLACE = {
    operator.setitem, operator.delitem, operator.iadd, operator.isub, operator.imul, operator.imatmul, operator.itruediv,
    operator.ifloordiv, operator.imod, operator.ipow, operator.iand, operator.ior, operator.ixor, operator.ilshift,
    operator.irshift, operator.iconcat,
}  # fmt: skip
_MAYBE_VIEWS = (
    "reshape",
    "contiguous",
    "to",
    "flatten",
    "dropout",
    "type_as",
    "conj_physical",
    "resolve_conj",
    "resolve_neg",
)


def writes(node: fx.Node) -> bool:
    """Whether a node may write to its inputs: by schema, else by PyTorch's naming (``add_``, ``inplace=True``, ``out=``)."""
    if node.op == "call_method":
        name = str(node.target)
        return (name.endswith("_") and not name.endswith("__")) or name in ("__setitem__", "__iadd__")
    if node.op == "call_module":
        return True
    if node.op != "call_function":
        return False
    schema = schema_of(node.target)
    if schema is not None:
        return bool(schema.is_mutable) or any(True for _ in _running(node, schema))
    if node.target in _IN_PLACE or node.kwargs.get("inplace") is True or node.kwargs.get("out") is not None:
        return True
    name = getattr(node.target, "__name__", "")
    return (name.endswith("_") and not name.endswith("__")) or "mutation" in name


def written_arguments(node: fx.Node) -> Iterator[fx.Node]:
    """Yield the nodes whose values a writing node may change."""
    schema = schema_of(node.target)
    if schema is None:
        yield from node.all_input_nodes
        return
    given = _bound(node, schema)
    for argument in schema.arguments:
        if argument.alias_info is not None and argument.alias_info.is_write and argument.name in given:
            yield from _nodes_in(given[argument.name])
    yield from _running(node, schema)


def _bound(node: fx.Node, schema: Any) -> dict[str, Any]:
    return {**dict(zip((argument.name for argument in schema.arguments), node.args, strict=False)), **node.kwargs}


def _running(node: fx.Node, schema: Any) -> Iterator[fx.Node]:
    """Statistics that a normalization updates in training without its schema saying so (``aten.batch_norm``, to torch 2.13)."""
    given = _bound(node, schema)
    if "functional" in schema.name or not {"training", "train", "use_input_stats"} & {
        name for name, value in given.items() if value is not False
    }:
        return
    for name in ("running_mean", "running_var"):
        yield from _nodes_in(given.get(name))


def written_leaves(module: Any) -> frozenset[str]:
    """Names of the placeholders and attributes of a graph whose tensors a run may write to, through any view."""
    roots: dict[fx.Node, frozenset[str]] = {}
    found: set[str] = set()
    for node in module.graph.nodes:
        if node.op in ("placeholder", "get_attr"):
            roots[node] = frozenset({node.name})
            continue
        if writes(node):
            for argument in written_arguments(node):
                found |= roots.get(argument, frozenset())
        if _may_alias(node):
            roots[node] = frozenset().union(*(roots.get(argument, frozenset()) for argument in node.all_input_nodes))
    return frozenset(found)


def _may_alias(node: fx.Node) -> bool:
    schema = schema_of(node.target)
    if schema is None:
        return bool(node.op != "output")
    name = schema.name.rpartition("::")[2]
    return bool(name in _MAYBE_VIEWS or any(result.alias_info is not None for result in schema.returns))


def draws(node: fx.Node) -> bool:
    """Whether a node draws random numbers: by its op's tag; functions and modules without a schema may."""
    if node.op in ("placeholder", "get_attr", "output"):
        return False
    tags = getattr(node.target, "tags", None)
    if schema_of(node.target) is not None:
        return bool(torch.Tag.nondeterministic_seeded in (tags or ()))
    module = getattr(node.target, "__module__", "") or ""
    return node.op != "call_function" or not module.startswith(("_operator", "math", "builtins"))


def is_higher_order(target: Any) -> bool:
    """Whether a target is a higher-order op (`torch._ops.HigherOrderOperator`, torch 2.0 to 2.13)."""
    return isinstance(target, torch._ops.HigherOrderOperator)  # noqa: SLF001


def module_draws(module: Any) -> bool:
    """Whether any node of a graph, or of the graphs nested in it, may draw random numbers."""
    seen: set[int] = set()
    stack = [module]
    while stack:
        top = stack.pop()
        if id(top.graph) in seen:
            continue
        seen.add(id(top.graph))
        if any(draws(node) for node in top.graph.nodes if not is_higher_order(node.target)):
            return True
        children = [body_of(child) for _, child in top.named_modules()] if isinstance(top, torch.nn.Module) else []
        stack += [body.owner for body in children if body is not None and body.owner is not None]
    return False


def _nodes_in(argument: Any) -> list[fx.Node]:
    found: list[fx.Node] = []
    fx.map_arg(argument, found.append)
    return found
