"""Which nodes that no operator made hold one storage, or may."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from graphlens.diff.check.live import Facts
from graphlens.diff.check.order import Ties
from graphlens.program.graph import Node
from graphlens.program.program import ROOT, Program
from graphlens.program.state import StateNames
from graphlens.program.value import TensorValue


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
