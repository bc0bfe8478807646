"""Where Dynamo found an input of the graph: better than the name it made of that."""

from __future__ import annotations

from typing import Any

from torch import fx

from graphlens.read.live_names import python_attribute


def dynamo_source(node: fx.Node) -> str | None:
    """Where an input of a frame comes from, ``L['self']._modules['fc']._parameters['weight']`` (torch 2.1 to 2.13).

    A graph that Dynamo hands to a backend has it on the placeholder, one that is still traced in its `GraphArg`; a file
    has neither.
    """
    if node.op != "placeholder":
        return None
    for held in (python_attribute(node, "_dynamo_source"), python_attribute(node.meta.get("grapharg"), "source")):
        name = _name(held)
        if name:
            return name
    return None


def _name(source: Any) -> str:
    name = python_attribute(source, "name")
    try:
        name = name() if callable(name) else name  # a method before torch 2.10, a property since
    except Exception:  # noqa: BLE001 - some sources have no name
        return ""
    return name if isinstance(name, str) else ""
