"""Two nodes of one graph that are one value: a reader of the one may as well read the other."""

from __future__ import annotations

from collections import Counter
from functools import cached_property

from graphlens.diff.check.live import epochs
from graphlens.diff.check.repeats import one_object, repeatable, unseen, written_down
from graphlens.diff.check.storage import Sources, Storages

_MOST = 200_000
"""Steps that all questions about a graph may take together; what is not answered by then is not known to be one value."""


class Twins:
    """Tells of two nodes of one side whether they are one value. Exact, as `Merged` is, and asked about few."""

    def __init__(self, sources: Sources, side: int) -> None:
        self._sources, self._side = sources, side
        self._facts = sources.facts[side]
        self._known: dict[tuple[str, str], bool] = {}
        self._steps = 0

    def same(self, x: str, y: str) -> bool:
        """Whether two nodes compute the same of the same, and nobody can tell one tensor from two."""
        if (x, y) not in self._known:
            self._known[x, y] = self._known[y, x] = self._alike(x, y)
        return self._known[x, y]

    def _alike(self, x: str, y: str) -> bool:
        waiting, seen = [(x, y)], {(x, y)}
        while waiting:
            pair = waiting.pop()
            operands = self._operands(*pair)
            self._steps += 1
            if operands is None or self._steps > _MOST or any(self._known.get(each) is False for each in operands):
                return False
            fresh = [each for each in operands if each[0] != each[1] and each not in seen]
            seen.update(fresh)
            waiting.extend(fresh)
        return self._indistinguishable(x, y, {name for pair in seen for name in pair})

    def _operands(self, x: str, y: str) -> list[tuple[str, str]] | None:
        """Pair the operands of two calls that are the same but for these; `None` if they are not."""
        nodes = self._facts.nodes
        if x not in nodes or y not in nodes or nodes[x].target != nodes[y].target:
            return None
        if not (repeatable(nodes[x], self._facts) and repeatable(nodes[y], self._facts)):
            return None
        one, two = written_down(nodes[x], {}), written_down(nodes[y], {})
        if one is None or two is None or len(one) != len(two):
            return None
        found: list[tuple[str, str]] = []
        for left, right in zip(one, two, strict=True):
            if _reference(left) and _reference(right):
                found.append((left[1], right[1]))  # type: ignore[index]
            elif left != right:
                return None
        return found

    def _indistinguishable(self, x: str, y: str, names: set[str]) -> bool:
        nodes = self._facts.nodes
        if len({self._epochs.get(name, 0) for name in names}) > 1:
            return False
        if not all(unseen(nodes[name], self._storages) for name in names):
            return False
        returned, roots = self._returned, self._storages.roots((x, y))
        return one_object(nodes[x]) or sum(returned[root] for root in roots) <= 1

    @cached_property
    def _epochs(self) -> dict[str, int]:
        return dict(epochs(self._facts))

    @cached_property
    def _storages(self) -> Storages:
        return self._sources.storages(passed=True)[self._side]

    @cached_property
    def _returned(self) -> Counter[str]:
        output = self._facts.graph.output
        results = output.inputs if output is not None else ()
        return Counter(self._storages.root(name) for name in results if name in self._facts.nodes)


def _reference(part: object) -> bool:
    return isinstance(part, tuple) and len(part) == 2 and part[0] == "ref"
