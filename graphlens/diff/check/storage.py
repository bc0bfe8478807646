"""Which nodes of a graph hold one storage, or may."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from graphlens.diff.check.live import Facts
from graphlens.program.graph import Node
from graphlens.program.program import ROOT, Program
from graphlens.program.state import StateNames
from graphlens.program.value import TensorValue

Ties = tuple[tuple[str, ...], ...]
"""Sets of nodes of one graph that share storage, or may."""


class Storages:
    """The nodes of a graph in classes: two nodes of different classes share no storage. `written` are roots of classes."""

    def __init__(self, facts: Facts, tied: Ties) -> None:
        self._parent = {name: name for name in facts.nodes}
        for names in tied:
            self._unite(names)
        for name, found in facts.does.items():
            self._unite((name, *found.shares))
        self.written = {root for found in facts.does.values() for root in self.roots(found.writes)}

    def roots(self, names: Iterable[str]) -> set[str]:
        """Return the classes of some nodes; names of no node have none."""
        return {self.root(name) for name in names if name in self._parent}

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
    """What either program says of the sources of a pair of graphs, in the names of `a`; worked out when it is asked for."""

    programs: tuple[Program, Program]
    paths: tuple[str, str]
    facts: tuple[Facts, Facts]
    mate: Mapping[str, str]

    @cached_property
    def ties(self) -> Ties:
        """Sets of sources that share storage, or may."""
        back = {right: left for left, right in self.mate.items()}
        ours, theirs = (_ties(*side) for side in zip(self.programs, self.paths, self.facts, strict=True))
        return (*ours, *(tuple(back[name] for name in names if name in back) for names in theirs))

    @cached_property
    def passed(self) -> tuple[str, ...]:
        """The tensors that callers of the program pass: whether they share storage is up to them."""
        if self.paths[0] != ROOT:
            return ()
        kinds = {spec.argument: spec.kind for spec in self.programs[0].inputs}
        sources = (node for node in self.facts[0].graph.placeholders if _tensor(node))
        return tuple(n.name for n in sources if kinds.get(n.name, "user_input") == "user_input")

    def theirs(self, ties: Ties) -> Ties:
        """Return sets of sources in the names of `b`."""
        return tuple(tuple(self.mate[name] for name in names if name in self.mate) for names in ties)


def _ties(program: Program, path: str, facts: Facts) -> Iterator[tuple[str, ...]]:
    """Yield the sources of a graph that are one storage. Of a nested graph, all may be: it depends on who calls it."""
    sources = [node for node in facts.graph.nodes if node.op in ("placeholder", "get_attr") and _tensor(node)]
    if path != ROOT:
        yield tuple(node.name for node in sources if node.name not in facts.bodies)
        return
    names = StateNames(program)
    stored = {tensor.fqn: tensor for tensor in program.stored}
    targets = {spec.argument: spec.target for spec in program.inputs}
    held: dict[str, list[str]] = {}
    for node in sources:
        target = targets.get(node.name) if node.op == "placeholder" else names.name(path, node.target)
        if target is not None:
            known = stored.get(target)
            storage = None if known is None else known.storage
            held.setdefault(f"name {target}" if storage is None else f"storage {storage}", []).append(node.name)
    for together in held.values():
        if len(together) > 1:
            yield tuple(together)


def _tensor(node: Node) -> bool:
    return node.value is None or isinstance(node.value, TensorValue)
