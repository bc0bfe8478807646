"""Free nodes that their module singles out: the only ones of their kind, or among their neighbours' kinds, in it."""

from __future__ import annotations

from graphlens.diff.search.evidence import witnesses
from graphlens.diff.search.match import Match
from graphlens.diff.search.merkle import Keys
from graphlens.diff.search.similar import Modules
from graphlens.diff.search.table import SLOT_BITS, SLOT_MASK, Table

_MOST_USES = 16
Place = tuple[int, ...]


def singled_step(match: Match, keys: Keys, modules: Modules, label: str) -> int:
    """Pair free nodes that are alone in their module with their key and the keys around them; return how many pairs."""
    free_a, free_b = match.free()
    left = _places(match.a, free_a, keys[0], modules[0])
    right = _places(match.b, free_b, keys[1], modules[1])
    made = 0
    for place, i in left.items():
        j = right.get(place, -1)
        if i >= 0 and j >= 0 and not (label and witnesses(match, i, j).hard):
            made += match.pair(i, j, "propagated" + label, 0.85, ("the only one of its kind in its module",))
    return made


def unused_step(match: Match, keys: Keys, modules: Modules) -> int:
    """Pair free nodes that nothing uses and that are the last of their kind in their module; return how many pairs.

    What a layer asserts about its input has no users to speak for it, and another operand where the layer before is gone.
    """
    free_a, free_b = match.free()
    left, right = _unused(match.a, free_a, keys[0], modules[0]), _unused(match.b, free_b, keys[1], modules[1])
    made = 0
    for place, i in left.items():
        j = right.get(place, -1)
        if i >= 0 and j >= 0 and not witnesses(match, i, j).hard:
            made += match.pair(i, j, "propagated", 0.8, ("the last of its kind in its module, and nothing uses it",))
    return made


def _unused(table: Table, free: list[int], key: list[int], modules: list[int]) -> dict[Place, int]:
    found: dict[Place, int] = {}
    for i in free:
        if modules[i] >= 0:
            place = (modules[i], key[i])
            found[place] = -1 if place in found or table.users[i] or not table.operands[i] else i
    return found


def _places(table: Table, free: list[int], key: list[int], modules: list[int]) -> dict[Place, int]:
    found: dict[Place, int] = {}
    for i in free:
        module = modules[i]
        uses = table.users[i]
        if module < 0 or len(uses) > _MOST_USES:
            continue
        above = sorted((key[use >> SLOT_BITS] << SLOT_BITS) + (use & SLOT_MASK) for use in uses)
        below = [key[p] for p in table.operands[i]]
        if table.commutative[i]:
            below.sort()
        place = (module, key[i], len(below), *below, *above)
        found[place] = -1 if place in found else i
    return found
