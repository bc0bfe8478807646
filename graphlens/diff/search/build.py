"""From a graph to its table: keys, operands, users, and what can be noticed."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping

from graphlens.diff.effects import Behaviour, behaviour
from graphlens.diff.search.flat import flat
from graphlens.diff.search.intern import Interner
from graphlens.diff.search.keys import NO_SHAPE, Shape, shape_for, value_key
from graphlens.diff.search.table import GETITEM, SLOT_BITS, Labels, Table, full_key, told_in_words
from graphlens.program.argument import Ref
from graphlens.program.graph import Graph, Node
from graphlens.program.value import TensorValue


class Calls:
    """What calls of one function have in common, and their keys so far by the outline of their arguments."""

    __slots__ = ("commutative", "keys", "marked", "picks", "pure", "shape")

    def __init__(self, shape: Shape, *, picks: bool) -> None:
        self.shape, self.picks = shape, picks
        self.commutative, self.pure = shape.commutative, shape.pure
        self.marked = picks or self.commutative or not self.pure
        self.keys: dict[tuple[Hashable, ...], int] = {}


def build(
    graph: Graph,
    intern: Interner,
    symbol: Callable[[str], str],
    schemas: Mapping[str, str],
    labels: Labels,
    does: Mapping[str, Behaviour],
    *,
    spoken: bool = False,
) -> Table:
    """Index a graph.

    `labels` are full and weak labels of nodes without operands, `does` says what the nested graphs of a call do, all by
    node name. With `spoken`, keys tell nothing of the dialect of a call.
    """
    table = Table(graph, symbol, schemas, labels, spoken=spoken)
    others, picks = _plain_calls(table, intern)
    for i in others:
        names: list[str] = []
        table.key[i] = _unusual(table, i, names, intern, does)
        table.operands[i] = _indices(table.index, names)
    _same_items(table, picks)
    _link(table)
    return table


def _plain_calls(table: Table, intern: Interner) -> tuple[list[int], list[int]]:
    """Fill in keys, operands and behaviour of plain calls; return all other nodes, and the calls that pick an item.

    This is the inner loop of the whole search. Calls with the same outline of arguments, which has `Ref` for every node,
    have one key, which is worked out once.
    """
    symbol, position = table.symbol, table.index.get
    known: dict[tuple[str, str], Calls] = {}
    others: list[int] = []
    picks: list[int] = []
    for i, node in enumerate(table.nodes):
        if table.spoken or node.op != "call_function" or node.kwargs or node.subgraphs:
            others.append(i)
            continue
        function = (node.target, node.code)
        calls = known.get(function)
        if calls is None:
            calls = known[function] = Calls(shape_for(node.target, table.schemas), picks=node.target == GETITEM)
        operands: list[int] = []
        outline: list[Hashable] = []
        for argument in node.args:
            kind = type(argument)
            if kind is Ref:
                outline.append(Ref)
                p = position(argument.node)  # type: ignore[union-attr]
                if p is not None:
                    operands.append(p)
            elif kind is int or kind is float or kind is str or argument is None:
                outline.append(argument)
            else:
                names: list[str] = []
                outline.append(value_key(argument, names, symbol))
                if names:
                    operands += _indices(table.index, names)
        outlined = tuple(outline)
        key = calls.keys.get(outlined)
        if key is None:
            key = calls.keys[outlined] = full_key(table, node, calls.shape, [], intern)
        table.key[i] = key
        table.operands[i] = operands
        if calls.marked:
            _mark(table, i, calls, picks)
    return others, picks


def _mark(table: Table, i: int, calls: Calls, picks: list[int]) -> None:
    """Note of a call what is not so of most."""
    if calls.commutative:
        table.commutative[i] = _unordered(table.nodes[i])
    if not calls.pure:
        table.effect[i] = not behaviour(table.nodes[i], table.schemas, None).pure
    elif calls.picks and len(table.operands[i]) == 1:
        picks.append(i)


def _indices(index: Mapping[str, int], names: list[str]) -> list[int]:
    """Return the numbers of nodes by name, without those that are not there."""
    return [index[name] for name in names if name in index]


def _unusual(table: Table, i: int, names: list[str], intern: Interner, does: Mapping[str, Behaviour]) -> int:
    """Number the key of a node that is no plain call, the names of its operands go to `names`; note what it does."""
    node, schemas = table.nodes[i], table.schemas
    told = told_in_words(table, node, names) if table.spoken else None
    if told is not None:
        table.commutative[i] = told[2]
        table.effect[i] = not behaviour(node, schemas, None, table.value_of).pure
        return intern((told[0], *told[1]))
    if node.op != "call_function":
        table.effect[i] = node.op != "get_attr"
        return full_key(table, node, NO_SHAPE, names, intern)
    shape = shape_for(node.target, schemas)
    table.commutative[i] = shape.commutative and _unordered(node)
    table.effect[i] = (not shape.pure or bool(node.subgraphs)) and not behaviour(
        node, schemas, does.get(node.name)
    ).pure
    return full_key(table, node, shape, names, intern)


def _same_items(table: Table, picks: list[int]) -> None:
    """Let a getitem stand for all later ones that pick the same item of the same container."""
    nodes, twin = table.nodes, table.twin
    picked: dict[tuple[int, int], int] = {}
    for i in picks:
        args = nodes[i].args
        (source,) = table.operands[i]
        source = twin.get(source, source)
        if len(args) == 2 and type(args[1]) is int:
            first = picked.setdefault((source, args[1]), i)
            if first != i and not isinstance(nodes[source].value, TensorValue):
                twin[i] = first
    if twin:
        for operands in table.operands:
            operands[:] = [twin.get(p, p) for p in operands]


def _unordered(node: Node) -> bool:
    alpha = node.kwargs.get("alpha", 1) if node.kwargs else 1
    return alpha == 1 and len(node.args) == 2 and isinstance(node.args[0], Ref) and isinstance(node.args[1], Ref)


def _link(table: Table) -> None:
    """Fill users and liveness from the operands."""
    import numpy as np

    count = len(table)
    edges = flat(table)
    slot = np.arange(len(edges.user)) - edges.start[edges.user]
    slot[np.frombuffer(table.commutative, dtype=np.uint8)[edges.user] == 1] = 0
    order = np.argsort(edges.operand, kind="stable")
    if table.twin:
        order = order[~np.isin(edges.user[order], np.fromiter(table.twin, dtype=np.int64))]
    uses = ((edges.user << SLOT_BITS) + slot)[order].tolist()
    ends = np.cumsum(np.bincount(edges.operand[order], minlength=count)).tolist()
    table.users = [uses[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    table.live = _live(table)


def _live(table: Table) -> bytearray:
    """Return which nodes anything depends on that can be noticed."""
    users, twin, effect = table.users, table.twin, table.effect
    live = bytearray(b"\1" * len(table))
    dead = [i for i, found in enumerate(users) if not found and not effect[i]]
    uses = dict.fromkeys(dead, 0)
    while dead:
        i = dead.pop()
        live[i] = 0
        for p in table.operands[i] if i not in twin else ():
            uses[p] = uses.get(p, len(users[p])) - 1
            if not uses[p] and not effect[p]:
                dead.append(p)
    return live
