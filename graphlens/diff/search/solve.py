"""Match one pair of graphs: strongest evidence first, each step on what the steps before left over."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from graphlens.diff.search.called_modules import called_modules_step
from graphlens.diff.search.colors import Painter, color_step
from graphlens.diff.search.cuts import bundle_cuts, rewritten_with
from graphlens.diff.search.duplicates import duplicates_step, prefer_names
from graphlens.diff.search.exchange import doubled_step, exchange_step
from graphlens.diff.search.footing import footing_step
from graphlens.diff.search.in_place import closing_step, in_place_step
from graphlens.diff.search.intern import Interner
from graphlens.diff.search.keys import BARE, SIZES
from graphlens.diff.search.leftover import Entry, interchangeable, pair_named, pair_twins, set_aside, still_free
from graphlens.diff.search.match import Homes, Match
from graphlens.diff.search.merkle import Keys, merkle_step
from graphlens.diff.search.own_weights import own_weights
from graphlens.diff.search.provenance import provenance_step
from graphlens.diff.search.repeated import repeated_step
from graphlens.diff.search.replay import replay_step
from graphlens.diff.search.sequence import sequence_step
from graphlens.diff.search.shifted import unshift_step
from graphlens.diff.search.shifts import SMALLEST, shifts_step
from graphlens.diff.search.similar import Modules, similar_step
from graphlens.diff.search.singled import singled_step, unused_step
from graphlens.diff.search.sites import Sites
from graphlens.diff.search.sweep import MODULE, ONE, TWO, TWO_BUT, Links, Singular, forward_all, spread
from graphlens.diff.search.symmetric import symmetric_step
from graphlens.diff.search.table import Table, weaker_key

_FEW = 2000
_SMALL = 128
_PLAN, _SHORT = 512, 1
_RADII = (3, 3, 2, 1)
_WALKS, _TINY = 3, 16
_ROUNDS = 64
_LABELS = ("", " up to sizes", " up to literals")


@dataclass(frozen=True)
class Solved:
    """A match with its ambiguous nodes."""

    match: Match
    ambiguous: tuple[Entry, ...]


@dataclass(frozen=True)
class Rung:
    """One rung of the ladder: the keys, where they lead, and what is added to the name of the evidence."""

    keys: Keys
    links: tuple[Links, Links]
    label: str


def solve(match: Match, intern: Interner, modules: Modules) -> Solved:
    """Extend a match that holds the anchors as far as evidence goes, and say of the rest what can be said.

    Where there are modules, first everything that stays in its module is paired: what the layer after a removed one starts
    with is computed from the same as what the removed one started with, and is not that.
    """
    full = _rung(match, (match.a.key, match.b.key), "")
    forward_all(match, full.links, "same")
    if match.open():
        closing_step(match, modules)
    undecided: list[Entry] = []
    if match.open() and sum(map(len, match.free())) > _SMALL:
        undecided = _surroundings(match, full.keys, modules, intern)
    homes, regions = match.homes, match.homes or modules
    if homes is not None:
        _pairs(match, full, intern, modules, regions)
        if match.open():
            unused_step(match, full.keys, modules)
        match.homes = None
    _pairs(match, full, intern, modules, regions)
    if match.open():
        in_place_step(match, modules)
    told = homes is not None or min(len(match.a), len(match.b)) < SMALLEST
    if told and unshift_step(match, full.keys, modules, _PLAN):
        _pairs(match, full, intern, modules, regions)
    undecided += shifts_step(match, modules, partial(_pairs, match, full, intern, modules, regions))
    undecided += exchange_step(match, modules)
    if not told and unshift_step(match, full.keys, modules, _SHORT):
        _pairs(match, full, intern, modules, regions)
    if not told:
        undecided += [*doubled_step(match), *footing_step(match)]
    if match.open() and pair_named(match, full.keys, modules):
        _pairs(match, full, intern, modules, regions)
    match.homes = homes
    prefer_names(match)
    match.homes = None
    pair_twins(match)
    return Solved(match, (*undecided, *_rest(match, full.keys, modules)))


def _surroundings(match: Match, keys: Keys, modules: Modules, intern: Interner) -> list[Entry]:
    """Pair what its surroundings single out (a single edge says enough only within a module), then repeated structure."""
    own_weights(match, keys)
    painter = Painter(match)
    known = max(modules[0]) >= 0
    if not known:
        sequence_step(match, modules, intern)
    for radius in _RADII if known else _RADII[:-1]:
        color_step(match, painter, keys, modules, radius)
    undecided: list[Entry] = []
    for _ in range(_WALKS if not known else 0):
        before = len(match.free()[0])
        if not match.open() or before < _TINY:
            break
        undecided = repeated_step(match, painter, keys, modules)
        if undecided or len(match.free()[0]) * 2 > before:
            break
    return undecided


def _pairs(match: Match, full: Rung, intern: Interner, modules: Modules, homes: Homes) -> None:
    forward_all(match, full.links, "same")
    if match.open():
        spread(match, full.keys, full.links, match.free()[0], (TWO,), "propagated", None)
    if match.open():
        _climb(match, full, intern, modules, homes)


def _rung(match: Match, keys: Keys, label: str) -> Rung:
    return Rung(keys, (Links(match.a, keys[0]), Links(match.b, keys[1])), label)


def _climb(match: Match, full: Rung, intern: Interner, modules: Modules, homes: Homes) -> None:
    """Pair what exact keys and provenance decide, and search what they leave: equal pockets of it once."""
    _numbers(match, full, modules, intern)
    if match.open() and provenance_step(match) + called_modules_step(match):
        _numbers(match, full, modules, intern)
    if match.open():
        replay_step(match, modules, homes, partial(_descend, match, full, intern, modules))


def _descend(match: Match, full: Rung, intern: Interner, modules: Modules) -> None:
    """Go down the ladder: exact keys, then masked ones, each with much agreement first; then what merely looks alike."""
    ladder = [full]
    _settle(match, full, full, modules, (TWO, TWO_BUT, MODULE), intern)
    for masked in (SIZES, BARE):
        if not match.open():
            return
        free_a, free_b = match.free()
        keys = (_weaker(match.a, free_a, masked, intern), _weaker(match.b, free_b, masked, intern))
        ladder.append(_rung(match, keys, _LABELS[masked]))
        _settle(match, full, ladder[-1], modules, (TWO, TWO_BUT, MODULE), intern)
    if match.open() and duplicates_step(match, full.keys, intern):
        _settle(match, full, full, modules, (TWO, TWO_BUT, MODULE), intern)
    for rung in ladder:
        _settle(match, full, rung, modules, (TWO, TWO_BUT, MODULE, ONE), intern)
    for _ in range(_ROUNDS):
        if not match.open() or not similar_step(match, tuple(rung.keys for rung in ladder), modules):
            return
        for rung in ladder:
            _settle(match, full, rung, modules, (TWO, TWO_BUT, MODULE), intern)


def _numbers(match: Match, rung: Rung, modules: Modules, intern: Interner) -> None:
    """Alternate between numbers that single a node out and spreading, as long as much comes of it."""
    for _ in range(_ROUNDS):
        before = len(match.free()[0])
        made = merkle_step(match, rung.keys, intern, rung.label)
        made += singled_step(match, rung.keys, modules, rung.label)
        made = made or symmetric_step(match, rung.keys, intern)
        if not made or not match.open():
            return
        made += spread(match, rung.keys, rung.links, match.free()[0], (TWO,), "propagated" + rung.label, None)
        if made * 10 < before > _FEW:
            return


def _settle(match: Match, full: Rung, rung: Rung, modules: Modules, needs: tuple[int, ...], intern: Interner) -> None:
    """Spread on one rung; what that makes clear without masks is paired before anything else with them."""
    for _ in range(_ROUNDS):
        if not match.open():
            return
        before = len(match.free()[0])
        singular = Singular(match, rung.keys, modules)
        made = spread(match, rung.keys, rung.links, match.free()[0], needs, "propagated" + rung.label, singular)
        if not made or made * 10 < before > _FEW:
            return
        if rung.label:
            _numbers(match, full, modules, intern)
        _numbers(match, rung, modules, intern)


def _weaker(table: Table, free: list[int], rung: int, intern: Interner) -> list[int]:
    keys = [-1] * len(table)
    for i in free:
        keys[i] = weaker_key(table, i, rung, intern)
    return keys


def _rest(match: Match, keys: Keys, modules: Modules) -> tuple[Entry, ...]:
    free_a, free_b = match.free()
    if not free_a or not free_b:
        return ()
    entries = interchangeable(match, keys, modules)
    several = [entry for entry in entries if len(entry[0]) > 1 or len(entry[1]) > 1]
    sites = Sites(match) if several else None
    aside = [entry for entry in several if sites is None or not rewritten_with(match, sites, *entry[:2])]
    set_aside(match, aside)
    bundle_cuts(match)  # what is the only one of its kind in a stretch that was rewritten went with it
    left = [entry if entry in aside else still_free(match, entry) for entry in entries]
    set_aside(match, [entry for entry in left if entry is not None and entry not in aside])
    return tuple(entry for entry in left if entry is not None)
