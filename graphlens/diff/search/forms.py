"""What a pocket is, apart from where it lies: all that its search goes by, in an order that its structure alone gives."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from graphlens.diff.search.evidence import holds_graph, storage, through
from graphlens.diff.search.intern import Interner
from graphlens.diff.search.match import ANYWHERE, Homes, Match
from graphlens.diff.search.pockets import Pocket
from graphlens.diff.search.similar import Modules, source
from graphlens.diff.search.table import SLOT_BITS, SLOT_MASK, Table
from graphlens.program.graph import Node
from graphlens.program.value import TensorValue

_WIDE = 16
_OPERAND, _THROUGH, _STORAGE, _MODULE, _HOME, _NAME, _KEY = range(7)
_KINDS = 14


class Form(NamedTuple):
    """A pocket with its nodes in the order of its form. Two pockets of one form are equal node by node."""

    pocket: Pocket
    form: Hashable
    border: frozenset[int]
    """The matched nodes of `a` around it."""


class Forms:
    """Finds the forms of pockets. Numbers in them stand for equal things, not for equal hashes."""

    def __init__(self, match: Match, modules: Modules, homes: Homes) -> None:
        self.match, self.modules, self.homes = match, modules, homes
        self.intern = Interner()
        self.uses: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.sources: dict[str | None, str] = {}

    def __call__(self, pocket: Pocket) -> Form | None:
        """Return the form of a pocket, `None` if it holds nodes that their places in it do not tell apart."""
        sketch = _Sketch(self, pocket)
        looks = [self.intern(frozenset(part)) for part in sketch.parts]
        order = self._order(looks, sketch.edges)
        if order is None:
            return None
        place = {vertex: at for at, vertex in enumerate(order)}
        edges = (tuple(sorted((kind, place[w]) for kind, w in sketch.edges[v])) for v in order)
        form = tuple(zip((looks[v] for v in order), edges, strict=True))
        nodes = [sketch.inside[v] for v in order if v < len(sketch.inside)]
        border = frozenset(key for key in sketch.vertices if isinstance(key, int))
        return Form(Pocket([i for side, i in nodes if not side], [j for side, j in nodes if side]), form, border)

    def _order(self, looks: list[int], edges: list[list[tuple[int, int]]]) -> list[int] | None:
        """Tell vertices apart by their surroundings, and by those of their surroundings (Weisfeiler and Leman)."""
        colors = looks
        before, count = 0, len(set(colors))
        while before < count < len(colors):
            near = (sorted((kind, colors[w]) for kind, w in each) for each in edges)
            colors = [self.intern((color, *each)) for color, each in zip(colors, near, strict=True)]
            before, count = count, len(set(colors))
        return sorted(range(len(colors)), key=colors.__getitem__) if count == len(colors) else None

    def source(self, node: Node) -> str:
        """Return the user's own line that a node was made for, each trace read once."""
        trace = node.stack_trace
        if trace not in self.sources:
            self.sources[trace] = source(node)
        return self.sources[trace]

    def uses_of(self, side: int, table: Table, i: int) -> int:
        """Number the uses of a matched node by key and slot: they say whether a place is taken once."""
        known = self.uses[side].get(i)
        if known is None:
            uses = sorted((table.key[use >> SLOT_BITS], use & SLOT_MASK) for use in table.users[i])
            known = self.uses[side][i] = self.intern(tuple(uses))
        return known


class _Sketch:
    """A pocket and its border as a graph of its own, in which two partners are one vertex; first the nodes inside."""

    def __init__(self, forms: Forms, pocket: Pocket) -> None:
        match = forms.match
        self.forms, self.match = forms, match
        self.tables, self.mates = (match.a, match.b), (match.mate_a, match.mate_b)
        self.inside = [(side, i) for side in (0, 1) for i in pocket[side]]
        self.parts: list[set[Hashable]] = []
        self.edges: list[list[tuple[int, int]]] = []
        self.vertices: dict[Hashable, int] = {}
        self.shown_users: set[tuple[int, int]] = set()
        self.shown_operands: set[tuple[int, int]] = set()
        self.keys = {self.tables[side].key[i] for side, i in self.inside}
        for side, i in self.inside:
            self._vertex(side, i)
        for side, i in self.inside:
            self._look(side, i)
            self._operands(side, i)
            self._users(side, i)
        for side, nodes in enumerate(pocket):
            effects = [i for i in nodes if self.tables[side].effect[i]]
            for at, i in enumerate(effects):
                self._vertex(side, i, ("effect", at))
        self._names(pocket)

    def _vertex(self, side: int, i: int, *parts: Hashable) -> int:
        """Return the vertex of a node, for a matched one that of the pair, and add to what it looks like."""
        mate = self.mates[side][i]
        return self._place((side, i) if mate < 0 else mate if side else i, (side, mate) if mate < 0 else "pair", *parts)

    def _place(self, key: Hashable, *parts: Hashable) -> int:
        vertex = self.vertices.setdefault(key, len(self.parts))
        if vertex == len(self.parts):
            self.parts.append(set())
            self.edges.append([])
        self.parts[vertex].update(parts)
        return vertex

    def _edge(self, vertex: int, other: int, kind: int, side: int = 0, slot: int = 0) -> None:
        label = (slot * 2 + side) * _KINDS + kind * 2
        self.edges[vertex].append((label, other))
        self.edges[other].append((label + 1, vertex))

    def _look(self, side: int, i: int) -> None:
        """Say what a node inside is by itself, and in which modules."""
        table, forms = self.tables[side], self.forms
        node = table.nodes[i]
        called = node.op.startswith("call_")
        labels = (node.target,) if called else (table.labels.get(node.name), table.weak_labels.get(node.name))
        look = (side, node.op, table.key[i], table.live[i], forms.source(node), _value(node), *labels)
        vertex = self._vertex(side, i, look)
        for kind, numbers in ((_MODULE, forms.modules[side]), (_HOME, forms.homes[side])):
            if numbers[i] != ANYWHERE:
                self._edge(vertex, self._place((kind, "module", numbers[i]), kind), kind, side)

    def _operands(self, side: int, i: int) -> None:
        """Add what a node inside uses, and what that hands on."""
        table = self.tables[side]
        vertex = self.vertices[side, i]
        step = not table.commutative[i]
        for slot, p in enumerate(table.operands[i]):
            self._edge(vertex, self._operand(side, p), _OPERAND, side, slot * step)
            for kind, source_of in ((_THROUGH, through), (_STORAGE, storage)):
                far = source_of(table, p)
                if far != p:
                    self._edge(vertex, self._vertex(side, far), kind, side, slot * step)

    def _operand(self, side: int, p: int) -> int:
        vertex = self.vertices.get((side, p), len(self.inside))
        if vertex < len(self.inside):
            return vertex
        table = self.tables[side]
        own = table.nodes[p].op == "placeholder" and self.match.how[p if not side else self.mates[1][p]] == "signature"
        uses, key = self.forms.uses_of(side, table, p), table.key[p]
        vertex = self._vertex(side, p, ("used", side, uses, own, holds_graph(table, p)))
        if (side, p) not in self.shown_operands:
            self.shown_operands.add((side, p))
            self._edge(vertex, self._place((_KEY, "key", key), key if key in self.keys else "key"), _KEY, side)
        return vertex

    def _users(self, side: int, i: int) -> None:
        """Add what uses a node inside from outside, with all that goes into it."""
        table = self.tables[side]
        for use in table.users[i]:
            user = use >> SLOT_BITS
            if self.vertices.get((side, user), len(self.inside)) < len(self.inside):
                continue
            wide = len(table.operands[user]) > _WIDE
            look = (side, table.key[user], table.live[user], table.commutative[user], len(table.operands[user]))
            vertex = self._vertex(side, user, ("uses", *look))
            if wide:
                self._edge(vertex, self.vertices[side, i], _OPERAND, side, use & SLOT_MASK)
            elif (side, user) not in self.shown_users:
                self.shown_users.add((side, user))
                step = not table.commutative[user]
                for slot, p in enumerate(table.operands[user]):
                    self._edge(vertex, self._vertex(side, p), _OPERAND, side, slot * step)

    def _names(self, pocket: Pocket) -> None:
        nodes = self.match.a.nodes, self.match.b.nodes
        names = {nodes[1][j].name: j for j in pocket.b}
        for i in pocket.a:
            j = names.get(nodes[0][i].name, -1)
            if j >= 0:
                self._edge(self.vertices[0, i], self.vertices[1, j], _NAME)


def _value(node: Node) -> Hashable:
    value = node.value
    return (value.dtype, value.shape) if isinstance(value, TensorValue) else type(value).__name__
