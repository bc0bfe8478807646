"""Nodes that evidence cannot tell apart and that need not be told apart: any choice is right that the checker accepts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from msgspec import structs

from graphlens.diff.alignment import Alignment, GraphAlignment, Pair
from graphlens.diff.assigned import assign, sides
from graphlens.diff.verify import Checked
from graphlens.program.graph import Graph
from graphlens.program.program import Program

CHOSEN = "nothing tells them apart, and the checker accepts this choice"
_ROUNDS = 3

Check = Callable[[Alignment], Checked]
Class = tuple[int, int]
"""Which graph of an alignment, and which of its ambiguous classes."""


def settle(a: Program, b: Program, alignment: Alignment, check: Check) -> tuple[Alignment, Checked]:
    """Decide what is ambiguous where the checker accepts a choice; say of the rest that none was accepted.

    A real symmetry passes under a choice that keeps neighbours together. Where no such choice passes, something differs.
    """
    if not any(graph.ambiguous for graph in alignment.graphs):
        return alignment, check(alignment)
    for upwards in (True, False):
        trial = _Trial(a, b, alignment, upwards=upwards)
        alignment = trial.accepted(check)
    graphs = [
        structs.replace(graph, ambiguous=tuple(structs.replace(each, differs=True) for each in graph.ambiguous))
        for graph in alignment.graphs
    ]
    alignment = structs.replace(alignment, graphs=tuple(graphs))
    return alignment, check(alignment)


@dataclass(frozen=True)
class _Trial:
    """One way to choose, tried on all classes, then on those that the checker does not speak of."""

    a: Program
    b: Program
    alignment: Alignment
    upwards: bool

    def accepted(self, check: Check) -> Alignment:
        """Return the alignment with partners for the nodes of the classes that pass, the others as they are."""
        wanted, blame = self._classes(), self._near()
        for _ in range(_ROUNDS if wanted else 0):
            tried = self._chosen(wanted)
            refused = {
                found
                for refusal in check(tried).proof.refusals
                for side, name in (("a", refusal.node_a), ("b", refusal.node_b))
                for found in blame.get((side, refusal.graph, name), ())
            }
            if not refused & wanted:
                return tried
            wanted -= refused
            if not wanted:
                break
        return self.alignment

    def _classes(self) -> frozenset[Class]:
        """Name the ambiguous classes but those whose nodes hold nested graphs: these are aligned by who holds them."""
        return frozenset(
            (i, k)
            for i, graph in enumerate(self.alignment.graphs)
            for k, entry in enumerate(graph.ambiguous)
            if not any(self.a.graphs[graph.path_a][name].subgraphs for name in entry.a)
        )

    def _near(self) -> Mapping[tuple[str, str, str], set[Class]]:
        """Map every node to the classes that it belongs to, uses, or is used by; refusals name graphs by their path in `a`."""
        found: dict[tuple[str, str, str], set[Class]] = {}
        for i, graph in enumerate(self.alignment.graphs):
            for k, entry in enumerate(graph.ambiguous):
                for side, nodes, names in (
                    ("a", self.a.graphs[graph.path_a], entry.a),
                    ("b", self.b.graphs[graph.path_b], entry.b),
                ):
                    near = {x for name in names for x in (name, *nodes[name].inputs, *nodes.users.get(name, ()))}
                    for name in near:
                        found.setdefault((side, graph.path_a, name), set()).add((i, k))
        return found

    def _chosen(self, wanted: frozenset[Class]) -> Alignment:
        graphs = [self._graph(graph, {k for j, k in wanted if j == i}) for i, graph in enumerate(self.alignment.graphs)]
        return structs.replace(self.alignment, graphs=tuple(graphs))

    def _graph(self, graph: GraphAlignment, wanted: set[int]) -> GraphAlignment:
        if not wanted:
            return graph
        ours, theirs = self.a.graphs[graph.path_a], self.b.graphs[graph.path_b]
        one, two = sides(graph, ours, theirs)
        if sorted(two.classes) < sorted(one.classes):  # seen from either program, the choice is the same
            mates = {x: y for y, x in assign(two, one, upwards=self.upwards).items()}
        else:
            mates = assign(one, two, upwards=self.upwards)
        return _with(graph, (ours, theirs), mates, wanted)


def _with(
    graph: GraphAlignment, nodes: tuple[Graph, Graph], mates: Mapping[str, str], wanted: set[int]
) -> GraphAlignment:
    """Give the nodes of some classes the partners chosen for them; what is left over of them has none."""
    ours, theirs = ([name for k in sorted(wanted) for name in getattr(graph.ambiguous[k], side)] for side in "ab")
    chosen = {x: mates[x] for x in ours if x in mates}
    fresh = [Pair(a=x, b=y, match="symmetric", confidence=0.9, witnesses=(CHOSEN,)) for x, y in chosen.items()]
    taken = set(chosen.values())
    only_a = [*graph.only_a, *(x for x in ours if x not in chosen)]
    only_b = [*graph.only_b, *(y for y in theirs if y not in taken)]
    ranks_a, ranks_b = nodes[0].index, nodes[1].index
    return structs.replace(
        graph,
        pairs=tuple(sorted((*graph.pairs, *fresh), key=lambda pair: ranks_a[pair.a])),
        ambiguous=tuple(entry for k, entry in enumerate(graph.ambiguous) if k not in wanted),
        only_a=tuple(sorted(only_a, key=ranks_a.__getitem__)),
        only_b=tuple(sorted(only_b, key=ranks_b.__getitem__)),
    )
