"""From a graph to its table: keys, operands, users, and what can be noticed."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping

from graphlens.diff.effects import Behaviour, behaviour
from graphlens.diff.search.intern import Interner
from graphlens.diff.search.keys import NO_SHAPE, Shape, outline, shape_for
from graphlens.diff.search.table import GETITEM, SLOT_BITS, Labels, Table, full_key, told_in_words
from graphlens.program.argument import Ref
from graphlens.program.graph import Graph, Node
from graphlens.program.value import TensorValue


class Calls:
    """What calls of one function have in common, and their keys so far by the outline of their arguments.

    `refs` says that all arguments of all calls so far are nodes.
    """

    __slots__ = ("commutative", "keys", "picks", "pure", "refs", "shape")

    def __init__(self, shape: Shape, *, picks: bool) -> None:
        self.shape, self.picks = shape, picks
        self.commutative, self.pure = shape.commutative, shape.pure
        self.refs = True
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
    index, twin, commutative, effect = table.index, table.twin, table.commutative, table.effect
    picked: dict[tuple[int, int], int] = {}
    known: dict[tuple[str, str], Calls] = {}
    add_key, add_operands = table.key.append, table.operands.append
    for i, node in enumerate(graph.nodes):
        if spoken or node.op != "call_function" or node.kwargs or node.subgraphs:
            names: list[str] = []
            add_key(_unusual(table, i, names, intern, does))
            add_operands(_indices(index, names, twin))
            continue
        function = (node.target, node.code)
        calls = known.get(function)
        if calls is None:
            calls = known[function] = Calls(shape_for(node.target, schemas), picks=node.target == GETITEM)
        args, operands = node.args, None
        if calls.refs:
            try:
                operands = [index[argument.node] for argument in args]  # type: ignore[union-attr]
                outlined: tuple[Hashable, ...] = (Ref,) * len(args)
            except (AttributeError, KeyError):
                calls.refs = False
        if operands is None:
            names = []
            outlined = tuple(outline(args, names, symbol))
            operands = _indices(index, names, {})
        key = calls.keys.get(outlined)
        if key is None:
            key = calls.keys[outlined] = full_key(table, node, calls.shape, [], intern)
        add_key(key)
        if twin:
            operands = [twin.get(p, p) for p in operands]
        add_operands(operands)
        if calls.commutative:
            commutative[i] = _unordered(node)
        if not calls.pure:
            effect[i] = not behaviour(node, schemas, None).pure
        elif calls.picks and len(operands) == 1:
            _pick(graph, i, operands[0], picked, twin)
    _link(table)
    return table


def _indices(index: Mapping[str, int], names: list[str], twin: Mapping[int, int]) -> list[int]:
    """Return the numbers of nodes by name, without those that are not there."""
    found = [index[name] for name in names if name in index]
    return [twin.get(p, p) for p in found] if twin else found


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


def _pick(graph: Graph, i: int, source: int, picked: dict[tuple[int, int], int], twin: dict[int, int]) -> None:
    """Note a getitem that picks the same item of the same container as an earlier one."""
    args = graph.nodes[i].args
    if len(args) == 2 and type(args[1]) is int:
        first = picked.setdefault((source, args[1]), i)
        if first != i and not isinstance(graph.nodes[source].value, TensorValue):
            twin[i] = first


def _unordered(node: Node) -> bool:
    alpha = node.kwargs.get("alpha", 1) if node.kwargs else 1
    return alpha == 1 and len(node.args) == 2 and isinstance(node.args[0], Ref) and isinstance(node.args[1], Ref)


def _link(table: Table) -> None:
    """Fill users and liveness from the operands."""
    users, commutative, twin, effect = table.users, table.commutative, table.twin, table.effect
    for i, operands in enumerate(table.operands):
        use = i << SLOT_BITS
        if len(operands) == 1 and not twin:
            users[operands[0]].append(use)
        elif i not in twin:
            step = not commutative[i]
            for p in operands:
                users[p].append(use)
                use += step
    live = bytearray(b"\1" * len(table))
    uses = {i: 0 for i, found in enumerate(users) if not found and not effect[i]}
    dead = list(uses)
    while dead:
        i = dead.pop()
        live[i] = 0
        for p in table.operands[i] if i not in twin else ():
            uses[p] = uses.get(p, len(users[p])) - 1
            if not uses[p] and not effect[p]:
                dead.append(p)
    table.live = live
