"""What the neighbours of two nodes say about whether they are one node."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import NamedTuple

from graphlens.diff.dialect.words import CASTS
from graphlens.diff.search.match import FREE, Match
from graphlens.diff.search.table import SLOT_BITS, SLOT_MASK, Table

PASSING = frozenset(
    {
        "_operator.getitem", "aten.alias.default", "aten.detach.default", "aten.detach_.default", "aten.clone.default",
        "aten.contiguous.default", "aten.lift_fresh_copy.default", "aten._to_copy.default", "aten.to.dtype",
        "aten.to.dtype_layout", "aten.to.device", "aten.expand.default", "aten.view.default", "aten.reshape.default",
        "aten._unsafe_view.default", "aten.view_as.default", "prims.device_put.default", "prims.convert_element_type.default",
    }
)  # fmt: skip
"""Operators that hand their first operand's elements on. Looked through for witnesses only, never when comparing."""

_METHODS = frozenset({"clone", "contiguous", "detach", "expand", "reshape", "to", "view", "view_as", *CASTS})
"""The methods of tensors that are these."""

_MANY_USES = 24


class Witnesses(NamedTuple):
    """Neighbours of a proposed pair.

    `agree` are pairs in the same place, `hard` are pairs with something else there, `soft` have a partner on one side only (something was put in or taken out), `total` counts the
    operands of the side that has more.
    """

    agree: int
    soft: int
    hard: int
    operands: int
    total: int

    @property
    def computed_the_same(self) -> bool:
        """Whether every operand agrees."""
        return self.operands == self.total > 0 and not self.hard and not self.soft


def witnesses(match: Match, i: int, j: int) -> Witnesses:
    """Ask all operands and (up to a bound) all users of two nodes."""
    a, b = match.a, match.b
    ours, theirs = a.operands[i], b.operands[j]
    agree, soft, hard = _operand_witnesses(match, ours, theirs)
    operands = agree
    if agree == 1 and not hard and own_weight(match, i, j):
        agree = 2
    uses_a, uses_b = a.users[i], b.users[j]
    if uses_a and uses_b:
        more = _use_witnesses(match, uses_a, uses_b)
        agree, soft, hard = agree + more[0], soft + more[1], hard + more[2]
    return Witnesses(agree, soft, hard, operands, max(len(ours), len(theirs)))


def own_weight(match: Match, i: int, j: int) -> bool:
    """Whether both use one input of the program that nothing else uses: its name is a second witness."""
    for x in match.a.operands[i]:
        y = match.mate_a[x]
        if y >= 0 and y in match.b.operands[j] and match.a.nodes[x].op == "placeholder":
            return len(match.a.users[x]) == len(match.b.users[y]) == 1 and match.how[x] == "signature"
    return False


def _operand_witnesses(match: Match, ours: list[int], theirs: list[int]) -> tuple[int, int, int]:
    mate_a, mate_b = match.mate_a, match.mate_b
    partners = [mate_a[x] for x in ours]
    if partners == theirs:
        return len(ours), 0, 0
    if len(ours) == len(theirs) and len(ours) > 1 and sorted(partners) == sorted(theirs):
        return len(ours), 0, 0  # the same operands in other places
    agree = soft = hard = 0
    if len(ours) != len(theirs):
        agree = (Counter(y for y in partners if y >= 0) & Counter(theirs)).total()
        return agree, abs(len(ours) - len(theirs)), 0
    for x, y in zip(ours, theirs, strict=True):
        mate = mate_a[x]
        if mate == y:
            agree += 1
        elif mate >= 0 and mate_b[y] >= 0:
            if len(ours) > 1 and mate_a[storage(match.a, x)] == storage(match.b, y):
                agree += 1  # the same storage, after other writes
            elif mate_a[through(match.a, x)] == through(match.b, y) or (
                holds_graph(match.a, x) and holds_graph(match.b, y)
            ):
                soft += 1
            else:
                hard += 1
        elif mate >= 0 or mate_b[y] >= 0:
            if mate_a[_past_free(match.a, mate_a, x)] == _past_free(match.b, mate_b, y) >= 0:
                agree += 1
            else:
                soft += 1
    return agree, soft, hard


def _use_witnesses(match: Match, uses_a: list[int], uses_b: list[int]) -> tuple[int, int, int]:
    agree, soft = _uses_there(match.mate_a, uses_a, uses_b, match.b)
    if agree < len(uses_b):
        soft += _uses_there(match.mate_b, uses_b, uses_a, match.a)[1]
    return agree, soft, 0


def _uses_there(mate: list[int], uses: list[int], others: list[int], there: Table) -> tuple[int, int]:
    """Count the matched uses of one node that the other node has too, and those that it does not."""
    agree = soft = 0
    known = set(others) if len(others) <= _MANY_USES else others
    for use in uses[:_MANY_USES]:
        v = mate[use >> SLOT_BITS]
        if v < 0:
            continue
        if (v << SLOT_BITS) + (use & SLOT_MASK) in known:
            agree += 1
        elif (use & SLOT_MASK) < len(there.operands[v]):
            soft += 1
    return agree, soft


def holds_graph(table: Table, i: int) -> bool:
    """Whether a node reads a nested graph: which one a call holds can change like any other argument."""
    label = table.labels.get(table.nodes[i].name)
    return isinstance(label, tuple) and label[0] == "graph"


def through(table: Table, i: int) -> int:
    """Follow a node back through operators that hand their first operand on."""
    nodes, operands = table.nodes, table.operands
    for _ in range(16):
        if not passes(nodes[i].target) or not operands[i]:
            break
        i = operands[i][0]
    return i


def storage(table: Table, i: int) -> int:
    """Follow a node back through writes to where its storage came from."""
    nodes, operands = table.nodes, table.operands
    for _ in range(16):
        if not _writes(nodes[i].target) or not operands[i]:
            break
        i = operands[i][0]
    return i


def near_operands(match: Match, i: int, j: int) -> int:
    """Count the places where two nodes do not use the same node, but what comes from the same one."""
    a, b, mate = match.a, match.b, match.mate_a
    pairs = zip(a.operands[i], b.operands[j], strict=False)
    return sum(mate[x] != y and mate[through(a, x)] == through(b, y) for x, y in pairs)


def behind(match: Match, x: int, y: int) -> bool:
    """Whether one operand is what the other was computed from, by a call that has no partner."""
    a, b, mate = match.a, match.b, match.mate_a
    if mate[x] >= 0:
        return match.mate_b[y] == FREE and mate[x] in b.operands[y][:1]
    return mate[x] == FREE and y in [mate[p] for p in a.operands[x][:1]]


def put_between(match: Match, i: int, j: int) -> bool:
    """Whether one of two calls of different functions stands where on the other side a call uses its operand at once."""
    a, b = match.a, match.b
    if a.nodes[i].target == b.nodes[j].target:
        return False
    return _past(a, i, b, j, match.mate_a) or _past(b, j, a, i, match.mate_b)


def _past(here: Table, i: int, there: Table, j: int, mate: list[int]) -> bool:
    passed = {mate[p] for p in here.operands[i] if mate[p] >= 0}
    users = (mate[use >> SLOT_BITS] for use in here.users[i][:_MANY_USES])
    return any(v >= 0 and j not in there.operands[v] and not passed.isdisjoint(there.operands[v]) for v in users)


@lru_cache(maxsize=4096)
def _writes(target: str) -> bool:
    """Whether an operator or a method of tensors returns its first operand, written to."""
    packet = target.rpartition(".")[0] or f"aten.{target}"
    return packet.startswith("aten.") and packet.endswith("_") and not packet.endswith("__")


def passes(target: str) -> bool:
    """Whether an operator hands its first operand on: the same elements, or the same storage written to."""
    return target in PASSING or target in _METHODS or _writes(target)


def _past_free(table: Table, mate: list[int], i: int) -> int:
    """Follow a free node back through operators that hand their first operand on, to the first matched one."""
    nodes, operands = table.nodes, table.operands
    for _ in range(16):
        if mate[i] >= 0 or not passes(nodes[i].target) or not operands[i]:
            break
        i = operands[i][0]
    return i


def describe(found: Witnesses) -> tuple[str, ...]:
    """Say in words what the neighbours said."""
    texts = [f"{found.operands} of {found.total} operands agree"] if found.total else []
    if found.agree > found.operands:
        texts.append(f"{found.agree - found.operands} uses agree")
    if found.soft:
        texts.append(f"{found.soft} neighbours have no counterpart")
    if found.hard:
        texts.append(f"{found.hard} neighbours disagree")
    return tuple(texts)
