"""Both graphs written out in one order and held against each other as sequences, counted from both ends.

Along the edges every step looks right in a stack of equal layers, whether or not it has slipped by a layer. As a sequence
the stack has two ends: where as many layers lie between them, slipping by one leaves one over on either side.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from graphlens.diff.search.colors import forms, nearest
from graphlens.diff.search.intern import Interner
from graphlens.diff.search.match import FREE, Match
from graphlens.diff.search.merkle import Keys, up_numbers
from graphlens.diff.search.subsequence import NEVER, Pair, sure_pairs
from graphlens.diff.search.table import SLOT_BITS, Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from graphlens.diff.search.subsequence import Weights

_CELLS = 100_000_000
_KEY, _NEAR, _TARGET, _MARGIN = 2, 1, 1, 14
_ROUNDS, _MOST = 2, 64
_NOTE = ("in its place, counted from both ends",)


def sequence_step(match: Match, modules: Keys, intern: Interner) -> int:
    """Pair free nodes that stand where no other can stand, counted from both ends; return how many."""
    ours, theirs = written_out(match.a), written_out(match.b)
    if len(ours) * len(theirs) > _CELLS or not ours or not theirs:
        return 0
    weigh = _Weigher(match, ours, theirs, modules)
    pairs = [(ours[x], theirs[y]) for x, y in sure_pairs(len(ours), len(theirs), weigh, _MARGIN)]
    made = [(i, j) for i, j in _told_apart(match, pairs, intern) if match.pair(i, j, "propagated", 0.9, _NOTE)]
    for _ in range(_ROUNDS):
        alone = [(i, j) for i, j in made if match.mate_a[i] == j and not _supported(match, i, j)]
        for i, j in alone:
            match.part(i, j)
        if not alone:
            break
    match.placed = frozenset(i for i, j in made if match.mate_a[i] == j)
    return len(match.placed)


def _supported(match: Match, i: int, j: int) -> bool:
    """Whether an operand agrees, if there are any, and a use, if there are any, or would but for one put in or taken out."""
    for near in (_operands, _users):
        ours, theirs = near(match.a, i), near(match.b, j)
        if not ours or not theirs:
            if bool(ours) != bool(theirs) and near is _operands:
                return False
            continue
        far = [x for p in ours if match.mate_a[p] == FREE for x in near(match.a, p)]
        beyond = {y for q in theirs if match.mate_b[q] == FREE for y in near(match.b, q)}
        if not any(match.mate_a[p] in theirs or match.mate_a[p] in beyond for p in ours) and not any(
            match.mate_a[x] in theirs for x in far
        ):
            return False
    return True


def _operands(table: Table, i: int) -> list[int]:
    return table.operands[i]


def _users(table: Table, i: int) -> list[int]:
    return [use >> SLOT_BITS for use in table.users[i][:_MOST]]


def _told_apart(match: Match, pairs: list[Pair], intern: Interner) -> list[Pair]:
    """Leave out what may be another's: where one side lost a use, its place in the order tells nothing among nodes of one make."""
    lost = [(i, j) for i, j in pairs if match.a.live[i] != match.b.live[j]]
    if not lost:
        return pairs
    up_a, up_b = (
        up_numbers(table, list(range(len(table))), [0] * len(table), table.key, intern) for table in (match.a, match.b)
    )
    many = [{number for number, count in Counter(up.values()).items() if count > 1} for up in (up_a, up_b)]
    vague = {up_a[i] for i, _ in lost} & many[0], {up_b[j] for _, j in lost} & many[1]
    return [(i, j) for i, j in pairs if up_a[i] not in vague[0] and up_b[j] not in vague[1]]


def written_out(table: Table) -> list[int]:
    """Return the nodes in an order that edits change little, and that of the program does not.

    What the output is computed from, each node after its operands, and all that one operand needs before the next. What
    the output does not need stands after the one node of this that it is computed from, and is left out if there are more.
    """
    found: list[int] = []
    done = set(table.twin)
    outputs = [i for i, node in enumerate(table.nodes) if node.op == "output"]
    for root in outputs:
        found += _below(table, root, done)
    place = {i: at for at, i in enumerate(found)}
    unused = [i for i, users in enumerate(table.users) if not users and table.operands[i] and i not in done]
    near = forms(table).up
    beside: dict[int, list[int]] = {}
    for root in sorted(unused, key=near.__getitem__):
        block = _below(table, root, done)
        held = {place[p] for i in block for p in table.operands[i] if p in place}
        place.update(dict.fromkeys(block, max(held, default=-1)))
        if len(held) == 1:
            beside.setdefault(held.pop(), []).extend(block)
    order = []
    for at, i in enumerate(found):
        order.append(i)
        order += beside.get(at, ())
    return order


def _below(table: Table, root: int, done: set[int]) -> list[int]:
    found: list[int] = []
    done.add(root)
    stack = [(root, iter(table.operands[root]))]
    while stack:
        node, operands = stack[-1]
        i = next((p for p in operands if p not in done), -1)
        if i >= 0:
            done.add(i)
            stack.append((i, iter(table.operands[i])))
        else:
            stack.pop()
            found.append(node)
    return found


class _Weigher:
    """How much speaks for a node of one sequence and each of the other: key, neighbours' keys; target alone; nothing else."""

    def __init__(self, match: Match, ours: list[int], theirs: list[int], modules: Keys) -> None:
        import numpy as np

        self.match, self.ours = match, ours
        self.column = {j: y for y, j in enumerate(theirs)}
        number: dict[str, int] = {}
        self.left = _columns(match.a, ours, modules[0], number)
        self.right = _columns(match.b, theirs, modules[1], number)
        self.taken = np.array([match.mate_b[j] != FREE for j in theirs], dtype=bool)
        self.rows: dict[tuple[int, ...], Weights] = {}

    def __call__(self, row: int) -> Weights:
        """Return the weights of one row."""
        import numpy as np

        mate = self.match.mate_a[self.ours[row]]
        if mate != FREE:
            found = np.full(len(self.taken), NEVER, dtype=np.int32)
            if mate in self.column:
                found[self.column[mate]] = _KEY + 2 * _NEAR
            return found
        facts = tuple(int(each[row]) for each in self.left)
        known = self.rows.get(facts)
        if known is None:
            key, up, down, target, module = (each == fact for each, fact in zip(self.right, facts, strict=True))
            found = np.where(key, np.int32(_KEY - _TARGET), np.int32(0)) + key * (up.astype(np.int32) + down) * _NEAR
            known = np.where(target & module & ~self.taken, found + np.int32(_TARGET), np.int32(NEVER))
            self.rows[facts] = known.astype(np.int32)
        return self.rows[facts]


def _columns(
    table: Table, nodes: list[int], modules: list[int], number: dict[str, int]
) -> tuple[NDArray[np.int64], ...]:
    """Return key, forms, target and module of some nodes."""
    import numpy as np

    up, down = nearest(table)
    targets = [
        number.setdefault(node.target if node.op == "call_function" else f"{node.op} {key}", len(number))
        for node, key in zip(table.nodes, table.key, strict=True)
    ]
    return tuple(np.array([each[i] for i in nodes]) for each in (table.key, up, down, targets, modules))
