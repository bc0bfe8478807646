"""Modules that only one program has: a removed layer is told as one, not as fifty nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final
from typing import Literal as OneOf

from msgspec import Struct, structs

from graphlens.diff.rows import Mismatch
from graphlens.program.graph import Node
from graphlens.program.program import Program

_LONE: Final = {"only_a": "a", "lost": "a", "only_b": "b", "added": "b"}
_BY_NAME: Final = ("weights", "constants", "aliasing", "module_call_graph")


class LoneModule(Struct, frozen=True, kw_only=True):
    """A module all of whose nodes only one side has, and that lies in no other such module.

    `module` is its path with the call index, `fqn` without; `inside` are the module paths of its nodes; `weights` counts
    the weights and constants that went with it.
    """

    module: str
    fqn: str
    side: OneOf["a", "b"]
    nodes: int
    weights: int
    inside: tuple[str, ...]


def _name(row: Mismatch) -> str:
    """Name the weight or module that a row of the program level is about."""
    head, _, item = row.field.partition("[")
    if head in _BY_NAME:
        return item.removesuffix("]")
    spec = row.value_a if row.kind == "lost" else row.value_b
    return getattr(spec, "target", None) or "" if head == "signature.inputs" else ""


def lone_modules(rows: Sequence[Mismatch], a: Program | None, b: Program | None) -> tuple[LoneModule, ...]:
    """Find the modules that only one side has, those of `a` first, in the order of the programs.

    A module that is mostly unmatched under the same name on the other side was rewritten, and is not among them. (Where
    the other's module of that name is mostly matched, it is another one, as of layers that are counted anew.)
    """
    only = [row for row in rows if row.field == "target" and row.kind in ("only_a", "only_b")]
    if not only:
        return ()
    names_a = {(row.graph, row.node_a or "") for row in only if row.kind == "only_a"}
    names_b = {(row.graph_b or row.graph, row.node_b or "") for row in only if row.kind == "only_b"}
    calls_a, calls_b = _calls(a, names_a), _calls(b, names_b)
    found = [*_of_side(a, names_a, "a", (calls_a, calls_b)), *_of_side(b, names_b, "b", (calls_b, calls_a))]
    holder = holder_of(found)
    weights: dict[tuple[str, str], set[str]] = {}
    for row in rows if found else ():
        home = holder(row) if row.family in ("weights", "constants") else None
        if home is not None:
            weights.setdefault((home.side, home.module), set()).add(row.field)
    return tuple(structs.replace(each, weights=len(weights.get((each.side, each.module), ()))) for each in found)


Names = set[tuple[str, str]]
Calls = tuple[Counter[str], Counter[str]]
"""How many nodes each module call has, and how many of them have no partner."""


def _calls(program: Program | None, lone: Names) -> Calls:
    """Count the nodes inside each module call, and those of them that the other side lacks."""
    total: Counter[str] = Counter()
    without: Counter[str] = Counter()
    if program is None or not lone:
        return total, without
    for graph in program.graphs.values():
        nodes = {id(node.meta.get("nn_module_stack")): node for node in graph.nodes}
        counts = Counter(id(node.meta.get("nn_module_stack")) for node in graph.nodes)
        for stack, count in counts.items():
            total.update(dict.fromkeys(_inside(nodes[stack]), count))
    for path, name in lone:
        graph = program.graphs[path]
        without.update(_inside(graph[name]) if name in graph else ())
    return total, without


def _inside(node: Node) -> set[str]:
    return {call.call for call in node.module_stack if call.call}


def _of_side(
    program: Program | None, lone: Names, side: OneOf["a", "b"], calls: tuple[Calls, Calls]
) -> Iterable[LoneModule]:
    (total, without), (total_there, without_there) = calls
    whole = {
        call
        for call, count in without.items()
        if count == total[call] and (without_there[call] == 0 or 2 * without_there[call] < total_there[call])
    }
    found: dict[str, tuple[str, list[str]]] = {}
    for path, node in program.walk() if program is not None and whole else ():
        if (path, node.name) in lone:
            outermost = next((call for call in node.module_stack if call.call in whole), None)
            if outermost is not None:
                found.setdefault(outermost.call, (outermost.path, []))[1].append(node.module)
    for call, (path, modules) in found.items():
        fqn = path if path == call else ""
        inside = tuple(dict.fromkeys(modules))
        yield LoneModule(module=call, fqn=fqn, side=side, nodes=len(modules), weights=0, inside=inside)


def holder_of(modules: Sequence[LoneModule]) -> Callable[[Mismatch], LoneModule | None]:
    """Return what finds the first of these modules that holds a row."""
    by_place: dict[tuple[str, str], LoneModule] = {
        (module.side, path): module for module in reversed(modules) for path in module.inside
    }
    by_name: dict[tuple[str, str], LoneModule] = {
        (module.side, module.fqn): module for module in reversed(modules) if module.fqn
    }

    def holder(row: Mismatch) -> LoneModule | None:
        side = _LONE.get(row.kind)
        if side is None:
            return None
        if row.node:
            return by_place.get((side, row.module)) if row.field == "target" else None
        parts = _name(row).split(".")
        names = (".".join(parts[:depth]) for depth in range(1, len(parts) + 1))
        return next((by_name[side, name] for name in names if (side, name) in by_name), None)

    return (lambda _: None) if not modules else holder
