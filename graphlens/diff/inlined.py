"""A nested graph that one side calls, and the same calls one by one in the graph around it on the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from graphlens.diff.dialect import on_one_side, same_function, side_by_side, spell
from graphlens.diff.dialect.indexing import ValueOf
from graphlens.diff.effects import PURE
from graphlens.diff.matching import GraphMatch, Matching
from graphlens.program.argument import Argument, Ref, argument_text, leaves
from graphlens.program.graph import Graph, Node
from graphlens.program.program import Program, child_path

_CALLS: Final = frozenset({"wrap_with_set_grad_enabled", "wrap", "invoke_subgraph"})
"""Higher-order ops that do nothing to the numbers of the graph that they call."""
_ASSERTS: Final = "aten._assert_tensor_metadata."
_GETITEM: Final = "_operator.getitem"


def inlined(matching: Matching, match: GraphMatch, ours: list[Node], theirs: list[Node]) -> bool:
    """Whether the nodes of one side are the calls inside the nested graph of the other, up to dialect, fed and read alike.

    A check of the metadata of tensors, which export writes before casts, may be missing.
    """
    a_to_b, b_to_a = match.forward, match.backward
    sides = zip(matching.facts, (match.path_a, match.path_b), (ours, theirs), strict=True)
    if not any(
        path in facts and all(facts[path].does.get(node.name, PURE).pure for node in nodes)
        for facts, path, nodes in sides
    ):
        return False  # the order of what they do besides is not compared here
    return _Inside(matching.schemas, matching.b, match.path_b, match.b, match.a, b_to_a).holds(theirs, ours) or _Inside(
        matching.schemas, matching.a, match.path_a, match.a, match.b, a_to_b
    ).holds(ours, theirs)


class _Inside:
    """Compares a nested graph of `program` with nodes of the graph `flat` of the other one; `mate` leads there."""

    def __init__(
        self,
        schemas: Mapping[str, str],
        program: Program,
        path: str,
        outer: Graph,
        flat: Graph,
        mate: Mapping[str, str],
    ) -> None:
        self.schemas, self.program, self.path, self.outer, self.flat = schemas, program, path, outer, flat
        self.mate = mate

    def holds(self, holders: list[Node], plain: list[Node]) -> bool:
        """Whether one call after the other is inside what the holders call, each fed by what came before it."""
        group = {node.name for node in holders}
        here = {name: mate for name, mate in self.mate.items() if name not in group}
        results: dict[str, list[str | None]] = {}
        left = list(plain)
        for node in holders:
            if node.target == _GETITEM and node.inputs and node.inputs[0] in results:
                place, given = node.args[1], results[node.inputs[0]]
                result = given[place] if type(place) is int and 0 <= place < len(given) else None
                if result is None or not self._read(node, result, group):
                    return False
                here[node.name] = result
            else:
                found = self._called(node, here, left)
                if found is None or not group.issuperset(self.outer.users[node.name]):
                    return False
                results[node.name] = found
        return bool(results) and not left

    def _called(self, holder: Node, here: Mapping[str, str], left: list[Node]) -> list[str | None] | None:
        """Take the calls of a holder's body out of what is left, and name its results; `None` where one is not there."""
        if holder.target.removeprefix("higher_order.") not in _CALLS or len(holder.subgraphs) != 1:
            return None
        body = self.program.graphs.get(child_path(self.path, holder.name, holder.subgraphs[0].role))
        stands = _fed(holder, body, here) if body is not None else None
        if body is None or stands is None:
            return None
        for node in body.nodes:
            if node.op != "call_function" or node.target.startswith(_ASSERTS):
                continue
            same = next((other for other in left if self._same(node, other, body, stands)), None)
            if same is None:
                return None
            left.remove(same)
            stands[node.name] = same.name
        given = (leaf for argument in body.nodes[-1].args for leaf in leaves(argument))
        return [stands.get(leaf.node) if isinstance(leaf, Ref) else None for leaf in given]

    def _same(self, node: Node, other: Node, body: Graph, stands: Mapping[str, str]) -> bool:
        values = _values(body), _values(self.flat)
        if node.target != other.target and not same_function(node, other, values, self.schemas):
            return False
        ours, theirs = spell(node, self.schemas, values[0]), spell(other, self.schemas, values[1])
        if ours is None or theirs is None:
            return False
        passed = ((x, y) for _, x, y in side_by_side(ours, theirs))
        alone = (*on_one_side(ours, theirs), *on_one_side(theirs, ours))
        same_value = node.value is not None and _form(node) == _form(other)
        return same_value and not alone and all(_text(x, stands) == _text(y, None) for x, y in passed)

    def _read(self, pick: Node, result: str, group: set[str]) -> bool:
        """Whether who reads a result of a body reads, on the other side, what that result is there."""
        for user in self.outer.users[pick.name]:
            if user in group:
                continue
            there = self.mate.get(user, "")
            ours, theirs = self.outer[user].inputs, self.flat[there].inputs if there in self.flat else ()
            if len(ours) != len(theirs) or any(theirs[i] != result for i, name in enumerate(ours) if name == pick.name):
                return False
        return True


def _fed(holder: Node, body: Graph, here: Mapping[str, str]) -> dict[str, str] | None:
    """Say what each input of a body is on the other side."""
    given = [leaf.node for argument in holder.args for leaf in leaves(argument) if isinstance(leaf, Ref)]
    inner = [node.name for node in body.placeholders]
    known = [here.get(name, "") for name in given[len(given) - len(inner) :]]
    return dict(zip(inner, known, strict=True)) if len(known) == len(inner) and all(known) else None


def _text(argument: Argument, stands: Mapping[str, str] | None) -> str:
    return argument_text(argument, lambda name: f"\0{name if stands is None else stands.get(name, '')}")


def _form(node: Node) -> tuple[object, object]:
    return getattr(node.value, "shape", None), getattr(node.value, "dtype", None)


def _values(graph: Graph) -> ValueOf:
    return lambda name: graph[name].value if name in graph else None
