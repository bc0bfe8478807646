"""Which nodes of a graph hold one storage, or may."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from graphlens.diff.check.live import Facts
from graphlens.diff.check.reach import MARK, Reach, reached
from graphlens.diff.effects import PURE, UNKNOWN
from graphlens.program.graph import Node
from graphlens.program.parts import StoredTensor
from graphlens.program.program import ROOT, Program
from graphlens.program.state import StateNames
from graphlens.program.value import TensorValue

Ties = tuple[tuple[str, ...], ...]
"""Sets of nodes of one graph that share storage, or may."""


class Storages:
    """The nodes of a graph in classes: two nodes of different classes share no storage. `written` are roots of classes."""

    def __init__(self, facts: Facts, tied: Ties, reach: Reach) -> None:
        self._parent = {name: name for name in facts.nodes}
        for names in reach.values():
            self._parent |= {name: name for name in names}
        for names in tied:
            self._unite(names)
        for name, found in facts.does.items():
            self._unite((name, *found.shares))
        self._facts, self._reach = facts, reach
        self.written = {root for name in facts.does for root in self.writes(name)}

    def reads(self, node: Node) -> Iterator[str]:
        """Yield what a node may read, by the names of its operands and of the stored tensors that it reaches."""
        yield from node.inputs
        yield from self._reach.get(node.name, ())

    def writes(self, name: str) -> set[str]:
        """Return the classes that a node may write."""
        found = self._facts.does.get(name, PURE)
        reached = self._reach.get(name, ()) if found.writes or UNKNOWN in found.effects else ()
        return self.roots((*found.writes, *reached))

    def roots(self, names: Iterable[str]) -> set[str]:
        """Return the classes of some nodes; names of no node have none."""
        return {self.root(name) for name in names if name in self._parent}

    def holds(self, name: str) -> bool:
        """Whether a name stands for a node of the graph, or for a stored tensor that one reaches."""
        return name in self._parent

    def root(self, name: str) -> str:
        """Return what stands for the class of a node."""
        parent = self._parent
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    def _unite(self, names: Iterable[str]) -> None:
        known = [name for name in names if name in self._parent]
        for other in known[1:]:
            self._parent[self.root(other)] = self.root(known[0])


@dataclass(frozen=True)
class Sources:
    """What either program says of the sources of a pair of graphs; worked out when it is asked for."""

    programs: tuple[Program, Program]
    paths: tuple[str, str]
    facts: tuple[Facts, Facts]
    mate: Mapping[str, str]

    def storages(self, *, passed: bool = False) -> tuple[Storages, Storages]:
        """Tell the storages of both graphs apart, as far as either program does.

        With `passed`, what a caller passes may all be one storage.
        """
        back = {right: left for left, right in self.mate.items()}
        ours, theirs = self._ties
        extra = (self.passed,) if passed else ()
        tied_a = (*ours, *_images(theirs, back), *extra)
        tied_b = (*theirs, *_images((*ours, *extra), self.mate))
        return Storages(self.facts[0], tied_a, self._reach[0]), Storages(self.facts[1], tied_b, self._reach[1])

    @cached_property
    def _names(self) -> tuple[StateNames, StateNames]:
        return StateNames(self.programs[0]), StateNames(self.programs[1])

    @cached_property
    def _reach(self) -> tuple[Reach, Reach]:
        first, second = (reached(*side) for side in zip(self.programs, self.paths, self._names, strict=True))
        return first, second

    @cached_property
    def _ties(self) -> tuple[Ties, Ties]:
        sides = zip(self.programs, self.paths, self.facts, self._names, self._reach, strict=True)
        first, second = (tuple(_ties(*side)) for side in sides)
        return first, second

    @cached_property
    def passed(self) -> tuple[str, ...]:
        """The tensors that callers of the program pass: whether they share storage is up to them."""
        if self.paths[0] != ROOT:
            return ()
        kinds = {spec.argument: spec.kind for spec in self.programs[0].inputs}
        sources = (node for node in self.facts[0].graph.placeholders if _tensor(node))
        return tuple(n.name for n in sources if kinds.get(n.name, "user_input") == "user_input")


def _images(ties: Ties, mate: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    """Yield sets of sources in the names of the other side; a stored tensor is called the same there."""
    for names in ties:
        yield tuple(name if name.startswith(MARK) else mate[name] for name in names if name in mate or name[:1] == MARK)


def _ties(program: Program, path: str, facts: Facts, names: StateNames, reach: Reach) -> Iterator[tuple[str, ...]]:
    """Yield the sources of a graph that are one storage. Of a nested graph, all may be: it depends on who calls it."""
    sources = [node for node in facts.graph.nodes if node.op in ("placeholder", "get_attr") and _tensor(node)]
    marked = {name for inside in reach.values() for name in inside}
    if path != ROOT:
        yield (*(node.name for node in sources if node.name not in facts.bodies), *sorted(marked))
        return
    stored = {tensor.fqn: tensor for tensor in program.stored}
    targets = {spec.argument: spec.target for spec in program.inputs}
    held: dict[str, list[str]] = {}
    for node in sources:
        if node.op == "placeholder":
            found = [targets.get(node.name)]
        else:
            below = names.below(path, node.target) if node.name not in facts.bodies else ()
            found = [names.name(path, node.target), *(names.name(path, f"{node.target}.{inner}") for inner in below)]
        for target in found:
            if target is not None:
                held.setdefault(_key(stored, target), []).append(node.name)
    for name in sorted(marked):
        held.setdefault(_key(stored, name.removeprefix(MARK)), []).append(name)
    for together in held.values():
        if len(together) > 1:
            yield tuple(together)


def _key(stored: Mapping[str, StoredTensor], target: str) -> str:
    known = stored.get(target)
    storage = None if known is None else known.storage
    return f"name {target}" if storage is None else f"storage {storage}"


def _tensor(node: Node) -> bool:
    return node.value is None or isinstance(node.value, TensorValue)
