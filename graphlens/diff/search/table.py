"""One graph as arrays of small integers: what the search works on."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING

from graphlens.diff.search.intern import Interner
from graphlens.diff.search.keys import BARE, NO_SHAPE, Shape, by_body, literals, mask, shape_for
from graphlens.diff.search.spoken import Told, spoken_key, weaker
from graphlens.program.graph import Graph, Node
from graphlens.program.value import Value

if TYPE_CHECKING:
    from graphlens.diff.search.colors import Forms
    from graphlens.diff.search.flat import Flat

SLOT_BITS = 24
SLOT_MASK = (1 << SLOT_BITS) - 1
"""A use is one number: the user, shifted by `SLOT_BITS`, plus the slot of the operand."""
GETITEM = "_operator.getitem"
Labels = tuple[Mapping[str, Hashable], Mapping[str, Hashable]]


class Table:
    """One graph, indexed.

    `operands[i]` are the indices of what node `i` uses, by slot; `users[i]` its uses (see `SLOT_BITS`); `key[i]` its full
    match key; `effect[i]` whether dropping it could be noticed; `live[i]` whether anything that can be noticed depends on
    it; `commutative[i]` whether its operands are matched in any order. `twin` maps a later getitem of the same item to the
    first one, which stands for it. `labels` tells nodes without operands apart (the structure of a nested graph, the value
    of a constant), `weak_labels` does so when values may differ. `spoken` says that keys tell nothing of the dialect of a call.
    """

    __slots__ = (
        "commutative", "effect", "flat", "forms", "graph", "index", "key", "labels", "live", "nodes", "operands", "schemas", "spoken", "symbol",
        "twin", "users", "weak_labels",
    )  # fmt: skip

    def __init__(
        self,
        graph: Graph,
        symbol: Callable[[str], str],
        schemas: Mapping[str, str],
        labels: Labels,
        *,
        spoken: bool = False,
    ) -> None:
        count = len(graph.nodes)
        self.graph, self.nodes = graph, graph.nodes
        self.index = graph.index
        self.symbol, self.schemas = symbol, schemas
        self.labels, self.weak_labels = labels
        self.spoken = spoken
        self.key = [0] * count
        self.operands: list[list[int]] = [[]] * count
        self.users: list[list[int]] = []
        self.effect, self.live, self.commutative = bytearray(count), bytearray(count), bytearray(count)
        self.twin: dict[int, int] = {}
        self.flat: Flat | None = None
        self.forms: Forms | None = None

    def __len__(self) -> int:
        return len(self.nodes)

    def of(self, op: str) -> list[int]:
        """Return the nodes of an op that is no `call_function`."""
        index = self.index
        return [index[node.name] for node in self.graph.by_op.get(op, ())]

    def callers(self) -> list[int]:
        """Return the nodes that hold nested graphs."""
        return [self.index[node.name] for node in self.graph.callers]

    def value_of(self, name: str) -> Value | None:
        """Return the recorded value of a node."""
        i = self.index.get(name)
        return None if i is None else self.nodes[i].value


def full_key(table: Table, node: Node, shape: Shape, names: list[str], intern: Interner) -> int:
    """Number the full match key of a node; the names of its operands go to `names`."""
    given = node.args or node.kwargs
    found = literals(node.args, node.kwargs, shape, names, table.symbol) if given else []
    if node.op != "call_function":
        return intern(((node.op, _label(node, table.labels)), *found))
    if node.subgraphs:
        found = by_body(node.target, found, _held(names, table.labels))
    return intern(((node.target, node.code) if node.code else node.target, *found))


def told_in_words(table: Table, node: Node, names: list[str]) -> Told | None:
    """Return what a call does without its dialect; the names of its operands go to `names`."""
    return spoken_key(node, table.schemas, table.value_of, table.symbol, names)


def _held(names: list[str], labels: Mapping[str, Hashable]) -> Hashable:
    """What the nested graphs among the operands compute."""
    found = (labels.get(name) for name in names)
    return tuple(label for label in found if isinstance(label, tuple) and label[0] == "graph")


def _label(node: Node, labels: Mapping[str, Hashable]) -> Hashable:
    if node.op in ("get_attr", "placeholder"):
        return labels.get(node.name, node.op)
    if node.op == "call_module":
        return node.target, node.code
    return node.target if node.op == "call_method" else node.op


def weaker_key(table: Table, i: int, rung: int, intern: Interner) -> int:
    """Return the match key of a node on a weaker rung of the ladder."""
    node = table.nodes[i]
    call = node.op == "call_function"
    shape = shape_for(node.target, table.schemas) if call else NO_SHAPE
    names: list[str] = []
    told = told_in_words(table, node, names) if table.spoken else None
    if told is not None:
        return intern((rung, told[0], *weaker(told[1], sizes_only=rung != BARE)))
    found = literals(node.args, node.kwargs, shape, names, table.symbol)
    if call:
        found = by_body(node.target, found, _held(names, table.labels)) if node.subgraphs else found
        return intern((rung, node.target, *mask(found, shape, rung)))
    labels = table.weak_labels if rung == BARE else table.labels
    label = _label(node, labels) if node.op != "call_module" else node.target
    return intern((rung, node.op, label, *mask(found, shape, rung)))


def kind_of(table: Table, i: int) -> str:
    """Return the op of a node; across dialects a method and a function are one kind."""
    op = table.nodes[i].op
    return "call_function" if table.spoken and op == "call_method" else op
