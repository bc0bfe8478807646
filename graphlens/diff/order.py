"""Which nodes stand in another order, and which values share storage on one side only."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from operator import itemgetter

from graphlens.diff.dialect.inputs import told_by_dynamo
from graphlens.diff.matching import GraphMatch
from graphlens.diff.rows import Finding, Kind
from graphlens.program.graph import Graph
from graphlens.program.value import TensorValue, Value, value_leaves


def moved_pairs(match: GraphMatch) -> list[tuple[int, int, str, str]]:
    """Return the ranks and names of the pairs outside a longest run of pairs that both sides have in the same order.

    The run is found by patience sorting, O(n log n), and from the side whose names come first (from both where neither
    does), so that exchanging the two programs gives the same pairs.
    """
    if _in_order(match):
        return []
    ranks_a, ranks_b = match.a.index, match.b.index
    pairs = sorted([(ranks_a[a], ranks_b[b], a, b) for a, b in match.forward.items()])
    by_b = sorted(pairs, key=itemgetter(1))
    names_a, names_b = [pair[2] for pair in pairs], [pair[3] for pair in by_b]
    kept = {pair[0] for pair in pairs}
    if names_a <= names_b:
        kept &= {pairs[i][0] for i in _longest_increasing([pair[1] for pair in pairs])}
    if names_b <= names_a:  # with equal names in equal order only what both sides keep is the same seen from either
        kept &= {by_b[i][0] for i in _longest_increasing([pair[0] for pair in by_b])}
    return [pair for pair in pairs if pair[0] not in kept]


def _in_order(match: GraphMatch) -> bool:
    """Whether the matched nodes of both sides stand in one order."""
    forward = match.forward
    ours = [forward[node.name] for node in match.a.nodes if node.name in forward]
    theirs = [node.name for node in match.b.nodes]
    if len(ours) != len(theirs):
        theirs = [name for name in theirs if name in match.backward]
    return ours == theirs


def _longest_increasing(numbers: list[int]) -> set[int]:
    """Positions of a longest increasing subsequence."""
    tails: list[int] = []
    at: list[int] = []
    before: list[int] = []
    for i, number in enumerate(numbers):
        place = bisect_left(tails, number)
        before.append(at[place - 1] if place else -1)
        if place == len(tails):
            tails.append(number)
            at.append(i)
        else:
            tails[place] = number
            at[place] = i
    kept: set[int] = set()
    last = at[-1] if at else -1
    while last >= 0:
        kept.add(last)
        last = before[last]
    return kept


def order_findings(match: GraphMatch, *, signed: bool = False) -> Iterator[tuple[str, str, Finding]]:
    """Yield `(node of a, node of b, finding)` for every node that moved among its matched neighbours.

    An input of a graph whose inputs no signature names (`signed`) is another input when it moves among them.
    """
    moved = moved_pairs(match)
    inputs = _exchanged_inputs(match) if moved and not signed else frozenset()
    for one, two, a, b in moved:
        aspect = ("place" if told_by_dynamo(match.a, match.b) else "input") if a in inputs else ""
        found = Finding(field="order", kind="moved", a=f"#{one}", b=f"#{two}", aspect=aspect, value_a=one, value_b=two)
        yield a, b, found


def _exchanged_inputs(match: GraphMatch) -> frozenset[str]:
    """Return the inputs of `a` that stand at another place among the matched inputs of `b`."""
    ours = [node.name for node in match.a.placeholders if node.name in match.forward]
    theirs = [node.name for node in match.b.placeholders if node.name in match.backward]
    return frozenset(x for x, y in zip(ours, theirs, strict=False) if match.forward[x] != y)


Place = tuple[str, str, str]
"""A matched pair of nodes, and the place of a tensor in their values."""


def storage_findings(match: GraphMatch) -> Iterator[tuple[str, str, Finding]]:
    """Yield the values that share their storage with another value on one side and not, or with another, on the other.

    Storage numbers are compared up to renumbering: what counts is the first value (in both orders) of each storage.
    """
    if not (_recorded(match.a) or _recorded(match.b)):
        return
    ours, theirs = _storages(match.a), _storages(match.b)
    if _renumbered(match, ours, theirs):
        return
    ranks_a, ranks_b = match.a.index, match.b.index

    def in_both(pair: tuple[str, str]) -> tuple[int, int]:
        one, two = ranks_a[pair[0]], ranks_b[pair[1]]
        return (one, two) if one < two else (two, one)

    first_a: dict[int, Place] = {}
    first_b: dict[int, Place] = {}
    for a, b in sorted(match.forward.items(), key=in_both):
        left, right = ours.get(a), theirs.get(b)
        if left is None or right is None:
            continue
        for where in left:
            if where not in right:
                continue
            own, one, two = (a, b, where), left[where], right[where]
            root_a = own if one is None else first_a.setdefault(one, own)
            root_b = own if two is None else first_b.setdefault(two, own)
            if root_a != root_b:
                yield a, b, _sharing(own, root_a, root_b, one, two)


def _recorded(graph: Graph) -> bool:
    """Whether any value of a graph says in which storage it is: those that a file describes do not."""
    values = {id(node.value): node.value for node in graph.nodes}
    leaves = (leaf for value in values.values() for _, leaf in value_leaves(value))
    return any(isinstance(leaf, TensorValue) and leaf.storage is not None for leaf in leaves)


Storages = Mapping[str, Mapping[str, int | None]]


def _renumbered(match: GraphMatch, a: Storages, b: Storages) -> bool:
    """Whether the storages of both sides differ in their numbers only: the usual case, told without sorting."""
    there: dict[int, int] = {}
    back: dict[int, int] = {}
    one_sided = False
    for name_a, name_b in match.forward.items():
        left, right = a.get(name_a), b.get(name_b)
        if left is None or right is None:
            continue
        for where, one in left.items():
            two = right.get(where)
            if one is None or two is None:
                one_sided = one_sided or one is not two
            elif there.setdefault(one, two) != two or back.setdefault(two, one) != one:
                return False
    return not one_sided


def _sharing(own: Place, root_a: Place, root_b: Place, left: int | None, right: int | None) -> Finding:
    kind: Kind = "lost" if right is None else "added" if left is None else "changed"
    texts = [
        "" if number is None else "its own storage" if root == own else f"shares storage with {root[side]}{root[2]}"
        for side, (root, number) in enumerate(((root_a, left), (root_b, right)))
    ]
    return Finding(field="val.storage", kind=kind, a=texts[0], b=texts[1], where=own[2], value_a=left, value_b=right)


def _storages(graph: Graph) -> dict[str, dict[str, int | None]]:
    """Storage number of each tensor in each node's value, by node and place; `None` is unknown.

    A getitem and the output only hand on what another node made.
    """
    found: dict[str, dict[str, int | None]] = {}
    for node in graph.nodes:
        value: Value | None = node.value
        if node.op == "output" or node.target == "_operator.getitem":
            continue
        if type(value) is TensorValue:
            found[node.name] = {"": value.storage}
        elif value is not None:
            found[node.name] = {w: v.storage for w, v in value_leaves(value) if isinstance(v, TensorValue)}
    return found
