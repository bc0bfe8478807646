"""The checker: the only source of "same". It takes proposals and believes none of them.

It re-derives that the pairs are one-to-one on live nodes and agree in op, arguments, every operand edge, role in the
signature, mutations and order of effects, nested graphs, recorded values, ranges, guards and constants. It uses no
hash of a graph and no code of the search, and takes time linear in nodes and edges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from graphlens.diff.alignment import Alignment, GraphAlignment
from graphlens.diff.check.bench import Bench, one_to_one, open_proposals
from graphlens.diff.check.boundary import Border, check_inputs, check_signature
from graphlens.diff.check.bounds import check_bounds
from graphlens.diff.check.constants import Constants, Weights
from graphlens.diff.check.findings import Findings, counted
from graphlens.diff.check.graphs import check_pairs, check_totality
from graphlens.diff.check.live import Facts, all_facts
from graphlens.diff.check.merged import Merged
from graphlens.diff.check.order import Sides, check_order
from graphlens.diff.check.storage import Sources
from graphlens.diff.check.symbols import Renaming
from graphlens.diff.check.tied import Tied
from graphlens.diff.check.values import Values
from graphlens.diff.proof import DIFFERENT, IDENTICAL, UNKNOWN, UP_TO, Proof
from graphlens.diff.weights import Equal, stored_equal
from graphlens.program.frozen import freeze
from graphlens.program.program import ROOT, Program, child_path

RENUMBERED = "renumbered symbols"
MATCHED_CUSTOM = "custom operators of the same name are the same"


def verify(
    a: Program, b: Program, alignment: Alignment, *, weights: Weights = "digest", equal: Equal = stored_equal
) -> Proof:
    """Decide in which sense two programs are the same, under a proposed alignment.

    Parameters
    ----------
    a, b
        The two programs.
    alignment
        Proposals of a search, or of anybody. Nothing in it is taken on trust; a wrong one is refused.
    weights
        ``"digest"`` compares stored tensors by size, CRC-32 or digest and says so under `Proof.assumptions`,
        ``"exact"`` their bytes, ``"ignore"`` not at all (then the proof is "for equal weights").

    equal
        How the elements of two stored tensors are compared; `graphlens.diff.weights.remembered` asks once.

    Returns
    -------
    Proof
        See there for the levels.
    """
    return check(a, b, alignment, weights=weights, equal=equal).proof


@dataclass(frozen=True)
class CheckedGraph:
    """What was found out about a proposal whose pairs are one-to-one: what each side does, and who is whose `mate`.

    `closer` names the nodes of `a` that took a closer look. Every other pair passes exactly the same arguments to the same
    target, operands by their pairs, and holds no nested graph.
    """

    proposal: GraphAlignment
    a: Facts
    b: Facts
    mate: Mapping[str, str]
    closer: frozenset[str]
    merged: Merged


@dataclass(frozen=True)
class Checked:
    """A proof, and what was found out on the way to it: the facts of all graphs of `a` and of `b`, pairs of graphs by path in `a`."""

    proof: Proof
    facts: tuple[Mapping[str, Facts], Mapping[str, Facts]]
    graphs: Mapping[str, CheckedGraph]


def check(
    a: Program, b: Program, alignment: Alignment, *, weights: Weights = "digest", equal: Equal = stored_equal
) -> Checked:
    """Verify an alignment, and hand on what was found out on the way. The parameters are those of `verify`."""
    findings = Findings()
    renaming = Renaming(alignment.symbols)
    for left, right in renaming.conflicts:
        findings.refuse("program", "", "", "symbols", f"{left} to {right} is no one-to-one renaming")
    schemas = {**a.schemas, **b.schemas}
    facts_a = all_facts(a, schemas)
    facts_b = all_facts(b, schemas, facts_a)
    constants = Constants(a, b, weights, equal, findings)
    values = Values(renaming, findings)
    proposed = _by_path(alignment, findings)
    done: dict[tuple[int, int, int], Bench] = {}
    checked: dict[str, CheckedGraph] = {}
    stack = [(ROOT, ROOT)]
    seen: set[str] = set()
    while stack:
        paths = stack.pop()
        graph = proposed.get(paths[0])
        seen.add(paths[0])
        if graph is None or graph.path_b != paths[1] or paths[0] not in facts_a or paths[1] not in facts_b:
            findings.refuse(paths[0], "", "", "subgraph", f"no alignment of graph {paths[0]!r} with {paths[1]!r}")
            continue
        fa, fb = facts_a[paths[0]], facts_b[paths[1]]
        key = (id(fa), id(fb), id(graph.pairs))
        mate = one_to_one(paths[0], graph, fa, fb, findings)
        if key not in done or paths == (ROOT, ROOT):
            done[key] = _check_graph(a, b, graph, (fa, fb), mate, values, findings)
        if len(mate) == len(graph.pairs):
            checked[paths[0]] = CheckedGraph(graph, fa, fb, mate, frozenset(done[key].closer), done[key].merged)
        constants.attributes(paths, fa, fb, mate)
        stack.extend(reversed(_children(paths, fa, fb, mate, findings)))
        if paths == (ROOT, ROOT):
            check_signature(Border(a, b, (fa, fb), mate, findings))
            constants.root_inputs(a, b, mate)
    _check_rest(a, b, proposed, seen, renaming, findings)
    return Checked(_proof(findings), (facts_a, facts_b), checked)


def _by_path(alignment: Alignment, findings: Findings) -> dict[str, GraphAlignment]:
    found: dict[str, GraphAlignment] = {}
    targets: set[str] = set()
    for graph in alignment.graphs:
        if graph.path_a in found or graph.path_b in targets:
            findings.refuse(graph.path_a, "", "", "alignment", f"graph {graph.path_a!r} is aligned twice")
        found.setdefault(graph.path_a, graph)
        targets.add(graph.path_b)
    return found


def _check_graph(
    a: Program,
    b: Program,
    graph: GraphAlignment,
    facts: tuple[Facts, Facts],
    mate: dict[str, str],
    values: Values,
    findings: Findings,
) -> Bench:
    fa, fb = facts
    schemas = {**a.schemas, **b.schemas}
    sources = Sources((a, b), (graph.path_a, graph.path_b), facts, mate)
    merged = Merged(sources)
    undecided = open_proposals(graph, findings)
    tied = Tied(sources)
    bench = Bench(graph.path_a, fa, fb, mate, undecided, schemas, merged, tied, values.renaming, values, findings)
    check_totality(bench)
    check_pairs(bench)
    if graph.path_a != ROOT:
        check_inputs(graph.path_a, fa, fb, mate, findings)
    check_order(Sides(graph.path_a, fa, fb, mate, sources), findings)
    return bench


def _children(
    paths: tuple[str, str], fa: Facts, fb: Facts, mate: dict[str, str], findings: Findings
) -> list[tuple[str, str]]:
    """Pair the nested graphs of paired nodes by role."""
    found: list[tuple[str, str]] = []
    names = [node.name for node in fa.holders if node.name in mate]
    met = {mate[name] for name in names}
    others = {node.name for node in fb.holders if node.name not in met}
    names += [name for name in mate if mate[name] in others] if others else []
    for name in names:
        node, partner = fa.nodes[name], fb.nodes[mate[name]]
        roles = [subgraph.role for subgraph in node.subgraphs]
        if roles != [subgraph.role for subgraph in partner.subgraphs]:
            findings.refuse(paths[0], node.name, partner.name, "subgraph", f"nested graphs {roles} and others")
            continue
        found += [(child_path(paths[0], node.name, role), child_path(paths[1], partner.name, role)) for role in roles]
    return found


def _check_rest(
    a: Program, b: Program, proposed: dict[str, GraphAlignment], seen: set[str], renaming: Renaming, findings: Findings
) -> None:
    for path in proposed:
        if path not in seen:
            findings.refuse(path, "", "", "alignment", f"graph {path!r} is held by no pair of nodes")
    check_bounds(a, b, renaming, findings)
    _check_custom(a, b, findings)
    if _other_members(a) != _other_members(b):
        findings.assumptions["other members of the archives, which differ, are not asked about"] = 1
    if renaming.renamed():
        findings.rules[RENUMBERED] += renaming.renamed()


def _check_custom(a: Program, b: Program, findings: Findings) -> None:
    """Refuse operators whose schemas differ; note that of operators outside torch only the schemas were compared."""
    if any(a.schemas[target] != b.schemas[target] for target in a.schemas if target in b.schemas):
        findings.refuse("program", "", "", "schema", "a custom operator has another schema")
    if a.schemas or b.schemas:
        findings.assumptions[MATCHED_CUSTOM] = 1


_OF_THE_PROGRAM = ("weight", "constant", "example inputs", "zip bookkeeping", "pickle", "script object")


def _other_members(program: Program) -> Counter[tuple[str, int, int]]:
    """Count the members of an archive that are no part of the program itself, by kind, size and CRC-32."""
    members = (member for member in program.payloads if not member.kind.startswith(_OF_THE_PROGRAM))
    return Counter((member.kind, member.size, member.crc32) for member in members)


def _proof(findings: Findings) -> Proof:
    rules = freeze({name: count for name, count in sorted(findings.rules.items()) if count})
    if findings.refusals:
        level = DIFFERENT
    elif findings.unknown:
        level = UNKNOWN
    else:
        level = UP_TO if rules else IDENTICAL
    return Proof(
        level=level,
        rules=rules,
        nodes=findings.nodes,
        edges=findings.edges,
        assumptions=counted(findings.assumptions),
        unknown=counted(findings.unknown),
        refusals=tuple(findings.refusals),
    )
