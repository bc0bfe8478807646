"""What checking one pair of graphs needs: the proposed pairs as a map, and when two operands are one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from graphlens.diff.alignment import Ambiguous, GraphAlignment, Group
from graphlens.diff.check.findings import Findings
from graphlens.diff.check.live import Facts
from graphlens.diff.check.merged import DUPLICATES, Merged
from graphlens.diff.check.symbols import Renaming
from graphlens.diff.check.tied import OTHER_NAME, Tied
from graphlens.diff.check.values import Values

DUPLICATE_GETITEM = "duplicate getitem"


@dataclass(frozen=True)
class Bench:
    """Everything that checking one pair of graphs needs.

    `closer` collects the nodes of `a` whose calls are not, at first look, exactly those of their partners.
    """

    path: str
    a: Facts
    b: Facts
    mate: Mapping[str, str]
    open: Mapping[str, int]
    schemas: Mapping[str, str]
    merged: Merged
    tied: Tied
    renaming: Renaming
    values: Values
    findings: Findings
    closer: set[str] = field(default_factory=set)

    def same_edge(self, x: str, y: str) -> bool:
        """Whether an operand of `a` and one of `b` are one value: a pair, or the same item of the same container."""
        if self.mate.get(x) == y:
            return True
        if self.merged.same(x, y):
            return True
        if self.tied.same(x, y):
            self.findings.rules[OTHER_NAME] += 1
            return True
        (left, picked_a), (right, picked_b) = self.a.source(x), self.b.source(y)
        if (
            (left, right) == (x, y)
            or picked_a != picked_b
            or not (self.mate.get(left) == right or self.merged.same(left, right))
        ):
            return self.undecided(x, y) or self._exchanged(x, y)
        self.findings.rules[DUPLICATE_GETITEM] += 1
        return True

    def _exchanged(self, x: str, y: str) -> bool:
        """Whether an operand was read in the place of another that is the same value."""
        found = self.merged.exchanged(x, y)
        self.findings.rules[DUPLICATES] += found
        return found

    def superseded(self, x: str, y: str) -> bool:
        """Whether one of a pure pair is dead because all that read the other have partners, or equals, which read something else."""
        if not (self.a.pure(x) and self.b.pure(y)):
            return False
        side = "a" if x in self.a.live else "b"
        facts, name, paired = (self.a, x, self.mate.keys()) if side == "a" else (self.b, y, self._taken)
        users = (user for user in facts.graph.users.get(name, ()) if user in facts.live)
        return all(user in paired or self.merged.duplicate(user, side=side) for user in users)

    @cached_property
    def _taken(self) -> frozenset[str]:
        return frozenset(self.mate.values())

    def same_name(self, x: str, y: str) -> bool:
        """Whether a word names a node or a symbol that another word names on the other side."""
        return self.mate.get(x) == y or self.renaming.forward.get(x) == y

    def undecided(self, x: str, y: str) -> bool:
        """Whether both stand in one proposal that this check cannot decide; then it is noted, not refused."""
        key = self.open.get("a:" + self.a.source(x)[0])
        return key is not None and key == self.open.get("b:" + self.b.source(y)[0])


def one_to_one(path: str, alignment: GraphAlignment, a: Facts, b: Facts, findings: Findings) -> dict[str, str]:
    """Read the pairs as a map, refusing those that name no node or name one twice."""
    nodes_a, nodes_b = a.nodes, b.nodes
    for side, facts in (("a", a), ("b", b)):
        if len(facts.nodes) != len(facts.graph.nodes):
            findings.refuse(
                path, "", "", "pairs", f"{side} has two nodes of one name, and nobody can tell which is meant"
            )
    mate = {pair.a: pair.b for pair in alignment.pairs}
    taken = set(mate.values())
    if len(taken) == len(alignment.pairs) and mate.keys() <= nodes_a.keys() and taken <= nodes_b.keys():
        return mate
    mate, taken = {}, set()
    for pair in alignment.pairs:
        x, y = pair.a, pair.b
        if x not in nodes_a or y not in nodes_b:
            findings.refuse(path, x, y, "pairs", "the pair names a node that does not exist")
        elif x in mate or y in taken:
            findings.refuse(path, x, y, "pairs", "the node is paired twice")
        else:
            mate[x] = y
            taken.add(y)
    return mate


def open_proposals(alignment: GraphAlignment, findings: Findings) -> dict[str, int]:
    """Number the nodes that stand in groups or are ambiguous, and note that these are not decided here."""
    found: dict[str, int] = {}
    entries: tuple[Group | Ambiguous, ...] = (*alignment.groups, *alignment.ambiguous)
    for i, entry in enumerate(entries):
        found.update({f"a:{name}": i for name in entry.a} | {f"b:{name}": i for name in entry.b})
    if alignment.groups:
        findings.unknown["groups of nodes that were rewritten are not compared"] += len(alignment.groups)
    if alignment.ambiguous:
        findings.unknown["nodes that evidence cannot tell apart"] += sum(len(entry.a) for entry in alignment.ambiguous)
    return found
