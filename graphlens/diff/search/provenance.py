"""Where nodes say they came from: `from_node`, which survives passes, decompositions and save/load."""

from __future__ import annotations

from collections import defaultdict

from graphlens.diff.search.evidence import witnesses
from graphlens.diff.search.match import FREE, Match
from graphlens.diff.search.table import GETITEM, Table
from graphlens.program.graph import Node, Provenance

_DEEPEST = 64
Origin = tuple[str, str]


def provenance_step(match: Match) -> int:
    """Pair or group free nodes of `b` with the nodes of `a` they were made from; return how many pairs and groups.

    One to one is a pair, one to many a group (a decomposition), many to one a group (a fusion). Both directions are
    looked at, for either program may have been made from the other; if both were made from a third, nodes with the same
    origin there form a group.
    """
    ancestors_a, ancestors_b = _ancestors(match.a), _ancestors(match.b)
    made = _link(match, _origins(match.b, match.mate_b, match.a, ancestors_a), flip=False)
    made += _link(match, _origins(match.a, match.mate_a, match.b, ancestors_b), flip=True)
    return made + _siblings(match)


def _ancestors(table: Table) -> set[int]:
    """Ids of the graphs that the nodes of a table were made from."""
    found: set[int] = set()
    for node in table.nodes:
        stack = list(node.meta.get("from_node") or ())
        while stack:
            entry: Provenance = stack.pop()
            found.add(entry.graph_id)
            stack.extend(entry.from_node)
    return found


def _origins(child: Table, mate: list[int], parent: Table, ancestors: set[int]) -> dict[int, list[int]]:
    """For each free node of `child`, the nodes of `parent` that it was made from."""
    found: dict[int, list[int]] = {}
    for j, node in enumerate(child.nodes):
        if mate[j] == FREE and node.op not in ("placeholder", "output"):
            origins = _in_parent(node, parent, ancestors)
            if origins:
                found[j] = origins
    return found


def _in_parent(node: Node, parent: Table, ancestors: set[int]) -> list[int]:
    """Follow each chain from the newest entry back to the first that names a node of `parent`.

    An entry that points into a graph from which `parent` itself was made is no evidence: names there mean other nodes.
    """
    found: list[int] = []
    for entry in node.meta.get("from_node") or ():
        level: list[Provenance] = [entry]
        for _ in range(_DEEPEST):
            hits = [_named(parent, each) for each in level if each.graph_id not in ancestors]
            hits = [i for i in hits if i >= 0]
            if hits or not level:
                found.extend(hits)
                break
            level = [inner for each in level for inner in each.from_node]
    return list(dict.fromkeys(found))


def _named(parent: Table, entry: Provenance) -> int:
    i = parent.index.get(entry.name, -1)
    if i < 0:
        return -1
    target = parent.nodes[i].target
    return i if target == entry.target or target.endswith("." + entry.target) else -1


def _link(match: Match, origins: dict[int, list[int]], *, flip: bool) -> int:
    """Join children and parents that hang together, and pair or group each bunch whose parents are free."""
    mate = match.mate_b if flip else match.mate_a
    children: dict[int, list[int]] = defaultdict(list)
    for child, parents in origins.items():
        for parent in parents:
            children[parent].append(child)
    made = 0
    done: set[int] = set()
    for parent in sorted(children):
        if parent in done:
            continue
        parents, bunch = _bunch(parent, children, origins)
        done.update(parents)
        bunch = _calls_alone(match.b if not flip else match.a, match.a if not flip else match.b, parents, bunch)
        if all(mate[each] == FREE for each in parents):
            made += _join(match, bunch, parents) if flip else _join(match, parents, bunch)
    return made


def _calls_alone(child: Table, parent: Table, parents: list[int], bunch: list[int]) -> list[int]:
    """Leave out what a tracer puts around a call that it keeps: the attributes it reads and the items of its result."""
    around = [i for i in bunch if child.nodes[i].target == GETITEM or child.nodes[i].op == "get_attr"]
    calls = [i for i in bunch if i not in around]
    kept = [child.nodes[i].target for i in calls] == [parent.nodes[i].target for i in parents]
    return calls if around and kept and len(calls) == 1 else bunch


def _bunch(parent: int, children: dict[int, list[int]], origins: dict[int, list[int]]) -> tuple[list[int], list[int]]:
    parents, bunch, stack = {parent}, set(), [parent]
    while stack:
        for child in children[stack.pop()]:
            if child not in bunch:
                bunch.add(child)
                more = [other for other in origins[child] if other not in parents]
                parents.update(more)
                stack.extend(more)
    return sorted(parents), sorted(bunch)


def _join(match: Match, ours: list[int], theirs: list[int]) -> int:
    if contradicted(match, ours, theirs):
        return 0
    if len(ours) == len(theirs) == 1:
        i, j = ours[0], theirs[0]
        if _held(match.a, i) != _held(match.b, j):
            return 0  # names of calls say nothing where they call something else
        found = witnesses(match, i, j)
        sure = 0.95 if found.agree and not found.hard else 0.85
        return match.pair(i, j, "provenance", sure, ("from_node names it",))
    match.bundle(ours, theirs, f"group {_size(ours)}:{_size(theirs)}", 0.9, ("from_node names it", "provenance"))
    return 1


def _held(table: Table, i: int) -> list[object]:
    """What the nested graphs of a call compute."""
    if not table.nodes[i].subgraphs:
        return []
    return [table.labels.get(table.nodes[p].name) for p in table.operands[i] if table.nodes[p].op == "get_attr"]


def _size(nodes: list[int]) -> str:
    return "1" if len(nodes) == 1 else "n"


def contradicted(match: Match, ours: list[int], theirs: list[int]) -> bool:
    """Whether both sides use matched nodes, and not one of them is the same."""
    inside_a, inside_b = set(ours), set(theirs)
    used_a = {match.mate_a[p] for i in ours for p in match.a.operands[i] if p not in inside_a}
    used_b = {q for j in theirs for q in match.b.operands[j] if q not in inside_b and match.mate_b[q] >= 0}
    used_a = {q for q in used_a if q >= 0}
    return bool(used_a and used_b and not used_a & used_b)


def _siblings(match: Match) -> int:
    """Join free nodes of both sides that came from one node of a third graph."""
    left, right = _by_origin(match.a, match.mate_a), _by_origin(match.b, match.mate_b)
    made = 0
    for origin, ours in left.items():
        theirs = right.get(origin)
        if theirs and all(match.mate_a[i] == FREE for i in ours) and all(match.mate_b[j] == FREE for j in theirs):
            if len(ours) == len(theirs) > 1:
                continue  # more than one each: their neighbours say which is which
            made += _join(match, ours, theirs)
    return made


def _by_origin(table: Table, mate: list[int]) -> dict[Origin, list[int]]:
    found: dict[Origin, list[int]] = defaultdict(list)
    for i, node in enumerate(table.nodes):
        sources: tuple[Provenance, ...] = node.meta.get("from_node") or ()
        if mate[i] == FREE and len(sources) == 1 and node.op not in ("placeholder", "output"):
            found[sources[0].name, sources[0].target].append(i)
    return found
