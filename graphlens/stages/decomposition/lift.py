"""From what is known of the expanded program to the two programs themselves: which node became which, and what is proved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from graphlens.diff.alignment import Alignment, Ambiguous, GraphAlignment, Group, Pair
from graphlens.program.program import Program
from graphlens.stages.decomposition.prove import Witness
from graphlens.stages.part import OpProof

PROVED = "equal by torch's decomposition"
REFUSED = "different"
UNKNOWN = "unknown"

_WHY = "torch's decomposition of this op alone"


def lifted_alignment(seen: Witness, a: Program, b: Program) -> Alignment:
    """Say which node of `a` became which nodes of `b`, by way of the expanded program."""
    graphs = tuple(_lifted(graph, seen, a, b) for graph in seen.alignment.graphs if graph.path_a in a.graphs)
    paths_a, paths_b = {graph.path_a for graph in graphs}, {graph.path_b for graph in graphs}
    return Alignment(
        graphs=graphs,
        only_a=tuple(path for path in a.graphs if path not in paths_a),
        only_b=tuple(path for path in b.graphs if path not in paths_b),
        symbols=seen.alignment.symbols,
    )


def _lifted(graph: GraphAlignment, seen: Witness, a: Program, b: Program) -> GraphAlignment:
    ours, theirs = a.graphs[graph.path_a], b.graphs[graph.path_b]
    became: dict[str, list[Pair]] = defaultdict(list)
    for pair in graph.pairs:
        origin = seen.origins.get((graph.path_a, pair.a), pair.a)
        if origin in ours:
            became[origin].append(pair)
    pairs, groups = [], []
    for name, found in became.items():
        names = tuple(sorted((pair.b for pair in found), key=theirs.index.__getitem__))
        if len(names) == 1 and ours[name].target == theirs[names[0]].target:
            pairs.append(
                Pair(a=name, b=names[0], match=found[0].match, confidence=found[0].confidence, witnesses=(_WHY,))
            )
        elif len(names) == 1 and ours[name].op in ("placeholder", "get_attr", "output"):
            pairs.append(Pair(a=name, b=names[0], match=found[0].match, confidence=found[0].confidence))
        else:
            groups.append(
                Group(a=(name,), b=names, match=f"group 1:{len(names)} provenance", confidence=1.0, witnesses=(_WHY,))
            )
    taken_a = set(became)
    taken_b = {pair.b for pair in pairs} | {name for group in groups for name in group.b}
    unclear = tuple(_unclear(graph, seen, taken_a, taken_b))
    taken_a |= {name for each in unclear for name in each.a}
    taken_b |= {name for each in unclear for name in each.b}
    return GraphAlignment(
        path_a=graph.path_a,
        path_b=graph.path_b,
        pairs=tuple(sorted(pairs, key=lambda pair: ours.index[pair.a])),
        groups=tuple(sorted(groups, key=lambda group: ours.index[group.a[0]])),
        ambiguous=unclear,
        only_a=tuple(node.name for node in ours.nodes if node.name not in taken_a),
        only_b=tuple(node.name for node in theirs.nodes if node.name not in taken_b),
    )


def _unclear(graph: GraphAlignment, seen: Witness, taken_a: set[str], taken_b: set[str]) -> list[Ambiguous]:
    found = []
    for each in graph.ambiguous:
        origins = dict.fromkeys(seen.origins.get((graph.path_a, name), name) for name in each.a)
        ours = tuple(name for name in origins if name not in taken_a)
        theirs = tuple(name for name in each.b if name not in taken_b)
        if ours and theirs:
            found.append(Ambiguous(a=ours, b=theirs, reason=each.reason))
    return found


def op_proofs(seen: Witness, alignment: Alignment, a: Program) -> tuple[OpProof, ...]:
    """Say of each op of `a` that did not stay as it is whether the checker accepts what it became."""
    refused = _refused(seen)
    found = []
    for graph in alignment.graphs:
        became = {group.a[0]: group.b for group in graph.groups if len(group.a) == 1}
        became |= {name: () for name in graph.only_a if a.graphs[graph.path_a][name].op == "call_function"}
        for name, names in became.items():
            key = (graph.path_a, name)
            status, reason = (REFUSED, refused[key]) if key in refused else (PROVED, "")
            if key in seen.unknown:
                status, reason = UNKNOWN, seen.unknown[key]
            target = a.graphs[graph.path_a][name].target
            found.append(
                OpProof(graph=graph.path_a, node=name, target=target, nodes_b=names, status=status, reason=reason)
            )
    return tuple(found)


def _refused(seen: Witness) -> Mapping[tuple[str, str], str]:
    """The first thing that the checker did not accept about what each op became."""
    found: dict[tuple[str, str], str] = {}
    for refusal in seen.proof.refusals:
        if refusal.node_a:
            found.setdefault(
                (refusal.graph, seen.origins.get((refusal.graph, refusal.node_a), refusal.node_a)), refusal.message
            )
    return found
