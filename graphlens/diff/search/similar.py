"""What is left: nodes that look alike, paired only if each is the other's best by a margin."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from graphlens.diff.dialect import called
from graphlens.diff.search.evidence import Witnesses, near_operands, own_weight, put_between, witnesses
from graphlens.diff.search.match import FREE, Match
from graphlens.diff.search.table import SLOT_BITS, Table, kind_of
from graphlens.program.frames import frame_text, user_frame
from graphlens.program.graph import Node
from graphlens.program.value import TensorValue

THRESHOLD, MARGIN = 0.5, 0.08
_MOST = 64

Ladder = tuple[tuple[list[int], list[int]], ...]
Modules = tuple[list[int], list[int]]
"""For each node of both sides, the number of its module; ``-1`` where it has none that corresponds to one of the other side."""


class Score(NamedTuple):
    """How alike two nodes are, 0 to 1, and what that is made of."""

    total: float
    parts: tuple[tuple[str, float], ...]
    found: Witnesses


def packet(node: Node) -> str:
    """Return a target without its dialect, its overload, and the underscore of its in-place form."""
    function = called(node)
    if function:
        return function.rstrip("_")
    if node.op != "call_function" or node.target.count(".") < 2:
        return node.target if node.op not in ("placeholder", "get_attr") else node.op
    return node.target.rpartition(".")[0].rstrip("_")


def score(match: Match, i: int, j: int, ladder: Ladder, modules: Modules) -> Score:
    """Score a pair of free nodes of the same kind of op."""
    a, b = match.a.nodes[i], match.b.nodes[j]
    found = witnesses(match, i, j)
    operands = max(len(match.a.operands[i]), len(match.b.operands[j]))
    comparable = match.a.operands[i] and match.b.operands[j]
    uses = min(len(match.a.users[i]), len(match.b.users[j]), 8)
    parts = (
        ("key", _key(a, b, i, j, ladder)),
        ("operands", 0.25 * found.operands / operands if comparable else 0.1),
        ("what operands come from", 0.16 * near_operands(match, i, j) / operands if operands else 0.0),
        ("uses", 0.2 * min(1.0, (found.agree - found.operands) / uses) if uses else 0.0),
        ("its own weight", 0.1 if a.target == b.target and own_weight(match, i, j) else 0.0),
        ("module", 0.1 if -1 != modules[0][i] == modules[1][j] else 0.0),
        ("name", 0.1 if a.name == b.name and not (_numbered(a) or _numbered(b)) else 0.0),
        ("source", 0.05 if source(a) and source(a) == source(b) else 0.0),
        ("value", 0.05 * _value(a, b)),
        ("contradictions", -0.15 * (found.hard + 2 * put_between(match, i, j))),
    )
    return Score(sum(value for _, value in parts), parts, found)


def _key(a: Node, b: Node, i: int, j: int, ladder: Ladder) -> float:
    for (ours, theirs), worth in zip(ladder, (0.3, 0.25, 0.2), strict=False):
        if ours[i] == theirs[j]:
            return worth
    return 0.12 if packet(a) == packet(b) else 0.0


def _numbered(node: Node) -> bool:
    """Whether a call is named after its function: such a name only says how many there were before."""
    stem, _, number = node.name.rpartition("_")
    stem = stem if number.isdecimal() else node.name
    return node.op == "call_function" and stem in node.target.split(".")


def source(node: Node) -> str:
    """Return the user's own line that a node was made for."""
    return frame_text(user_frame(node.stack_trace)) if node.stack_trace else ""


def _value(a: Node, b: Node) -> float:
    if isinstance(a.value, TensorValue) and isinstance(b.value, TensorValue):
        return (a.value.dtype == b.value.dtype) * 0.5 + (a.value.shape == b.value.shape) * 0.5
    return 0.5 * (type(a.value) is type(b.value))


def candidates(match: Match, i: int, buckets: Mapping[tuple[str, int], list[int]], modules: Modules) -> list[int]:
    """Return free nodes of `b` that may be node `i` of `a`: neighbours' neighbours, and the same operator in its module."""
    found: dict[int, None] = {}
    for x in match.a.operands[i]:
        y = match.mate_a[x]
        if y >= 0 and len(match.b.users[y]) <= _MOST:
            found.update((use >> SLOT_BITS, None) for use in match.b.users[y])
    for use in match.a.users[i][:_MOST]:
        v = match.mate_a[use >> SLOT_BITS]
        if v >= 0 and len(match.b.operands[v]) <= _MOST:
            found.update((q, None) for q in match.b.operands[v])
    bucket = buckets.get((packet(match.a.nodes[i]), modules[0][i]), [])
    found.update((j, None) for j in bucket[:_MOST])
    kind = kind_of(match.a, i)
    alike = [j for j in found if match.mate_b[j] == FREE and kind_of(match.b, j) == kind]
    return [j for j in alike if j not in match.b.twin and match.in_sight(j)]


def buckets_of(table: Table, free: list[int], modules: list[int]) -> dict[tuple[str, int], list[int]]:
    """Sort free nodes by operator and module; a bucket with too many says nothing and is left out."""
    found: dict[tuple[str, int], list[int]] = defaultdict(list)
    for j in free:
        found[packet(table.nodes[j]), modules[j]].append(j)
    return {place: nodes for place, nodes in found.items() if len(nodes) <= _MOST}


Scored = dict[tuple[int, int], Score]


def score_all(match: Match, ladder: Ladder, modules: Modules) -> Scored:
    """Score every pair of free nodes worth a look."""
    free_a, free_b = match.free()
    buckets = buckets_of(match.b, free_b, modules[1])
    found: Scored = {}
    for i in free_a:
        for j in candidates(match, i, buckets, modules):
            found[i, j] = score(match, i, j, ladder, modules)
    return found


class Best(NamedTuple):
    """The best score of a node and with whom, the second best and with whom; ``-1`` is nobody."""

    total: float
    partner: int
    second: float
    runner_up: int


def mutual_best(scored: Scored) -> list[tuple[int, int, Best, Best]]:
    """Return `(i, j, best of i, best of j)` where each is the other's best, good enough, and nobody comes near."""
    best_a, best_b = _best(scored, 0), _best(scored, 1)
    found: list[tuple[int, int, Best, Best]] = []
    for i, best in best_a.items():
        back = best_b[best.partner]
        if back.partner == i and best.total >= THRESHOLD and _margin(best, back) >= MARGIN:
            found.append((i, best.partner, best, back))
    return found


def _margin(best: Best, back: Best) -> float:
    return min(best.total - best.second, back.total - back.second)


def _best(scored: Scored, side: int) -> dict[int, Best]:
    found: dict[int, Best] = {}
    nobody = Best(-1.0, -1, 0.0, -1)
    for pair, value in scored.items():
        node, other = pair[side], pair[1 - side]
        best = found.get(node, nobody)
        if value.total > best.total:
            found[node] = Best(value.total, other, max(best.total, 0.0), best.partner)
        elif value.total > best.second:
            found[node] = Best(best.total, best.partner, value.total, other)
    return found


def _notes(match: Match, score: Score, best: Best, back: Best) -> tuple[str, ...]:
    """Say what the score is made of and who came second, on the side where that was nearer."""
    parts = ", ".join(f"{name} {value:.2f}" for name, value in score.parts if value)
    mine = best.total - best.second <= back.total - back.second
    second = (best.runner_up if mine else back.runner_up), (match.b if mine else match.a)
    margin = f"{_margin(best, back):.2f}"
    ahead = f"ahead of {second[1].nodes[second[0]].name} by {margin}" if second[0] >= 0 else "no other candidate"
    return f"score {score.total:.2f} ({parts})", ahead


def similar_step(match: Match, ladder: Ladder, modules: Modules) -> int:
    """Pair what is mutually best by a margin; return how many pairs were made."""
    made = 0
    scored = score_all(match, ladder, modules)
    for i, j, best, back in mutual_best(scored):
        notes = _notes(match, scored[i, j], best, back)
        made += match.pair(i, j, "similar" + _rung(i, j, ladder), round(min(best.total, 0.9), 2), notes)
    return made


def _rung(i: int, j: int, ladder: Ladder) -> str:
    for (ours, theirs), label in zip(ladder, ("", " up to sizes", " up to literals"), strict=False):
        if ours[i] == theirs[j]:
            return label
    return " up to target"
