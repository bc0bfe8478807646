"""Nodes without a partner that compute once more what another node computes: common subexpressions, merged on one side only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from graphlens.diff.check.live import Facts, epochs
from graphlens.diff.check.storage import Sources, Storages
from graphlens.diff.effects import PURE, hands_on_first
from graphlens.program.argument import Argument, Const, Map, Opaque, Ref, Seq, Slice, children, literal_text
from graphlens.program.graph import Node
from graphlens.program.value import SymValue, TensorValue, Value

DUPLICATES = "merged duplicates"
_Groups = Mapping[str, frozenset[str]]
_NONE: _Groups = {}


class Merged:
    """What is computed twice on one side of a pair of graphs, and perhaps once on the other.

    Only what is exact: the same operator on the same operands, nothing that it reads is ever written, it draws nothing,
    its result is not written, and at most one result of the graph holds its storage, so that nobody can tell one tensor from
    two. Views are repeatable too: of one tensor they are the same elements.
    """

    def __init__(self, sources: Sources) -> None:
        self.mate = sources.mate
        self.groups: tuple[_Groups, _Groups] = (_NONE, _NONE)
        if all(len(facts.graph.nodes) == len(self.mate) for facts in sources.facts):
            return
        paired = frozenset(self.mate), frozenset(self.mate.values())
        lone = [_lone(facts, names) for facts, names in zip(sources.facts, paired, strict=True)]
        if any(lone):
            sides = zip(sources.facts, lone, paired, sources.storages(passed=True), strict=True)
            ours, theirs = (_groups(*side) for side in sides)
            self.groups = (ours, theirs)

    def duplicate(self, name: str, *, side: str) -> bool:
        """Whether a node without a partner computes what a node with one computes."""
        return name in self.groups[side == "b"]

    def same(self, x: str, y: str) -> bool:
        """Whether a node of `a` and one of `b` compute the same, at least one of them once more."""
        ours, theirs = self.groups
        if x not in ours and y not in theirs:
            return False
        images = {self.mate[name] for name in ours.get(x, (x,)) if name in self.mate}
        return not images.isdisjoint(theirs.get(y, (y,)))


def _lone(facts: Facts, paired: frozenset[str]) -> list[Node]:
    return [n for n in facts.graph.nodes if n.name not in paired and n.name in facts.live and _repeatable(n, facts)]


def _groups(facts: Facts, lone: list[Node], paired: frozenset[str], storages: Storages) -> _Groups:
    """Map every node of a class of duplicates, some with and some without a partner, to those of the class that have one."""
    if not lone:
        return _NONE
    targets = {node.target for node in lone}
    output = facts.graph.output
    results = output.inputs if output is not None else ()
    returned = Counter(storages.root(name) for name in results if name in facts.nodes)
    leader: dict[str, str] = {}
    states = epochs(facts)
    classes: dict[object, list[str]] = {}
    for node in facts.graph.nodes:
        if node.target not in targets or node.name not in facts.live:
            continue  # a dead pair may disagree
        if _repeatable(node, facts) and _unseen(node, storages):
            key = _key(node, leader)
            if key is not None:
                key = (key, states.get(node.name, 0))
                members = classes.setdefault(key, [])
                members.append(node.name)
                leader[node.name] = members[0]
    found: dict[str, frozenset[str]] = {}
    for members in classes.values():
        partners = paired.intersection(members)
        if (
            partners
            and len(partners) < len(members)
            and (_one_object(facts.nodes[members[0]]) or sum(returned[root] for root in storages.roots(members)) <= 1)
        ):
            found |= dict.fromkeys(members, partners)
    return found


def _repeatable(node: Node, facts: Facts) -> bool:
    """Whether doing it twice gives the same twice. Memory that is not initialised holds anything."""
    if node.op == "get_attr":
        return node.name not in facts.bodies
    if node.op != "call_function" or node.subgraphs or "empty" in node.target:
        return False
    does = facts.does.get(node.name, PURE)
    return does is PURE or (does.pure and (isinstance(node.value, SymValue) or hands_on_first(node.target)))


def _one_object(node: Node) -> bool:
    """Whether it is the same object, or an immutable one, however often it is asked for."""
    return node.op == "get_attr" or isinstance(node.value, SymValue)


def _unseen(node: Node, storages: Storages) -> bool:
    """Whether nothing is written that would tell one of it from two."""
    return (
        not storages.written
        or _one_object(node)
        or storages.written.isdisjoint(storages.roots((node.name, *node.inputs)))
    )


def _key(node: Node, leader: Mapping[str, str]) -> object | None:
    """Write down what a node computes, exactly; `None` where an argument cannot be."""
    parts: list[object] = [node.op, node.target, *node.kwargs, _facets(node.value)]
    stack: list[Argument] = [*node.args, *node.kwargs.values()]
    while stack:
        top = stack.pop()
        if isinstance(top, Opaque):
            return None
        if isinstance(top, Ref):
            parts.append(("ref", leader.get(top.node, top.node)))
        elif isinstance(top, Const):
            parts.append((top.kind, top.text))
        elif isinstance(top, Seq | Map | Slice):
            inner = children(top)
            parts.append((type(top).__name__, top.kind if isinstance(top, Seq) else "", len(inner)))
            stack.extend(inner)
        else:
            parts.append((type(top), literal_text(top)))
    return tuple(parts)


def _facets(value: Value | None) -> object:
    if isinstance(value, TensorValue):
        return (
            value.shape,
            value.dtype,
            value.stride,
            value.storage_offset,
            value.device,
            value.layout,
            value.conj,
            value.neg,
        )
    return value
