"""Where nodes say they came from: `from_node`, which survives passes, decompositions and save/load."""

from __future__ import annotations

from collections import defaultdict

from graphlens.diff.search.evidence import witnesses
from graphlens.diff.search.match import FREE, Match
from graphlens.diff.search.table import GETITEM, Table
from graphlens.program.graph import Node, Provenance

_DEEPEST = 64
Origin = tuple[str, str]
Proposal = tuple[list[int], list[int]]


def provenance_step(match: Match) -> int:
    """Pair or group free nodes of `b` with the nodes of `a` they were made from; return how many pairs and groups.

    One to one is a pair, one to many a group (a decomposition), many to one a group (a fusion). Both directions are
    looked at, for either program may have been made from the other; if both were made from a third, nodes with the same
    origin there form a group.
    """
    tables = (match.a, match.b)
    if not any(t.nodes[i].meta.get("from_node") for t, free in zip(tables, match.free(), strict=True) for i in free):
        return 0
    ancestors_a, ancestors_b = _ancestors(match.a), _ancestors(match.b)
    made = _link(match, _origins(match.b, match.mate_b, match.a, ancestors_a), flip=False)
    made += _link(match, _origins(match.a, match.mate_a, match.b, ancestors_b), flip=True)
    return made + _siblings(match)


def _free(mate: list[int]) -> list[int]:
    return [i for i, partner in enumerate(mate) if partner == FREE]


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
    for j in _free(mate):
        node = child.nodes[j]
        if node.op not in ("placeholder", "output"):
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
    if not (target == entry.target or target.endswith("." + entry.target)):
        return -1
    own: tuple[Provenance, ...] = parent.nodes[i].meta.get("from_node") or ()
    return i if not own or _names(own) == _names(entry.from_node) else -1


def _names(entries: tuple[Provenance, ...]) -> list[Origin]:
    """Say where a node came from itself: a node of the same name and another origin is another node."""
    return [(entry.name, entry.target) for entry in entries]


def _link(match: Match, origins: dict[int, list[int]], *, flip: bool) -> int:
    """Join children and parents that hang together, and pair or group each bunch whose parents are free."""
    mate = match.mate_b if flip else match.mate_a
    children: dict[int, list[int]] = defaultdict(list)
    for child, parents in origins.items():
        for parent in parents:
            children[parent].append(child)
    proposed: list[Proposal] = []
    done: set[int] = set()
    for parent in sorted(children):
        if parent in done:
            continue
        parents, bunch = _bunch(parent, children, origins)
        done.update(parents)
        bunch = _calls_alone(match.b if not flip else match.a, match.a if not flip else match.b, parents, bunch)
        if all(mate[each] == FREE for each in parents):
            proposed.append((bunch, parents) if flip else (parents, bunch))
    return _join_all(match, proposed)


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


def _join_all(match: Match, proposed: list[Proposal]) -> int:
    """Join what nothing known before contradicts, and then ask how sure each is: it does not matter which comes first."""
    made = [each for each in [p for p in proposed if not contradicted(match, *p)] if _join(match, each)]
    for ours, theirs in made:
        if len(ours) == len(theirs) == 1:
            found = witnesses(match, ours[0], theirs[0])
            match.confidence[ours[0]] = 0.95 if found.agree and not found.hard else 0.85
    return len(made)


def _join(match: Match, proposal: Proposal) -> bool:
    ours, theirs = proposal
    if len(ours) == len(theirs) == 1:
        if _held(match.a, ours[0]) != _held(match.b, theirs[0]):
            return False  # names of calls say nothing where they call something else
        return match.pair(ours[0], theirs[0], "provenance", 0.85, ("from_node names it",))
    if any(match.mate_a[i] != FREE for i in ours) or any(match.mate_b[j] != FREE for j in theirs):
        return False
    match.bundle(ours, theirs, f"group {_size(ours)}:{_size(theirs)}", 0.9, ("from_node names it",))
    return True


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
    found = [(ours, right[origin]) for origin, ours in left.items() if origin in right]
    # where there is more than one each, their neighbours say which is which
    return _join_all(match, [(ours, theirs) for ours, theirs in found if not len(ours) == len(theirs) > 1])


def _by_origin(table: Table, mate: list[int]) -> dict[Origin, list[int]]:
    found: dict[Origin, list[int]] = defaultdict(list)
    for i in _free(mate):
        node = table.nodes[i]
        sources: tuple[Provenance, ...] = node.meta.get("from_node") or ()
        if len(sources) == 1 and node.op not in ("placeholder", "output"):
            found[sources[0].name, sources[0].target].append(i)
    return found
