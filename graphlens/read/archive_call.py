"""The calls of a graph: their arguments by kind, their results as `getitem` nodes, their nested graphs."""

from __future__ import annotations

import keyword
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec import Raw

from graphlens.program.argument import Argument, Ref
from graphlens.program.frozen import EMPTY, freeze
from graphlens.program.graph import Graph, Node, Subgraph
from graphlens.program.roles import hop_parameters, subgraph_roles, where_text
from graphlens.program.value import ConstValue, ContainerValue, Value
from graphlens.progress import each
from graphlens.read import schema
from graphlens.read.archive_arguments import tensor_name, to_argument, union
from graphlens.read.archive_decode import Reading, decode
from graphlens.read.archive_graph import Builder, Child, Held, constant_value, value_name
from graphlens.read.archive_meta import Metadata
from graphlens.read.archive_names import target_name
from graphlens.read.limits import brief

_POSITIONAL, _KEYWORD = 1, 2
_OPS, _HOPS = "torch.ops.", "torch.ops.higher_order."
_NUMBERS = ("_operator.", "torch.sym_", "math.")
_ITEM = "torch.ops.aten.item.default"
_STACK = "nn_module_stack"
_LISTS = frozenset((
    "as_tensors", "as_optional_tensors", "as_sym_ints", "as_sym_floats", "as_sym_bools", "as_ints", "as_floats",
    "as_bools", "as_strings",
))  # fmt: skip
"""Results that are lists of several."""

Call = tuple[tuple[Argument, ...], Mapping[str, Argument], tuple[str, ...]]
"""Positional arguments, keyword arguments, names of the positional ones where the op has a schema."""


class Converted(NamedTuple):
    """One graph as data, and the nested graphs that are still to be converted."""

    graph: Graph
    children: tuple[Child, ...]


def build_graph(
    graph: schema.Graph, reading: Reading, metadata: Metadata, json_path: str, input_names: Sequence[str]
) -> Converted:
    """Convert one graph.

    Parameters
    ----------
    graph
        The graph as the file has it.
    reading, metadata
        What is shared by all graphs of the program.
    json_path
        Where the graph is in the JSON, for errors and notices.
    input_names
        Names of the signature's inputs, for placeholders that are constants.
    """
    builder = Builder(graph, reading, metadata, json_path)
    reading.graph, reading.node = json_path, -1
    for i, raw in enumerate(graph.inputs):
        reading.item = f"inputs[{i}]"
        builder.placeholder(raw, (input_names[i] if i < len(input_names) else "") or f"arg{i}")
    waiting = graph.nodes
    waiting.reverse()
    count = len(waiting)
    for i in each(range(count), count, "reading"):
        reading.node = i
        _add_call(builder, waiting.pop())  # what was read is let go, so that both forms never stand side by side whole
    reading.node = -1
    builder.output()
    _outside_calls(builder)
    return Converted(Graph(tuple(builder.nodes)), tuple(builder.children))


def _outside_calls(builder: Builder) -> None:
    """Say that a nested graph stands where none belongs: among results."""
    for held in builder.held:
        builder.reading.notice(
            "misplaced graphs", "", f"the graph {brief(held.attribute)} is no argument of a call; it is not read"
        )
    builder.held = []


class Kind(NamedTuple):
    """What a target's text says about it: the target as a Program has it, and how its arguments are written."""

    plain: str
    hop: bool
    numeric: bool
    """A function on symbolic numbers, all of whose arguments are positional."""
    schema_op: bool


def _kind(target: str) -> Kind:
    hop = target.startswith(_HOPS)
    numeric = target.startswith(_NUMBERS) or target == _ITEM
    return Kind(target.removeprefix(_OPS), hop, numeric, not hop and not numeric and target.startswith((_OPS, "#")))


def _add_call(builder: Builder, node: schema.Node) -> None:
    """Add the node of one call, the `get_attr` nodes before it and the `getitem` nodes after it."""
    kinds = builder.reading.kinds
    kind = kinds.get(node.target)
    if kind is None:
        kind = kinds[node.target] = _kind(node.target)
    plain, hop, *_ = kind
    builder.reading.item = ""
    meta = builder.metadata.read(node.metadata)
    builder.inherited = meta if hop else EMPTY
    args, kwargs, names = _arguments(builder, node, kind)
    held: list[Held] = []
    if builder.held:
        held, builder.held = builder.held, held
    name, value, results = _results(builder, node, hop)
    builder.add(
        Node(
            name=name,
            op="call_function",
            target=plain,
            args=args,
            kwargs=kwargs,
            value=value,
            meta=meta if _STACK in meta else freeze({**meta, _STACK: ()}),
            arg_names=names,
            subgraphs=_subgraphs(builder, name, plain, args, held) if held else (),
        )
    )
    for taken, taken_args, taken_value in results:
        builder.add(
            Node(
                name=builder.given_name(taken),
                op="call_function",
                target="_operator.getitem",
                args=taken_args,
                value=taken_value,
                meta=meta,
            )
        )
    if builder.held:
        _outside_calls(builder)


def _arguments(builder: Builder, node: schema.Node, kind: Kind) -> Call:
    reading, numeric, schema_op = builder.reading, kind.numeric, kind.schema_op
    args: list[Argument] = []
    names: list[str] = []
    kwargs: dict[str, Argument] = {}
    for i, given in enumerate(node.inputs):
        reading.item = i
        name = given.name
        if given.kind == _POSITIONAL or numeric or not name or (schema_op and _positional(given, i, node)):
            args.append(to_argument(given.arg, builder, len(args)))
            names.append(name)
        else:
            kwargs[name] = to_argument(given.arg, builder, name)
    reading.item = ""
    told = tuple(names) if schema_op or numeric else hop_parameters(kind.plain)[: len(args)]
    return tuple(args), freeze(kwargs) if kwargs else EMPTY, builder.share(told)


def _positional(given: schema.NamedArgument, index: int, node: schema.Node) -> bool:
    """Whether torch takes an argument positionally that the file does not call positional."""
    if given.kind == _KEYWORD or keyword.iskeyword(given.name):
        return keyword.iskeyword(given.name)
    from graphlens.read.archive_positional import positional_count

    return index < positional_count(node.target.removeprefix(_OPS), len(node.inputs))


def _subgraphs(
    builder: Builder, name: str, target: str, args: tuple[Argument, ...], held: Sequence[Held]
) -> tuple[Subgraph, ...]:
    roles = subgraph_roles(target, args, [part.where for part in held])
    found = list(zip(roles, held, strict=True))
    builder.children += [Child(name, role, part) for role, part in found]
    return tuple(Subgraph(role, where_text(part.where), part.attribute) for role, part in found)


Result = tuple[str, tuple[Argument, ...], Value | None]
"""A `getitem` node: its name, arguments and value."""


def _results(builder: Builder, node: schema.Node, hop: bool) -> tuple[str, Value | None, list[Result]]:
    """Return the name and value of a call, and the `getitem` nodes that must follow it."""
    outputs = node.outputs
    candidate = node.name or target_name(node.target)
    if not outputs:
        return builder.new_name(candidate), None, []
    if len(outputs) > 1:
        return _several(builder, candidate, list(outputs))
    builder.reading.item = "outputs[0]"
    name = tensor_name(outputs[0]) or value_name(outputs[0], builder.reading)
    if name is not None:
        if hop and node.is_hop_single_tensor_return is False:
            return _several(builder, candidate, list(outputs))
        builder.names.note(node.name or name)
        return builder.given_name(name), builder.values.get(name), []
    member, value = union(outputs[0], builder.reading)
    if member == "as_none":
        created = builder.names.create(candidate)
        renamed = f"{target_name(node.target)}_unused"
        name = created if renamed == created else builder.names.create(renamed)
        return builder.given_name(name), ConstValue(None), []
    if member in _LISTS:
        return _several(builder, candidate, _items(builder, member, value))
    constant = constant_value(to_argument(outputs[0], builder, 0))
    return builder.new_name(candidate), constant, []


def _items(builder: Builder, member: str, value: Raw) -> list[Raw]:
    """Return the items of a list of results as unions of their own."""
    single = member[:-1].encode()
    items = decode(value, list[Raw], builder.reading, f".{member}")
    return [Raw(b'{"%s": %s}' % (single, bytes(item))) for item in items]


def _several(builder: Builder, candidate: str, outputs: list[Raw]) -> tuple[str, Value, list[Result]]:
    parent = builder.new_name(candidate)
    results: list[Result] = []
    values: list[Value | None] = []
    for i, raw in enumerate(outputs):
        builder.reading.item = f"outputs[{i}]"
        member, value = union(raw, builder.reading)
        if member in _LISTS:
            name = builder.new_name("getitem")
            position = len(results)
            inner = [_single(builder, name, j, item, results) for j, item in enumerate(_items(builder, member, value))]
            values.append(ContainerValue("list", tuple(inner)))
            results.insert(position, (name, (Ref(parent), i), values[-1]))
        else:
            values.append(_single(builder, parent, i, raw, results))
    return parent, ContainerValue("tuple", tuple(values)), results


def _single(builder: Builder, parent: str, index: int, raw: Raw, results: list[Result]) -> Value | None:
    """Describe one result, and list the `getitem` node that takes it out of its parent."""
    name = value_name(raw, builder.reading)
    value: Value | None
    if name is not None:
        builder.names.note(name)
        value = builder.values.get(name)
    else:
        name, value = builder.new_name("as_none"), constant_value(to_argument(raw, builder, index))
    results.append((name, (Ref(parent), index), value))
    return value
