"""One FX graph as immutable data."""

from __future__ import annotations

import re
import weakref
from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from typing import Any

from msgspec import Struct

from graphlens.program.argument import CONTAINERS, Argument, Ref, Seq, refs
from graphlens.program.frozen import EMPTY
from graphlens.program.value import Value

_ADDRESS = re.compile(r"(?:\s+at)?\s+0x[0-9a-fA-F]{4,}|(?<=\W)0x[0-9a-fA-F]{8,}")

NO_MODULE = "_empty_nn_module_stack_from_metadata_hook"
"""The key of the entry that torch.export gives to nodes that belong to no module."""


NO_HOOKS = "no hooks"
"""The code of a call of a module that is a graph: only hooks could add anything."""


DYNAMO_SOURCE = "_dynamo_source"
"""The metadata key of an input of Dynamo's graph under which stands where it was found in the frame."""


class ModuleCall(Struct, frozen=True, gc=False):
    """One entry of an `nn_module_stack`: the dict key, the fully qualified name, the class name."""

    key: str
    path: str
    type: str

    @property
    def call(self) -> str:
        """The name with its call index as the key has it: ``shared`` the first time, ``shared@1`` the second.

        Dynamo writes a module as it is reached in the frame, ``L['self'].layers[0]``; that is ``layers.0``.
        """
        path = self.path if self.path[:2] != "L[" else from_self(self.path)
        if "@" not in self.key:
            return path
        _, at, index = self.key.rpartition("@")
        return f"{path}@{index}" if at and index.isdigit() and "@" not in path else path


_SELF = "L['self']"
_ITEM = re.compile(r"\[(?:'([^']*)'|(\d+))\]")


@lru_cache(maxsize=4096)
def from_self(path: str) -> str:
    """Name a module relative to the one that was traced; the path of any other stays as it is."""
    if path != _SELF and not path.startswith((f"{_SELF}.", f"{_SELF}[")):
        return path
    plain = path[len(_SELF) :].replace("._modules[", "[")
    return _ITEM.sub(lambda item: f".{item[1] or item[2]}", plain).removeprefix(".")


class Provenance(Struct, frozen=True, gc=False):
    """One `from_node` entry (`torch.fx.traceback.NodeSource`) with the entries it came from in turn.

    `target` is text as torch wrote it, without addresses (`without_addresses`).
    `graph_id` tells graphs of one process apart; it is an address and never compared.
    """

    name: str
    target: str
    pass_name: str
    action: tuple[str, ...]
    graph_id: int
    from_node: tuple[Provenance, ...] = ()


class Subgraph(Struct, frozen=True, gc=False):
    """A nested graph held by an argument of a node.

    `role` names the argument (``true_fn``, ``body_fn``, else ``arg0``), `where` is the position (``args[1]``,
    ``kwargs['f']``), `attribute` is the get_attr target or module name that held it.
    """

    role: str
    where: str
    attribute: str


class Node(Struct, frozen=True, kw_only=True, gc=False):
    """One FX node.

    `target` is text: ``aten.linear.default``, ``higher_order.cond``, ``_operator.getitem``, the attribute or module
    path, the method name, or the placeholder's target. `arg_names` are the schema's names of the positional
    arguments where they are known. `code` says what is called where the name does not: the code of a user's function, the
    class and settings of a leaf module, ``""`` where the name says it all or nothing is known. `meta` holds every metadata key but `val`: `stack_trace` (str), `nn_module_stack`
    (tuple of `ModuleCall`), `source_fn_stack` (tuple of (name, target text)), `torch_fn` (tuple of str), `from_node`
    (tuple of `Provenance`), `example_value` (a `Value`); anything else (`custom` too) as an `Argument`.
    """

    name: str
    op: str
    target: str
    args: tuple[Argument, ...] = ()
    kwargs: Mapping[str, Argument] = EMPTY
    value: Value | None = None
    meta: Mapping[str, Any] = EMPTY
    arg_names: tuple[str, ...] = ()
    code: str = ""
    subgraphs: tuple[Subgraph, ...] = ()

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the nodes it uses, in order of arguments, with repetition."""
        found: list[str] = []
        for argument in (*self.args, *self.kwargs.values()) if self.kwargs else self.args:
            kind = type(argument)
            if kind is Ref:
                found.append(argument.node)  # type: ignore[union-attr]
            elif kind is Seq:
                for item in argument.items:  # type: ignore[union-attr]
                    if type(item) is Ref:
                        found.append(item.node)
                    elif type(item) in CONTAINERS:
                        found.extend(refs(item))  # type: ignore[arg-type]
            elif kind in CONTAINERS:
                found.extend(refs(argument))
        return tuple(found)

    @property
    def stack_trace(self) -> str | None:
        """The stack trace text, where there is one."""
        return self.meta.get("stack_trace")

    @property
    def module_stack(self) -> tuple[ModuleCall, ...]:
        """The module calls around this node, outermost first; empty where unknown.

        A node that torch made itself (a runtime assertion) has one entry that stands for none; it is left out.
        """
        stack: tuple[ModuleCall, ...] = self.meta.get("nn_module_stack") or ()
        return () if len(stack) == 1 and stack[0].key == NO_MODULE else stack

    @property
    def module(self) -> str:
        """The innermost module path with its call index; ``""`` for the root or unknown."""
        stack = self.module_stack
        return stack[-1].call if stack else ""


def modules_of(nodes: Iterable[Node]) -> list[str]:
    """Return the innermost module of each node; of a module stack that several share it is found once."""
    known: dict[int, str] = {}
    found = []
    for node in nodes:
        stack = id(node.meta.get("nn_module_stack"))
        module = known.get(stack)
        if module is None:
            module = known[stack] = node.module
        found.append(module)
    return found


class Graph(Struct, frozen=True, dict=True, weakref=True):
    """One FX graph: its nodes in topological order. A body shared by several callers is one object."""

    nodes: tuple[Node, ...]
    meta: Mapping[str, Any] = EMPTY

    @cached_property
    def index(self) -> Mapping[str, int]:
        """Position of each node by name."""
        return {node.name: i for i, node in enumerate(self.nodes)}

    def __getitem__(self, name: str) -> Node:
        return self.nodes[self.index[name]]

    def __contains__(self, name: object) -> bool:
        return name in self.index

    def __len__(self) -> int:
        return len(self.nodes)

    @cached_property
    def users(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the nodes that use each node, each once, in topological order."""
        found: dict[str, dict[str, None]] = {node.name: {} for node in self.nodes}
        for node in self.nodes:
            for name in node.inputs:
                found.setdefault(name, {})[node.name] = None
        return {name: tuple(users) for name, users in found.items()}

    def copies(self, other: Graph) -> bool:
        """Whether all nodes are equal, in order, as Python compares: `1` to `True`, keywords in any order.

        The answer about the graph that was asked about last is remembered.
        """
        asked, known = self.__dict__.get("_copies", (None, False))
        if asked is None or asked() is not other:
            try:
                known = self.nodes == other.nodes
            except RecursionError:  # arguments nested without end: nobody knows
                known = False
            self.__dict__["_copies"] = (weakref.ref(other), known)
        return bool(known)

    @cached_property
    def by_op(self) -> Mapping[str, tuple[Node, ...]]:
        """The nodes of every op but `call_function`, in topological order."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            if node.op != "call_function":
                found.setdefault(node.op, []).append(node)
        return {op: tuple(nodes) for op, nodes in found.items()}

    @cached_property
    def callers(self) -> tuple[Node, ...]:
        """The nodes that hold nested graphs, in topological order."""
        return tuple([node for node in self.nodes if node.subgraphs])

    @property
    def placeholders(self) -> tuple[Node, ...]:
        """The input nodes, in order."""
        return self.by_op.get("placeholder", ())

    @property
    def output(self) -> Node | None:
        """The output node; `None` in a graph without one."""
        return self.by_op.get("output", (None,))[-1]


def without_addresses(text: str) -> str:
    """Cut addresses out of the text of a Python object: ``<function relu at 0x7f…>`` becomes ``<function relu>``."""
    return _ADDRESS.sub("", text) if "0x" in text else text
