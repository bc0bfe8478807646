"""Nodes of a graph as Python source that stands alone."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import fx

_PUBLIC = ("aten", "prim", "prims", "higher_order", "torchvision")


def unit_module(owner: Any, names: Sequence[str], inputs: Sequence[str]) -> fx.GraphModule:
    """A GraphModule of some nodes: the values they use from outside are its inputs, the last node's value its output."""
    nodes = {node.name: node for node in owner.graph.nodes}
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for name in inputs:
        node = nodes[name]
        held = node.op == "get_attr" and isinstance(_held(owner, str(node.target)), fx.GraphModule)
        copies[node] = graph.get_attr(str(node.target)) if held else graph.placeholder(name)
    for name in names:
        copies[nodes[name]] = graph.node_copy(nodes[name], copies.__getitem__)
    graph.output(copies[nodes[names[-1]]])
    return fx.GraphModule(owner, graph)


def _held(owner: Any, path: str) -> Any:
    for part in path.split("."):
        owner = getattr(owner, part, None)
    return owner


def module_text(name: str, module: fx.GraphModule) -> str:
    """Classes for a GraphModule and everything nested in it, the innermost first."""
    parts = [(name, name, module)]
    texts = []
    while parts:
        class_name, path, top = parts.pop()
        lines = [f"class {class_name}(torch.nn.Module):", "    def __init__(self):", "        super().__init__()"]
        for key, value in _members(top):
            if isinstance(value, torch.Tensor):
                lines.append(f'        self.{key} = data["constants"]["{path}.{key}"]')
            elif isinstance(value, fx.GraphModule):
                lines.append(f"        self.{key} = {class_name}_{key}()")
                parts.append((f"{class_name}_{key}", f"{path}.{key}", value))
        code = textwrap.indent(textwrap.dedent(top.code).strip(), "    ")
        texts.append("\n".join([*lines, "", code, "", ""]))
    return "\n".join(reversed(texts))


def _members(module: fx.GraphModule) -> Iterator[tuple[str, Any]]:
    yield from module.named_children()
    yield from module.named_parameters(recurse=False)
    yield from module.named_buffers(recurse=False)
    yield from ((key, value) for key, value in vars(module).items() if isinstance(value, torch.Tensor))


def imports_text(*modules: fx.GraphModule) -> str:
    """Everything that the code of some graphs names: imports, and the source of functions that cannot be imported."""
    lines: dict[str, None] = {}
    for top in modules:
        for _, module in top.named_modules():
            if isinstance(module, fx.GraphModule):
                code = module.graph.python_code("self")
                lines.update(dict.fromkeys(_import(name, obj) for name, obj in code.globals.items()))
                lines.update(dict.fromkeys(_custom(module)))
    return "\n".join(lines) + "\n"


def _import(name: str, obj: Any) -> str:
    """One import, as FX writes it for its own packages (`_format_import_statement`, torch 1.10 to 2.13)."""
    from torch.fx import graph_module
    from torch.package import sys_importer

    if getattr(obj, "__module__", "") == "__main__":
        return _definition(name, obj)
    try:
        return str(graph_module._format_import_statement(name, obj, sys_importer)).strip()  # noqa: SLF001
    except Exception:  # noqa: BLE001 - functions of a notebook, or defined in a function, can be imported from nowhere
        return _definition(name, obj)


def _definition(name: str, obj: Any) -> str:
    own = getattr(obj, "__name__", name)
    try:
        text = textwrap.dedent(inspect.getsource(obj)).strip()
    except (OSError, TypeError):
        return f"# put the definition of {own} here: its source is not at hand"
    if not text.startswith("def "):
        return f"# put the definition of {own} here, as {name}"
    return f"{text}\n\n\n{name} = {own}" if own != name else text


def _custom(module: fx.GraphModule) -> Iterator[str]:
    for node in module.graph.nodes:
        namespace = getattr(node.target, "namespace", None)
        if isinstance(namespace, str) and namespace not in _PUBLIC:
            yield f"# import what registers {namespace}::{node.target.__name__} here"
