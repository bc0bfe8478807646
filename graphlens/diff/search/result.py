"""From numbers back to names: the proposals as plain data."""

from __future__ import annotations

from graphlens.diff.alignment import Ambiguous, GraphAlignment, Group, Pair
from graphlens.diff.dialect import same_function
from graphlens.diff.search.match import FREE, Match
from graphlens.diff.search.solve import Solved
from graphlens.diff.search.spoken import DIALECT
from graphlens.diff.search.table import Table
from graphlens.program.argument import Ref, leaves
from graphlens.program.graph import Node


def graph_alignment(paths: tuple[str, str], solved: Solved) -> GraphAlignment:
    """Write the result for one pair of graphs."""
    match = solved.match
    names_a, names_b = ([node.name for node in table.nodes] for table in (match.a, match.b))
    hidden = {i for bundle in match.bundles for i in bundle.a}
    how = match.how
    if match.a.spoken:
        how = [_told(match, i, j) if j >= 0 else how[i] for i, j in enumerate(match.mate_a)]
    pairs = tuple(
        Pair(names_a[i], names_b[j], how[i], match.confidence[i], match.notes[i])
        for i, j in enumerate(match.mate_a)
        if j >= 0 and i not in hidden
    )
    groups = tuple(
        Group(
            a=tuple(names_a[i] for i in bundle.a),
            b=tuple(names_b[j] for j in bundle.b),
            match=bundle.how,
            confidence=bundle.confidence,
            witnesses=bundle.notes,
        )
        for bundle in match.bundles
    )
    ambiguous = tuple(
        Ambiguous(a=tuple(names_a[i] for i in ours), b=tuple(names_b[j] for j in theirs), reason=reason)
        for ours, theirs, reason in solved.ambiguous
    )
    return GraphAlignment(
        path_a=paths[0],
        path_b=paths[1],
        pairs=pairs,
        groups=groups,
        ambiguous=ambiguous,
        only_a=tuple(names_a[i] for i, j in enumerate(match.mate_a) if j == FREE),
        only_b=tuple(names_b[j] for j, i in enumerate(match.mate_b) if i == FREE),
    )


def _told(match: Match, i: int, j: int) -> str:
    """Name the evidence of a pair across dialects: what it rests on is compared without the dialect."""
    a, b, how = match.a.nodes[i], match.b.nodes[j], match.how[i]
    values = match.a.value_of, match.b.value_of
    if a.target == b.target or how == "pinned" or not same_function(a, b, values, match.a.schemas):
        return how
    return how.partition(" up to ")[0] + DIALECT


def operand_names(node: Node, table: Table) -> list[str | None]:
    """For each placeholder of a nested graph, the node that the call hands to it; `None` for anything else.

    Higher-order ops hand on their last operands in order, whatever stands before them.
    """
    given = [leaf.node if isinstance(leaf, Ref) else None for argument in node.args for leaf in leaves(argument)]
    count = sum(1 for inner in table.nodes if inner.op == "placeholder")
    return given[-count:] if 0 < count <= len(given) else []
