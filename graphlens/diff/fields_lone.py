"""Nodes without a partner, and what sort of node each is: dead code, an input, an assertion, a step that changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property

from msgspec import structs

from graphlens.diff.check.live import Facts
from graphlens.diff.effects import ASSERT, PURE
from graphlens.diff.handed import HandedOn
from graphlens.diff.matching import GraphMatch, Matching
from graphlens.diff.placed import Placed, place
from graphlens.diff.rows import Finding, Kind
from graphlens.diff.sizes import stands_for_numbers
from graphlens.program.graph import Node
from graphlens.program.parts import InputSpec
from graphlens.program.program import ROOT, Program

BODY = "body of an ambiguous call"

_GUARDS = "_guards_fn"
"""What `ExportedProgram.module()` calls to check its inputs (torch 2.9 to 2.13)."""


@dataclass(frozen=True)
class LoneNodes:
    """Finds the nodes of matched graphs that have no partner."""

    matching: Matching
    handed: HandedOn

    def compare(self, match: GraphMatch) -> Iterator[Placed]:
        """Yield the nodes of a matched pair of graphs that have no partner."""
        for side, names in enumerate((match.alignment.only_a, match.alignment.only_b)):
            if not names:
                continue
            absorbed = self._absorbed(match, names, side=side)
            kind: Kind = "only_b" if side else "only_a"
            for name in names:
                node = (match.a, match.b)[side][name]
                lone = _only(node, kind, self.aspect(match, name, side=side))
                a, b = (None, node) if side else (node, None)
                source = self._container(match, name, side=side) or absorbed.get(name, "")
                yield place(match, a, b, lone).inherited(source)

    def _absorbed(self, match: GraphMatch, names: tuple[str, ...], *, side: int) -> dict[str, str]:
        """Map the nodes that only rewritten groups use to a node of the group: they went with the rewrite."""
        inside = {name: name for group in match.alignment.groups for name in (group.b if side else group.a)}
        graph = (match.a, match.b)[side]
        lone = set(names) if inside else set()
        found: dict[str, str] = {}
        for node in reversed(graph.nodes):
            users = graph.users[node.name] if node.name in lone and node.op == "call_function" else ()
            into = [inside.get(user) or found.get(user) for user in users]
            if into and all(into):
                found[node.name] = str(into[0])
        return found

    def _container(self, match: GraphMatch, name: str, *, side: int) -> str:
        """Return the node that made the container which a getitem without a partner picks from, if it has none either."""
        facts = self.matching.facts[side].get((match.path_a, match.path_b)[side])
        source = facts.source(name)[0] if facts is not None else name
        return source if source != name and match.without_partner(source, side="ab"[side]) else ""

    def aspect(self, match: GraphMatch, name: str, *, side: int) -> str:
        """Say what sort of node has no partner, for the severity table."""
        path, graph = ((match.path_a, match.a), (match.path_b, match.b))[side]
        node = graph[name]
        if node.op == "placeholder":
            spec = self._inputs[side].get(name) if path == ROOT else None
            return "input" if spec is None or spec.kind == "user_input" else "state"
        if node.op == "get_attr":
            return "attribute"
        if (node.op, node.target) == ("call_module", _GUARDS):
            return "assertion"
        facts = self.matching.facts[side].get(path)
        if facts is None:
            return ""
        if name not in facts.live and facts.pure(name):
            return "dead"
        if self.matching.merged(match).duplicate(name, side="ab"[side]):
            return "duplicate"
        if facts.does.get(name, PURE).effects == (ASSERT,):
            return "assertion"
        if stands_for_numbers(match, name, side=side):
            return "size"
        if name in facts.picks and facts.source(name) in self._picked(match, facts, side):
            return "dead"
        if self.handed.preserves(side, path, graph, node) and name not in self.handed.written(side, path):
            return "preserving"
        return ""

    def _picked(self, match: GraphMatch, facts: Facts, side: int) -> AbstractSet[tuple[str, tuple[int, ...]]]:
        """Name the items that matched getitems pick."""
        key = side, match.path_a
        if key not in self._items:
            partners = match.backward if side else match.forward
            self._items[key] = {facts.source(name) for name in facts.picks if name in partners}
        return self._items[key]

    @cached_property
    def _items(self) -> dict[tuple[int, str], AbstractSet[tuple[str, tuple[int, ...]]]]:
        return {}

    @cached_property
    def _inputs(self) -> tuple[Mapping[str, InputSpec], Mapping[str, InputSpec]]:
        ours, theirs = (
            {spec.argument: spec for spec in reversed(p.inputs)} for p in (self.matching.a, self.matching.b)
        )
        return ours, theirs


def nodes_of_lone_graphs(
    program: Program, paths: tuple[str, ...], kind: Kind, unclear: Mapping[str, str]
) -> Iterator[Placed]:
    """Yield the nodes of nested graphs that only one side has: each follows from the node that holds its graph.

    The graphs in `unclear` belong to an ambiguous call: they are on the other side too, and it is not known which they are.
    """
    for path in paths:
        caller = unclear.get(path) or path.rpartition("/")[2].rpartition(".")[0]
        for node in program.graphs[path].nodes:
            a, b = (node, None) if kind == "only_a" else (None, node)
            path_b = path if kind == "only_b" else None
            finding = _only(node, kind, "")
            if path in unclear:
                finding = structs.replace(finding, kind="ambiguous", aspect=BODY)
            yield Placed(path, path_b, a, b, finding).inherited(caller)


def _only(node: Node, kind: Kind, aspect: str) -> Finding:
    a, b = (node.target, "") if kind == "only_a" else ("", node.target)
    return Finding(field="target", kind=kind, a=a, b=b, aspect=aspect, value_a=a or None, value_b=b or None)
