"""An alignment as a lookup: what one node of `a` is in `b`, and why two references agree or do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from graphlens.diff.alignment import Alignment, Ambiguous, GraphAlignment, Group
from graphlens.diff.check.live import Facts, all_facts
from graphlens.diff.check.merged import Merged
from graphlens.diff.check.storage import Sources
from graphlens.diff.check.tied import Tied
from graphlens.diff.renaming import Renaming
from graphlens.diff.verify import Checked, CheckedGraph
from graphlens.program.graph import Graph, Node
from graphlens.program.program import Program, child_path


class Agreement(Enum):
    """How two references compare: they name the same thing, something else, or something that has no partner."""

    SAME = "same"
    REWIRED = "rewired"
    INHERITED = "inherited"


@dataclass(frozen=True)
class GraphMatch:
    """One matched pair of graphs with its nodes by name; `checked` is what the checker found out about it, if it was asked."""

    alignment: GraphAlignment
    a: Graph
    b: Graph
    checked: CheckedGraph | None = None

    @property
    def path_a(self) -> str:
        """Graph path in `a`."""
        return self.alignment.path_a

    @property
    def path_b(self) -> str:
        """Graph path in `b`."""
        return self.alignment.path_b

    @cached_property
    def nodes(self) -> tuple[Mapping[str, Node], Mapping[str, Node]]:
        """The nodes of `a` and those of `b` by name."""
        if self.checked is not None:
            return self.checked.a.nodes, self.checked.b.nodes
        return {node.name: node for node in self.a.nodes}, {node.name: node for node in self.b.nodes}

    @cached_property
    def pairs(self) -> tuple[tuple[Node, Node], ...]:
        """The proposed pairs, in their order, as nodes."""
        nodes_a, nodes_b = self.nodes
        return tuple([(nodes_a[pair.a], nodes_b[pair.b]) for pair in self.alignment.pairs])

    @cached_property
    def copied(self) -> bool:
        """Whether every node is paired with an equal one of its name, at the same place; equal as Python compares."""
        checked = self.checked
        if checked is None or checked.b.copy_of is not checked.a:
            return False
        return len(checked.mate) == len(self.a) == len(self.b) and all(a == b for a, b in checked.mate.items())

    @cached_property
    def forward(self) -> Mapping[str, str]:
        """Name in `b` of each node of `a` that has exactly one partner."""
        if self.checked is not None:
            return self.checked.mate
        return {pair.a: pair.b for pair in self.alignment.pairs}

    @cached_property
    def backward(self) -> Mapping[str, str]:
        """Name in `a` of each node of `b` that has exactly one partner."""
        return {pair.b: pair.a for pair in self.alignment.pairs}

    @property
    def _bundles(self) -> tuple[Group | Ambiguous, ...]:
        return (*self.alignment.groups, *self.alignment.ambiguous)

    @cached_property
    def _bundle_a(self) -> Mapping[str, int]:
        return {name: i for i, bundle in enumerate(self._bundles) for name in bundle.a}

    @cached_property
    def _bundle_b(self) -> Mapping[str, int]:
        return {name: i for i, bundle in enumerate(self._bundles) for name in bundle.b}

    def refer(self, a: str, b: str) -> tuple[Agreement, str]:
        """Compare a reference of each side.

        Returns
        -------
        tuple
            The agreement, and for ``INHERITED`` the node whose lack of any counterpart explains the difference. Nodes
            of a group, or that are ambiguous, agree with each other and with nothing else.
        """
        if self.forward.get(a) == b:
            return Agreement.SAME, ""
        bundle = self._bundle_a.get(a)
        if bundle is not None and bundle == self._bundle_b.get(b):
            return Agreement.SAME, ""
        for name, side, graph in ((a, "a", self.a), (b, "b", self.b)):
            if name in graph and self.is_lone(name, side=side):
                return Agreement.INHERITED, name
        return Agreement.REWIRED, ""

    def is_lone(self, name: str, *, side: str) -> bool:
        """Whether a node has no counterpart at all: no partner, no group, no candidates."""
        return self.without_partner(name, side=side) and name not in (self._bundle_a if side == "a" else self._bundle_b)

    def without_partner(self, name: str, *, side: str) -> bool:
        """Whether a node has no single partner."""
        return name not in (self.forward if side == "a" else self.backward)


@dataclass(frozen=True)
class Matching:
    """Two programs and their alignment, ready to be asked."""

    a: Program
    b: Program
    alignment: Alignment
    renaming: Renaming
    checked: Checked | None = None

    @classmethod
    def of(cls, a: Program, b: Program, alignment: Alignment, checked: Checked | None = None) -> Matching:
        """Prepare the lookups; what the checker found out about this alignment need not be worked out again."""
        return cls(a, b, alignment, Renaming(alignment.symbols), checked)

    @cached_property
    def graphs(self) -> tuple[GraphMatch, ...]:
        """The matched graphs; a body that several callers share appears once for each pair of bodies."""
        seen: set[tuple[int, int]] = set()
        found = []
        checked = self.checked.graphs if self.checked is not None else {}
        for aligned in self.alignment.graphs:
            one, two = self.a.graphs[aligned.path_a], self.b.graphs[aligned.path_b]
            if (id(one), id(two)) not in seen:
                seen.add((id(one), id(two)))
                known = checked.get(aligned.path_a)
                found.append(GraphMatch(aligned, one, two, known if known and known.proposal is aligned else None))
        return tuple(found)

    @cached_property
    def copied(self) -> bool:
        """Whether all graphs of both programs are, each paired with the one of its path."""
        aligned = self.alignment
        if aligned.only_a or aligned.only_b or any(graph.path_a != graph.path_b for graph in aligned.graphs):
            return False
        return all(match.copied for match in self.graphs)

    @cached_property
    def facts(self) -> tuple[Mapping[str, Facts], Mapping[str, Facts]]:
        """What is alive and what has effects in each graph of `a` and of `b`, by graph path."""
        if self.checked is not None:
            return self.checked.facts
        return all_facts(self.a, self.schemas), all_facts(self.b, self.schemas)

    def merged(self, match: GraphMatch) -> Merged:
        """What one side of a pair of graphs computes twice and the other perhaps once."""
        if match.checked is not None:
            return match.checked.merged
        found = self._merged.get(match.path_a)
        if found is None:
            facts = self.facts[0][match.path_a], self.facts[1][match.path_b]
            sources = Sources((self.a, self.b), (match.path_a, match.path_b), facts, match.forward)
            found = self._merged[match.path_a] = Merged(sources)
        return found

    @cached_property
    def _merged(self) -> dict[str, Merged]:
        return {}

    @cached_property
    def tied(self) -> Tied:
        """Which inputs of the root graphs stand for one tensor under several names."""
        root = self.root
        facts = self.facts[0][root.path_a], self.facts[1][root.path_b]
        return Tied(Sources((self.a, self.b), (root.path_a, root.path_b), facts, root.forward))

    @cached_property
    def root(self) -> GraphMatch:
        """The pair of root graphs."""
        return next(match for match in self.graphs if match.path_a == "" and match.path_b == "")

    @cached_property
    def schemas(self) -> Mapping[str, str]:
        """The schemas of custom operators that either side records: files record none."""
        return {**self.a.schemas, **self.b.schemas}

    @cached_property
    def _bodies(self) -> frozenset[tuple[int, int]]:
        return frozenset((id(match.a), id(match.b)) for match in self.graphs)

    def same_body(self, match: GraphMatch, a: tuple[Node, str], b: tuple[Node, str]) -> bool:
        """Whether the nested graph that one node holds in a role was matched to the one that another holds."""
        one = self.a.graphs.get(child_path(match.path_a, a[0].name, a[1]))
        two = self.b.graphs.get(child_path(match.path_b, b[0].name, b[1]))
        return one is not None and two is not None and (id(one), id(two)) in self._bodies

    def same_item(self, match: GraphMatch, a: str, b: str) -> bool:
        """Whether two getitems pick the same item of the same container, of which one side picks it more often."""
        facts_a, facts_b = self.facts[0].get(match.path_a), self.facts[1].get(match.path_b)
        if facts_a is None or facts_b is None or a not in facts_a.picks or b not in facts_b.picks:
            return False
        (container_a, item_a), (container_b, item_b) = facts_a.source(a), facts_b.source(b)
        return item_a == item_b and match.forward.get(container_a) == container_b
