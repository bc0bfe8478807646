"""Which differences follow from another one: a shape that changed because its input's did is inherited, not a root."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from graphlens.diff.computation import ACCEPTED_BY_RULE
from graphlens.diff.matching import GraphMatch, Matching
from graphlens.diff.placed import Placed
from graphlens.diff.resized import Resized
from graphlens.diff.values import compare_values
from graphlens.program.argument import leaves
from graphlens.program.graph import Node
from graphlens.program.program import child_path

_FOLLOWS: Final[Mapping[str, tuple[str, ...]]] = {
    "val": ("val", "val.shape", "val.type"),
    "val.shape": ("val.shape", "val", "val.type"),
    "val.dtype": ("val.dtype", "val.type"),
    "val.stride": ("val.stride", "val.shape", "val.storage_offset", "val.layout", "val"),
    "val.storage_offset": ("val.storage_offset", "val.stride", "val.shape", "val"),
    "val.type": ("val.type", "val"),
    "val.storage": ("val.storage", "val.dtype", "val.shape", "val.device"),
}
"""A facet can follow from these facets of an operand; one that is not listed from the same facet."""

_DERIVED: Final = ("tensor_meta", "example_value")
"""Metadata that repeats what the value says."""

_OF_OPERANDS: Final = ("eager_input_vals",)
"""Metadata that repeats what the values of the operands say."""

_KEPT: Final = ACCEPTED_BY_RULE | {"dialect"}
"""Aspects of edits that nothing else of a node follows from."""

_OWN: Final = ("name", "order")
"""What follows from nothing else."""

_EDITS: Final = ("op", "target", "args", "kwargs")

_WRITTEN: Final = (*_EDITS, "name")
"""What the code says that FX generates of a node."""

Key = tuple[str, str]
"""Graph path and node name in `a`."""


class Causes:
    """Says of each difference what it follows from. Sees all differences of all graphs before it judges one."""

    def __init__(self, matching: Matching, placed: Sequence[Placed]) -> None:
        self.matching = matching
        self.facets: dict[Key, set[str]] = defaultdict(set)
        self.edited: set[Key] = set()
        self.retargeted: set[Key] = set()
        self.reopened: set[Key] = set()
        self.rewritten: set[Key] = set()
        for item in placed:
            if item.a is not None and item.b is not None:
                key, finding = (item.graph, item.a.name), item.finding
                if finding.field in _WRITTEN:
                    self.rewritten.add(key)
                if finding.field.startswith("val"):
                    self.facets[key].add(finding.field)
                elif finding.field in _EDITS and finding.kind == "changed" and finding.aspect not in _KEPT:
                    self.edited.add(key)
                    if finding.field == "target":
                        self.retargeted.add(key)
                    elif finding.field == "op":
                        self.reopened.add(key)
        self._by_path = {match.path_a: match for match in reversed(matching.graphs)}
        self._compared = {id(match.a): match.path_a for match in reversed(matching.graphs)}
        self._callers = _callers(matching)
        self._resized = Resized(placed, {**matching.a.schemas, **matching.b.schemas})

    def resolve(self, placed: Iterable[Placed]) -> Iterator[Placed]:
        """Yield the same differences, those that follow from another one marked."""
        for item in placed:
            known = item.finding.inherited_from or item.finding.field in _OWN
            source = "" if known else self._source(item)
            yield item.inherited(source) if source else item

    def _source(self, item: Placed) -> str:
        field, a, b = item.finding.field, item.a, item.b
        if a is None or b is None:
            return ""
        key = (item.graph, a.name)
        if (field == "target" and key in self.reopened) or (field in _DERIVED and self.facets.get(key)):
            return a.name
        if field in _OF_OPERANDS:
            return self._of_another_value(item.graph, a)
        if field == "stack_trace":
            return a.name if item.finding.aspect == "generated" and key in self.rewritten else ""
        if field in ("args", "kwargs"):
            # another function has other arguments, but still works on the same operands
            if item.finding.aspect == "assertion":  # what is asserted of a value that is another follows from that
                return self._of_another_value(item.graph, a)
            follows = key in self.retargeted
            follows = follows and (item.finding.aspect != "rewired" or self._same_operands(item.graph, a, b))
            return a.name if follows else self._resized.source(item)
        if not field.startswith("val") or item.finding.aspect == "container":
            return ""
        if key in self.edited or (a.op == b.op == "output" and _results(a) != _results(b)):
            return a.name
        if field in ("val.stride", "val.storage_offset") and "val.shape" in self.facets[key]:
            return a.name
        wanted = _FOLLOWS.get(field, (field,))
        for graph, name in self._operands(item.graph, a):
            if any(facet in self.facets.get((graph, name), ()) for facet in wanted):
                return name
        return self._through_a_rewrite(item, a, b, wanted)

    def _of_another_value(self, path: str, a: Node) -> str:
        """Return an operand of which another value is recorded, ``""`` if there is none."""
        return next((name for graph, name in self._operands(path, a) if self.facets.get((graph, name))), "")

    def _through_a_rewrite(self, item: Placed, a: Node, b: Node, wanted: tuple[str, ...]) -> str:
        """Return an operand that is no other single node on the other side, and differs in the same facet from what stands there."""
        match = next(match for match in self.matching.graphs if match.path_a == item.graph)
        if len(a.inputs) != len(b.inputs):
            return ""
        for x, y in zip(a.inputs, b.inputs, strict=True):
            if x in match.forward or y in match.backward:
                continue
            values = match.a[x].value, match.b[y].value
            if item.finding.field == "val.storage" or any(
                found.field in wanted for found in compare_values(*values, self.matching.renaming)
            ):
                return x
        return ""

    def _same_operands(self, path: str, a: Node, b: Node) -> bool:
        """Whether two nodes use the same matched nodes in whatever places, or one does without some of the other's."""
        match = self._by_path[path]
        ours = Counter(match.forward[name] for name in a.inputs if name in match.forward)
        theirs = Counter(name for name in b.inputs if name in match.backward)
        return ours <= theirs or theirs <= ours

    def _operands(self, path: str, node: Node) -> Iterator[Key]:
        """Yield where a node's value comes from: operands, across the boundary of nested graphs too."""
        if node.op == "placeholder":
            for outer, caller in self._callers.get(path, ()):
                yield from ((outer, name) for name in caller.inputs)
            return
        yield from ((path, name) for name in node.inputs)
        for subgraph in node.subgraphs:
            inner = child_path(path, node.name, subgraph.role)
            graph = self.matching.a.graphs.get(inner)
            output = graph.output if graph is not None else None
            if output is not None:
                yield from ((self._canonical(inner), name) for name in output.inputs)

    def _canonical(self, path: str) -> str:
        """Return the path under which a shared body is compared."""
        graph = self.matching.a.graphs[path]
        return self._compared.get(id(graph), path)


def _results(output: Node) -> int:
    return sum(1 for argument in output.args for _ in leaves(argument))


def _callers(matching: Matching) -> dict[str, list[tuple[str, Node]]]:
    """Calls that hold each matched nested graph, by its path in `a`."""
    compared: dict[int, GraphMatch] = {}
    for match in matching.graphs:
        compared.setdefault(id(match.a), match)
    found: dict[str, list[tuple[str, Node]]] = defaultdict(list)
    for match in matching.graphs:
        for node in match.a.callers:
            for subgraph in node.subgraphs:
                inner = matching.a.graphs.get(child_path(match.path_a, node.name, subgraph.role))
                if inner is not None and id(inner) in compared:
                    found[compared[id(inner)].path_a].append((match.path_a, node))
    return found
