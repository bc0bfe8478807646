"""One graph of an archive, node for node what `torch.export.load` makes of it.

A file has no ``getitem`` and no ``get_attr`` nodes: several results stand on the node that computes them, nested graphs
stand inside arguments. Here they become nodes again, named, placed and annotated as
`torch._export.serde.serialize.GraphModuleDeserializer` does it (read for torch 2.13.0). What it drops although the
file has it (storage offset, layout) stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

from msgspec import Raw

from graphlens.errors import ArchiveError
from graphlens.program.argument import Argument, Opaque, Ref, Seq, argument_text
from graphlens.program.frozen import EMPTY
from graphlens.program.graph import Node
from graphlens.program.roles import Where
from graphlens.program.value import ConstValue, ContainerValue, OpaqueValue, Value
from graphlens.read import schema
from graphlens.read.archive_arguments import tensor_name, to_argument, union
from graphlens.read.archive_decode import Reading, decode
from graphlens.read.archive_meta import Metadata
from graphlens.read.archive_names import Namespace, snake_case
from graphlens.read.archive_values import Values
from graphlens.read.limits import brief

Shared = TypeVar("Shared", str, tuple[str, ...])


class Held(NamedTuple):
    """A nested graph among the arguments of the node that is being read."""

    where: Where
    attribute: str
    graph: schema.Graph
    raw: Raw
    json_path: str


class Child(NamedTuple):
    """A nested graph still to be converted: who holds it, in which role, and where it is in the JSON."""

    node: str
    role: str
    held: Held


class Builder:
    """Converts one graph; the `Scope` of its arguments. Its nodes are made by `graphlens.read.archive_call`."""

    __slots__ = (
        "_again", "children", "graph", "held", "inherited", "metadata", "names", "nodes", "path", "reading", "refs", "values",
    )  # fmt: skip

    def __init__(self, graph: schema.Graph, reading: Reading, metadata: Metadata, json_path: str) -> None:
        self.graph = graph
        self.path = json_path
        self.reading = reading
        self.metadata = metadata
        self.values = Values(graph, reading, json_path)
        self.names = Namespace()
        self.refs: dict[str, Ref] = {}
        self.nodes: list[Node] = []
        self.children: list[Child] = []
        self._again: dict[str, int] = {}
        self.held: list[Held] = []
        """Nested graphs of the node that is being read."""
        self.inherited: Mapping[str, Any] = EMPTY
        """Metadata that the `get_attr` nodes of that node get."""

    def undefined(self, name: str) -> Argument:
        """Label a name that no node before this one has."""
        why = "is used before it is computed" if name in self.values else "is used, and nothing has that name"
        self.reading.notice("undefined values", "", f"{brief(name)} {why}")
        return Opaque("undefined value", name)

    def nested_graph(self, raw: Raw, where: Where) -> Argument:
        """Add the `get_attr` node through which a live graph holds a nested one."""
        argument = decode(raw, schema.GraphArgument, self.reading, ".as_graph")
        self.held.append(Held(where, argument.name, argument.graph, raw, self.reading.path(".as_graph.graph")))
        meta = self.inherited if len(where) == 1 else EMPTY
        return self.add(Node(name=self.new_name(argument.name), op="get_attr", target=argument.name, meta=meta))

    def share(self, item: Shared) -> Shared:
        """Return one object for equal ones."""
        shared: Shared = self.reading.shared.setdefault(item, item)
        return shared

    def add(self, node: Node) -> Ref:
        """Append a node, and make it known to the nodes after it."""
        self.nodes.append(node)
        ref = self.refs[node.name] = Ref(node.name)
        return ref

    def new_name(self, candidate: str) -> str:
        """Return a name as FX would make it from `candidate`."""
        return self.given_name(self.names.create(candidate))

    def given_name(self, name: str) -> str:
        """Return `name`, with a number if the file gives it to a second node."""
        if name not in self.refs:
            return name
        number = self._again.get(name, 1) + 1
        while f"{name}_{number}" in self.refs:
            number += 1
        self._again[name] = number
        other = f"{name}_{number}"
        self.reading.notice(
            "names given twice", "", f"two nodes are called {brief(name)}; the second is {other[:80]} here"
        )
        return other

    def placeholder(self, raw: Raw, spec_name: str) -> None:
        """Add an input; one that is a constant is called as the signature calls it."""
        name = value_name(raw, self.reading)
        if name is not None:
            self.names.note(snake_case(name))
            self.add(Node(name=self.given_name(name), op="placeholder", target=name, value=self.values.get(name)))
        else:
            value = constant_value(to_argument(raw, self, 0))
            self.add(Node(name=self.new_name(snake_case(spec_name)), op="placeholder", target=spec_name, value=value))

    def output(self) -> None:
        """Add the output node."""
        produced = {node.name: node.value for node in self.nodes}
        items: list[Argument] = []
        for i, raw in enumerate(self.graph.outputs):
            self.reading.item = f"outputs[{i}]"
            items.append(to_argument(raw, self, i))
        values = tuple(produced[i.node] if isinstance(i, Ref) else constant_value(i) for i in items)
        single = self.graph.is_single_tensor_return and len(items) == 1
        self.add(
            Node(
                name=self.new_name("output"),
                op="output",
                target="output",
                args=(items[0],) if single else (Seq("tuple", tuple(items)),),
                value=values[0] if single else ContainerValue("tuple", values),
            )
        )


def value_name(raw: Raw, reading: Reading) -> str | None:
    """Return the name of the value that a union stands for; `None` if it is a constant or of an unknown kind."""
    name = tensor_name(raw)
    if name is not None:
        return name
    try:
        return _value_name(raw, reading)
    except ArchiveError as error:
        reading.tolerate(error)
        return None


def _value_name(raw: Raw, reading: Reading) -> str | None:
    member, value = union(raw, reading)
    if member == "as_tensor":
        return decode(value, schema.Named, reading, f".{member}").name
    if member == "as_custom_obj":
        return decode(value, schema.CustomObj, reading, f".{member}").name
    if member in ("as_sym_int", "as_sym_float", "as_sym_bool"):
        return decode(value, schema.SymArgument, reading, f".{member}").as_name
    if member == "as_optional_tensor":
        tensor = decode(value, schema.OptionalTensor, reading, f".{member}").as_tensor
        return None if tensor is None else tensor.name
    return None


def constant_value(argument: Argument) -> Value:
    """Describe a constant that stands where a value is expected."""
    if argument is None or isinstance(argument, bool | int | float | complex | str):
        return ConstValue(argument)
    return OpaqueValue(type(argument).__name__, argument_text(argument))
