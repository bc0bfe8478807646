"""Nodes that compute once more what another node computes: common subexpressions, merged on one side only or read in each other's place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property

from graphlens.diff.check.live import Facts, epochs
from graphlens.diff.check.repeats import one_object, repeatable, unseen, written_down
from graphlens.diff.check.storage import Sources, Storages
from graphlens.diff.check.twins import Twins
from graphlens.program.graph import Node

DUPLICATES = "merged duplicates"
_Groups = Mapping[str, frozenset[str]]
_NONE: _Groups = {}
_MOST_USERS = 24


class Merged:
    """What is computed twice on one side of a pair of graphs, and perhaps once on the other.

    Only what is exact: the same operator on the same operands, nothing that it reads is ever written, it draws nothing,
    its result is not written, and at most one result of the graph holds its storage, so that nobody can tell one tensor from
    two. Views are repeatable too: of one tensor they are the same elements.
    """

    def __init__(self, sources: Sources) -> None:
        self.mate = sources.mate
        self.twins = tuple(Twins(sources, side) for side in (0, 1))
        self.groups: tuple[_Groups, _Groups] = (_NONE, _NONE)
        self._facts = sources.facts
        self._all_paired = all(len(facts.graph.nodes) == len(self.mate) for facts in sources.facts)
        if self._all_paired:
            return
        paired = frozenset(self.mate), frozenset(self.mate.values())
        lone = [_lone(facts, names) for facts, names in zip(sources.facts, paired, strict=True)]
        if any(lone):
            sides = zip(sources.facts, lone, paired, sources.storages(passed=True), strict=True)
            ours, theirs = (_groups(*side) for side in sides)
            self.groups = (ours, theirs)

    def duplicate(self, name: str, *, side: str) -> bool:
        """Whether a node without a partner computes what a node with one computes."""
        return name in self.groups[side == "b"] or self._read_as_another(name, at=int(side == "b"))

    def _read_as_another(self, name: str, *, at: int) -> bool:
        """Whether one that reads a node without a partner reads on the other side what computes the same."""
        if self._all_paired:
            return False
        there, back = (self._back, self.mate) if at else (self.mate, self._back)
        ours, theirs = self._facts[at], self._facts[not at]
        readers = [user for user in ours.graph.users.get(name, ())[:_MOST_USERS] if user in there]
        read = (_read_for(name, ours.nodes[user].inputs, theirs.nodes[there[user]].inputs) for user in readers)
        operands = (back.get(operand) for found in read for operand in found)
        return any(other is not None and self.twins[at].same(name, other) for other in operands)

    def same(self, x: str, y: str) -> bool:
        """Whether a node of `a` and one of `b` compute the same, at least one of them once more."""
        ours, theirs = self.groups
        if x in ours or y in theirs:
            images = {self.mate[name] for name in ours.get(x, (x,)) if name in self.mate}
            return not images.isdisjoint(theirs.get(y, (y,)))
        return False

    def exchanged(self, x: str, y: str) -> bool:
        """Whether a node of `a` and one of `b` compute the same as each other's partners do."""
        mate = self.mate.get(x)
        if mate is not None and self.twins[1].same(mate, y):
            return True
        other = self._back.get(y)
        return other is not None and self.twins[0].same(x, other)

    @cached_property
    def _back(self) -> Mapping[str, str]:
        return {right: left for left, right in self.mate.items()}


def _read_for(name: str, ours: Sequence[str], theirs: Sequence[str]) -> Sequence[str]:
    """Return the operands that may be read instead of one: all of a few, of many (of an output) those in its place."""
    return theirs if len(theirs) <= _MOST_USERS else [y for x, y in zip(ours, theirs, strict=False) if x == name]


def _lone(facts: Facts, paired: frozenset[str]) -> list[Node]:
    return [n for n in facts.graph.nodes if n.name not in paired and n.name in facts.live and repeatable(n, facts)]


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
        if repeatable(node, facts) and unseen(node, storages):
            key = written_down(node, leader)
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
            and (one_object(facts.nodes[members[0]]) or sum(returned[root] for root in storages.roots(members)) <= 1)
        ):
            found |= dict.fromkeys(members, partners)
    return found
