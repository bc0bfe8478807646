"""Which stored tensor stands behind an attribute of a graph, nested ones included."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping

from graphlens.program.program import ROOT, Program, child_path


class StateNames:
    """Finds the full names of what the ``get_attr`` and ``call_module`` nodes of a program's graphs name.

    A nested graph knows its attributes by their own names. In full they begin with the place of the module that holds
    the graph; a file may use the graph path for it. A body that several callers share has one place and many paths.
    """

    def __init__(self, program: Program) -> None:
        self._stored = frozenset(tensor.fqn for tensor in program.stored)
        self._sorted = sorted(self._stored)
        self._places = _places(program)

    def name(self, path: str, target: str) -> str:
        """Return the full name of attribute `target` in the graph at `path`; `target` itself where nothing is stored."""
        for place in self._places.get(path, ()):
            full = f"{place}.{target}" if place else target
            if full in self._stored:
                return full
        return target

    def below(self, path: str, target: str) -> tuple[str, ...]:
        """Return the names under module `target` of everything that is stored for it, sorted."""
        for place in self._places.get(path, ()):
            start = f"{place}.{target}." if place else f"{target}."
            found = []
            for i in range(bisect_left(self._sorted, start), len(self._sorted)):
                if not self._sorted[i].startswith(start):
                    break
                found.append(self._sorted[i].removeprefix(start))
            if found:
                return tuple(found)
        return ()


def _places(program: Program) -> Mapping[str, tuple[str, ...]]:
    modules: dict[str, str] = {}
    by_graph: dict[int, list[str]] = {}
    stack = [(ROOT, "")] if ROOT in program.graphs else []
    while stack:
        path, module = stack.pop()
        graph = program.graphs[path]
        modules[path] = module
        by_graph.setdefault(id(graph), []).append(module)
        for node in graph.callers:
            for sub in node.subgraphs:
                child = child_path(path, node.name, sub.role)
                if child in program.graphs and child not in modules:
                    stack.append((child, f"{module}.{sub.attribute}" if module else sub.attribute))
    return {
        path: tuple(dict.fromkeys((path, module, *by_graph[id(program.graphs[path])])))
        for path, module in modules.items()
    }
