"""One assignment of nodes that evidence cannot tell apart, for the checker to try: of what they use, or of what uses them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from graphlens.diff.alignment import GraphAlignment
from graphlens.diff.commute import COMMUTATIVE
from graphlens.program.argument import Ref, leaves
from graphlens.program.graph import Graph, Node

Names = Mapping[str, str]
Classes = Mapping[str, int]


@dataclass(frozen=True)
class Side:
    """One graph, the class of each of its undecided nodes, and what the matched ones are called in common."""

    graph: Graph
    classes: Classes
    common: Names

    def order(self, *, upwards: bool) -> list[Node]:
        """Return the undecided nodes, each after those that its place is told by."""
        nodes = self.graph.nodes if upwards else reversed(self.graph.nodes)
        return [node for node in nodes if node.name in self.classes]

    def near(self, node: Node, chosen: Names, told: Mapping[str, object], *, upwards: bool) -> tuple[object, ...]:
        """Write down what a node uses, or what uses it: by the choice made for it, else by what is known of it."""
        found: list[object] = []
        if upwards:
            found = [self._name(name, chosen, told) for name in _operands(node)]
            return tuple(sorted(found, key=repr)) if node.target in COMMUTATIVE else tuple(found)
        for user in dict.fromkeys(self.graph.users.get(node.name, ())):
            call = self.graph[user]
            slots = tuple(i for i, name in enumerate(_operands(call)) if name == node.name)
            found.append((self._name(user, chosen, told), () if call.target in COMMUTATIVE else slots))
        return tuple(sorted(found, key=repr))

    def _name(self, name: str, chosen: Names, told: Mapping[str, object]) -> object:
        return chosen.get(name) or self.common.get(name) or told.get(name) or ("class", self.classes.get(name, -1))


def _operands(node: Node) -> list[str]:
    arguments = (*node.args, *node.kwargs.values())
    return [leaf.node for argument in arguments for leaf in leaves(argument) if isinstance(leaf, Ref)]


def sides(match: GraphAlignment, a: Graph, b: Graph) -> tuple[Side, Side]:
    """Return both graphs with their undecided nodes; what is matched has one name in common."""
    ours = {name: i for i, entry in enumerate(match.ambiguous) for name in entry.a}
    theirs = {name: i for i, entry in enumerate(match.ambiguous) for name in entry.b}
    common = [(pair, f"={i}") for i, pair in enumerate(match.pairs)]
    return (
        Side(a, ours, {pair.a: name for pair, name in common}),
        Side(b, theirs, {pair.b: name for pair, name in common}),
    )


def assign(a: Side, b: Side, *, upwards: bool) -> dict[str, str]:
    """Choose a partner for each undecided node of `a`, as long as there are any of its class.

    Those with equal operands (users, if not `upwards`) come first, among them those with equal users, then those of one name.
    """
    numbers: dict[object, int] = {}
    far_a, far_b = (_numbered(side, numbers, upwards=not upwards) for side in (a, b))
    waiting: dict[object, dict[str, None]] = defaultdict(dict)
    own = {name: name for name in b.classes}
    theirs = b.order(upwards=upwards)
    places: dict[str, tuple[object, ...]] = {}
    for node in theirs:
        places[node.name] = _places(b, node, own, far_b, upwards=upwards)
        for place in places[node.name]:
            waiting[place][node.name] = None
    chosen: dict[str, str] = {}
    for node in a.order(upwards=upwards):
        for place in _places(a, node, chosen, far_a, upwards=upwards):
            found = waiting.get(place)
            if found:
                mate = node.name if node.name in found else next(iter(found))
                chosen[node.name] = mate
                for taken in places[mate]:
                    waiting[taken].pop(mate)
                break
    return chosen


def _places(
    side: Side, node: Node, chosen: Names, far: Mapping[str, object], *, upwards: bool
) -> tuple[object, object, object]:
    own = side.classes[node.name]
    near = side.near(node, chosen, {}, upwards=upwards)
    return (own, near, far[node.name]), (own, near), (own,)


def _numbered(side: Side, numbers: dict[object, int], *, upwards: bool) -> dict[str, object]:
    """Number the undecided nodes of both sides alike by all that is above them, or below."""
    told: dict[str, object] = {}
    for node in side.order(upwards=upwards):
        key = side.classes[node.name], side.near(node, {}, told, upwards=upwards)
        told[node.name] = ("number", numbers.setdefault(key, len(numbers)))
    return told
