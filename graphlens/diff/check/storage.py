"""Which nodes of a graph hold one storage, or may."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

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


def ties(
    programs: tuple[Program, Program], paths: tuple[str, str], facts: tuple[Facts, Facts], mate: Mapping[str, str]
) -> Ties:
    """Collect what either program says about a pair of graphs, in the names of `a`."""
    back = {right: left for left, right in mate.items()}
    ours = _ties(programs[0], paths[0], facts[0])
    theirs = _ties(programs[1], paths[1], facts[1])
    return (*ours, *(tuple(back[name] for name in names if name in back) for names in theirs))


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


def passed(program: Program, path: str, facts: Facts) -> tuple[str, ...]:
    """Name the tensors that callers of the program pass: whether they share storage is up to them."""
    if path != ROOT:
        return ()
    kinds = {spec.argument: spec.kind for spec in program.inputs}
    return tuple(
        n.name for n in facts.graph.placeholders if _tensor(n) and kinds.get(n.name, "user_input") == "user_input"
    )


def _tensor(node: Node) -> bool:
    return node.value is None or isinstance(node.value, TensorValue)
