"""Steps that hand their first operand on: the value after them is the value before them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from graphlens.diff.check.live import Facts
from graphlens.diff.effects import behaviour
from graphlens.diff.layout import Readers, moves, packet, read_by_place, readers_of_places
from graphlens.diff.matching import Agreement, GraphMatch, Matching
from graphlens.diff.told import as_recorded
from graphlens.program.argument import Ref
from graphlens.program.graph import Graph, Node
from graphlens.program.value import TensorValue

_PRESERVING = {
    "aten.alias", "aten.alias_copy", "aten.clone", "aten.contiguous", "aten.detach", "aten.detach_", "aten.detach_copy", "aten.lift_fresh",
    "aten.lift_fresh_copy", "aten.to", "aten._to_copy", "aten.type_as", "aten.view_as", "aten.expand", "aten.view",
    "aten.reshape",
}  # fmt: skip
"""Hand their first operand on unchanged where shape, dtype and device stay what they were."""

_DROPOUTS = {"aten.dropout", "aten.feature_dropout", "aten.alpha_dropout", "aten.feature_alpha_dropout"}
"""Return their input itself where they draw nothing: outside training, and with a probability of 0."""

_RESHAPING = {
    "aten.view", "aten.reshape", "aten._unsafe_view", "aten.view_copy", "aten.flatten", "aten.unflatten", "aten.squeeze",
    "aten.unsqueeze",
}  # fmt: skip
"""Keep all elements in their order, in another shape."""

_LONGEST = 64


def hands_on(node: Node, graph: Graph) -> bool:
    """Whether a node's value is its first operand's value."""
    name = packet(node)
    if name not in _PRESERVING and not (name in _DROPOUTS and not behaviour(node, {}).effects):
        return False
    if not node.args or not isinstance(node.args[0], Ref):
        return False
    source = graph[node.args[0].node].value if node.args[0].node in graph else None
    value = node.value
    if not isinstance(value, TensorValue) or not isinstance(source, TensorValue) or not as_recorded(node, {}):
        return False
    made = value.shape, value.dtype, value.device
    return made == (source.shape, source.dtype, source.device) and _like(node, graph, value)


def _like(node: Node, graph: Graph, value: TensorValue) -> bool:
    """Whether a second tensor that a call is given, to make its result like that, is like what is recorded of the result."""
    other = node.args[1] if len(node.args) > 1 else next(iter(node.kwargs.values()), None)
    like = graph[other.node].value if isinstance(other, Ref) and other.node in graph else None
    if not isinstance(like, TensorValue):
        return True
    return like.shape == value.shape if packet(node) == "aten.view_as" else like.dtype == value.dtype


def reshaped_again(node: Node, graph: Graph) -> bool:
    """Whether whoever uses a node's elements takes them in their order, in whatever shape."""
    users = [graph[user] for user in graph.users[node.name]]
    return (
        bool(users) and all(_keeps_order(each) and each.inputs == (node.name,) for each in users) and _keeps_order(node)
    )


def _keeps_order(node: Node) -> bool:
    return node.op in ("call_function", "call_method") and packet(node) in _RESHAPING


@dataclass(frozen=True)
class HandedOn:
    """Knows which nodes hold one value because steps between them hand it on, and nobody writes to any of them."""

    matching: Matching
    _known: dict[tuple[int, str], frozenset[str]] = field(default_factory=dict)
    _placed: dict[tuple[int, str], frozenset[str]] = field(default_factory=dict)
    _readers: dict[int, Readers] = field(default_factory=dict)

    def written(self, side: int, path: str) -> frozenset[str]:
        """Return the nodes that may share storage with one that is written to."""
        found = self._known.get((side, path))
        if found is None:
            found = self._known[side, path] = _storage_of_writes(self.matching.facts[side][path])
        return found

    def preserves(self, side: int, path: str, graph: Graph, node: Node) -> bool:
        """Whether a node's value stands for its first operand's wherever that is read."""
        if not (hands_on(node, graph) or reshaped_again(node, graph)):
            return False
        return not moves(node) or not self.read_by_place(side, path, node.name)

    def read_by_place(self, side: int, path: str, name: str) -> bool:
        """Whether it matters for a result where the elements of a node's value lie."""
        found = self._placed.get((side, path))
        if found is None:
            program = self.matching.b if side else self.matching.a
            if side not in self._readers:
                self._readers[side] = readers_of_places(program)
            found = self._placed[side, path] = read_by_place(program, path, self._readers[side])
        return name in found

    def either_read_by_place(self, match: GraphMatch, a: Node, b: Node) -> bool:
        """Whether that matters of either of two nodes that are a pair."""
        return self.read_by_place(0, match.path_a, a.name) or self.read_by_place(1, match.path_b, b.name)

    def same(self, match: GraphMatch, a: str, b: str, readers: tuple[str, str] = ("", "")) -> bool:
        """Whether two nodes that are no pair hold the value of a pair (or of one group), before or after such steps.

        What is written to holds it where `readers` read it, if they are named.
        """
        ours = list(self._back(0, match.path_a, match.a, a))
        theirs = list(self._back(1, match.path_b, match.b, b))
        if any(match.refer(x, y)[0] is Agreement.SAME for x in ours for y in theirs):
            return True
        write = self._written_once(0, match.path_a, match.a, a, readers[0])
        return write != "" and match.forward.get(write) == self._written_once(1, match.path_b, match.b, b, readers[1])

    def _written_once(self, side: int, path: str, graph: Graph, name: str, reader: str) -> str:
        """Name the write after which a node is read, be it by its own name or by that of what is written to.

        Nothing else writes to that storage.
        """
        if name not in self.written(side, path) or reader not in graph:
            return ""
        facts = self.matching.facts[side][path]
        storage = _reached([name], _neighbours(facts))
        writers = [writer for writer, does in facts.does.items() if storage & {*does.writes}]
        if len(writers) != 1 or name not in (writers[0], *facts.does[writers[0]].writes):
            return ""
        return writers[0] if graph.index[writers[0]] < graph.index[reader] else ""

    def _back(self, side: int, path: str, graph: Graph, name: str) -> Iterator[str]:
        written = self.written(side, path) if path in self.matching.facts[side] else frozenset()
        for _ in range(_LONGEST):
            if name in written or name not in graph:
                return
            yield name
            if not self.preserves(side, path, graph, graph[name]):
                return
            name = graph[name].args[0].node  # type: ignore[union-attr]


def _storage_of_writes(facts: Facts) -> frozenset[str]:
    return _reached([name for does in facts.does.values() for name in does.writes], _neighbours(facts))


def _neighbours(facts: Facts) -> dict[str, set[str]]:
    """Say of each node with which others it may share storage."""
    near: dict[str, set[str]] = {}
    for name, does in facts.does.items():
        for other in does.shares:
            near.setdefault(name, set()).add(other)
            near.setdefault(other, set()).add(name)
    return near


def _reached(names: list[str], near: dict[str, set[str]]) -> frozenset[str]:
    stack, found = list(names), set(names)
    while stack:
        fresh = near.get(stack.pop(), set()) - found
        found |= fresh
        stack.extend(fresh)
    return frozenset(found)
