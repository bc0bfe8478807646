"""Nodes that are the only ones to use one input of the program: its name says which they are."""

from __future__ import annotations

from collections import Counter

from graphlens.diff.search.evidence import witnesses
from graphlens.diff.search.flat import no_strangers
from graphlens.diff.search.match import FREE, Match
from graphlens.diff.search.merkle import Keys
from graphlens.diff.search.table import SLOT_BITS


def own_weights(match: Match, keys: Keys) -> None:
    """Pair nodes of one key that are the only users of matched inputs, where no neighbour says otherwise."""
    pairs = _only_users(match, keys)
    quick = no_strangers((match.a, match.b), (match.mate_a, match.mate_b), pairs)
    sure = [pair for pair, known in zip(pairs, quick, strict=True) if known or not witnesses(match, *pair).hard]
    ours, theirs = Counter([i for i, _ in sure]), Counter([j for _, j in sure])
    single = ((i, j) for i, j in sure if ours[i] == theirs[j] == 1)
    match.pair_all(single, "propagated", 0.95, ("the only user of an input",))


def _only_users(match: Match, keys: Keys) -> list[tuple[int, int]]:
    """List free nodes of one key that are the only users of an input on their side, each pair once."""
    users_a, users_b, mate_a, mate_b = match.a.users, match.b.users, match.mate_a, match.mate_b
    key_a, key_b = keys
    found: dict[tuple[int, int], None] = {}
    for p in match.a.of("placeholder"):
        q = mate_a[p]
        if q >= 0 and len(users_a[p]) == len(users_b[q]) == 1:
            i, j = users_a[p][0] >> SLOT_BITS, users_b[q][0] >> SLOT_BITS
            if key_a[i] == key_b[j] and mate_a[i] == FREE == mate_b[j]:
                found[i, j] = None
    return list(found)
