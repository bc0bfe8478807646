"""Two-way Merkle numbers of the nodes that are still free: what each is computed from, and what is computed from it.

Matched nodes are the leaves, so the numbers say more the more is matched.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from graphlens.diff.search.intern import Interner
from graphlens.diff.search.match import Match
from graphlens.diff.search.silent import Silent, silent_numbers
from graphlens.diff.search.table import SLOT_BITS, SLOT_MASK, Table

Keys = tuple[list[int], list[int]]
Anchors = Mapping[int, int] | list[int]


def up_numbers(table: Table, free: list[int], anchor: Anchors, key: list[int], intern: Interner) -> dict[int, int]:
    """Number each free node by its key and its operands; `anchor` numbers the matched nodes."""
    numbers = intern.numbers
    number_of = numbers.setdefault
    operands, commutative = table.operands, table.commutative
    up: dict[int, int] = {}
    get = up.get
    for i in free:
        below = [get(p, -2 - anchor[p]) for p in operands[i]]
        if commutative[i]:
            below.sort()
        up[i] = number_of((key[i], *below), len(numbers))
    return up


def down_numbers(table: Table, free: list[int], anchor: Anchors, key: list[int], intern: Interner) -> dict[int, int]:
    """Number each free node by its key and its uses. Dead users do not count for a live node."""
    numbers = intern.numbers
    number_of = numbers.setdefault
    users, live = table.users, table.live
    down: dict[int, int] = {}
    get = down.get
    for i in reversed(free):
        uses = users[i]
        if live[i]:
            uses = [use for use in uses if live[use >> SLOT_BITS]]
        above = [
            (get(use >> SLOT_BITS, -2 - anchor[use >> SLOT_BITS]) << SLOT_BITS) + (use & SLOT_MASK) for use in uses
        ]
        if len(above) > 1:
            above.sort()
        down[i] = number_of((key[i], *above), len(numbers))
    return down


def used_numbers(
    table: Table, up: dict[int, int], mate: list[int], key: list[int], intern: Interner, *, own: bool
) -> dict[int, int]:
    """Number each free node by its key and its uses, each with what else goes into the user.

    Without the other operands a chain of equal links could be shifted by one and still look right. A node whose uses
    cannot all be told so has no number.
    """
    numbers = intern.numbers
    number_of = numbers.setdefault
    operands, users, live, commutative = table.operands, table.users, table.live, table.commutative
    found: dict[int, int] = {}
    for i in reversed(up):
        above: list[tuple[int, ...]] = []
        for use in users[i]:
            u, slot = use >> SLOT_BITS, use & SLOT_MASK
            if live[i] and not live[u]:
                continue
            beside = operands[u]
            number = found.get(u, -1) if mate[u] < 0 else -2 - (u if own else mate[u])
            if number == -1 or len(beside) > _WIDE:
                break
            others = [up[p] if p in up else -2 - (p if own else mate[p]) for p in beside if p != i]
            if commutative[u]:
                others.sort()
            above.append((number, slot, *others))
        else:
            if above:
                above.sort()
                found[i] = number_of((key[i], "used", *above), len(numbers))
    return found


_WIDE = 16
_FEW_OF = 4
Numbers = tuple[dict[int, int], dict[int, int]]


def both_numbers(match: Match, keys: Keys, intern: Interner) -> tuple[Numbers, Numbers]:
    """Return up and down numbers of the free nodes of `a` and of `b`."""
    free_a, free_b = match.free()
    match.spend(2 * (len(free_a) + len(free_b)))
    count = len(match.mate_a)
    anchor_a = {p: p if (q := match.mate_a[p]) >= 0 else _unanchored(q, count) for p in _near(match.a, free_a)}
    anchor_b = {q: p if (p := match.mate_b[q]) >= 0 else _unanchored(p, count) for q in _near(match.b, free_b)}
    up_a = up_numbers(match.a, free_a, anchor_a, keys[0], intern)
    up_b = up_numbers(match.b, free_b, anchor_b, keys[1], intern)
    down_a = down_numbers(match.a, free_a, anchor_a, keys[0], intern)
    down_b = down_numbers(match.b, free_b, anchor_b, keys[1], intern)
    return (up_a, down_a), (up_b, down_b)


def _near(table: Table, free: list[int]) -> Iterable[int]:
    """Return what the free nodes use and what uses them: all that their numbers are made of."""
    if len(free) * _FEW_OF > len(table):
        return range(len(table))
    near = {p for i in free for p in table.operands[i]}
    near.update(use >> SLOT_BITS for i in free for use in table.users[i])
    return near


def _unanchored(mate: int, count: int) -> int:
    return count - mate  # past every anchor: one number for free nodes, one for grouped ones


def merkle_step(match: Match, keys: Keys, intern: Interner, label: str = "") -> int:
    """Pair free nodes whose numbers single them out; return how many pairs were made."""
    (up_a, down_a), (up_b, down_b) = both_numbers(match, keys, intern)
    if not up_a or not up_b:
        return 0
    silent = silent_numbers(match, up_a)
    made = _both_ways(match, (up_a, up_b), (down_a, down_b), label, silent)
    used_a = used_numbers(match.a, up_a, match.mate_a, keys[0], intern, own=True)
    used_b = used_numbers(match.b, up_b, match.mate_b, keys[1], intern, own=False)
    return made + _one_way(match, (up_a, up_b), (used_a, used_b), label, silent)


def classes(up: dict[int, int], down: dict[int, int]) -> dict[tuple[int, int], list[int]]:
    """Sort nodes by their two numbers."""
    found: dict[tuple[int, int], list[int]] = defaultdict(list)
    for i, number in up.items():
        found[number, down[i]].append(i)
    return found


def _both_ways(match: Match, up: Numbers, down: Numbers, label: str, silent: Silent) -> int:
    """Pair nodes that both directions together single out."""
    left, right = classes(up[0], down[0]), classes(up[1], down[1])
    made = 0
    for numbers, ours in left.items():
        theirs = right.get(numbers, ())
        if len(ours) == len(theirs) == 1 and not (ours[0] in silent.up and ours[0] in silent.down):
            if _nameless(match.a, ours[0]):
                made += match.pair(
                    ours[0], theirs[0], "propagated" + label, 0.9, ("an input that is used for the same",)
                )
            else:
                made += match.pair(
                    ours[0], theirs[0], "same" + label, 1.0, ("computed from the same, used for the same",)
                )
    return made


def _nameless(table: Table, i: int) -> bool:
    """Whether nothing but its uses (and its form) tells what an input is."""
    node = table.nodes[i]
    label = table.labels.get(node.name, ("weight",))
    return node.op == "placeholder" and isinstance(label, tuple) and label[0] == "weight"


def _one_way(match: Match, up: Numbers, down: Numbers, label: str, silent: Silent) -> int:
    """Pair nodes singled out by one direction, unless the other direction points elsewhere."""
    by_up, by_down = _singles(match, up, silent.up), _singles(match, down, silent.used)
    up_back, down_back = {j: i for i, j in by_up.items()}, {j: i for i, j in by_down.items()}
    made = 0
    for i, j in by_up.items():
        if by_down.get(i, j) == j and down_back.get(j, i) == i:
            made += match.pair(i, j, "same" + label, 0.98, ("computed from the same",))
    for i, j in by_down.items():
        if by_up.get(i, j) == j and up_back.get(j, i) == i:
            made += match.pair(i, j, "propagated" + label, 0.95, ("used for the same, together with the same",))
    return made


def _singles(match: Match, numbers: Numbers, silent: frozenset[int]) -> dict[int, int]:
    ours, theirs = _once(match.mate_a, numbers[0]), _once(match.mate_b, numbers[1])
    alone = {i: theirs.get(number, -1) for number, i in ours.items() if i >= 0}
    found = {i: j for i, j in alone.items() if j >= 0 and i not in silent}
    return {i: j for i, j in found.items() if not match.strangers(i, j)} if match.homes is not None else found


def _once(mate: list[int], numbers: dict[int, int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for i, number in numbers.items():
        if mate[i] < 0:
            found[number] = -1 if number in found else i
    return found
