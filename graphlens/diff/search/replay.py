"""Equal pockets, aligned once: what was found in one layer is what there is to find in all layers like it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable
from itertools import takewhile
from typing import NamedTuple

from graphlens.diff.search.forms import Form, Forms
from graphlens.diff.search.match import Homes, Match
from graphlens.diff.search.pockets import Pocket, pockets
from graphlens.diff.search.similar import Modules
from graphlens.diff.search.table import Table

_DIGITS = re.compile(r"(\d+)")
Search = Callable[[], None]
Rank = tuple[list[list[str | int]], list[int]]


class Class(NamedTuple):
    """Equal pockets; the first of them is searched."""

    first: Form
    others: list[Form]


def replay_step(match: Match, modules: Modules, homes: Homes, search: Search, *, again: bool = False) -> None:
    """Search one of each class of equal pockets, pair the nodes of the others as it says, and search what is in none.

    With `again` each is searched by itself, which finds the same.
    """
    classes = _classes(match, modules, homes)
    for first, others in classes:
        shared = _shared([first, *others])
        _alone(match, first, shared, search)
        for other in others:
            if again:
                _alone(match, other, shared, search)
            else:
                _replay(match, first, other)
    if not classes:
        search()
        return
    done = [form for first, others in classes for form in (first, *others)]
    inside = {i for form in done for i in form.pocket.a}, {j for form in done for j in form.pocket.b}
    rest = [[i for i in free if i not in known] for free, known in zip(match.free(), inside, strict=True)]
    with match.only(rest[0], rest[1], frozenset(i for form in done for i in form.border)):
        if match.open():
            search()


def _alone(match: Match, form: Form, shared: frozenset[int], search: Search) -> None:
    with match.only(sorted(form.pocket.a), sorted(form.pocket.b), shared):
        search()


def _shared(equal: list[Form]) -> frozenset[int]:
    """Return the matched nodes that several pockets lie next to: they do not say which of these a node is in."""
    counts = Counter(i for form in equal for i in form.border)
    return frozenset(i for i, count in counts.items() if count > 1)


def _replay(match: Match, first: Form, other: Form) -> None:
    """Pair the nodes of a pocket as those in the same places of an equal one were paired."""
    place = {j: at for at, j in enumerate(first.pocket.b)}
    where = _name(match.a, first.pocket.a) or f"the nodes around {match.a.nodes[min(first.pocket.a)].name}"
    for i, x in zip(first.pocket.a, other.pocket.a, strict=True):
        j = match.mate_a[i]
        if j >= 0:
            rung = match.how[i].partition(" ")[1:]
            notes = tuple(f"as in {where}: {note}" for note in match.notes[i])
            match.pair(x, other.pocket.b[place[j]], "replayed" + "".join(rung), match.confidence[i], notes)


def _classes(match: Match, modules: Modules, homes: Homes) -> list[Class]:
    """Sort pockets by form; the first of a class does not depend on which program is called `a`."""
    forms = Forms(match, modules, homes)
    found: list[Class] = []
    for alike in _look_alike(match, pockets(match, homes)):
        by_form: dict[Hashable, list[Form]] = defaultdict(list)
        for pocket in alike:
            form = forms(pocket)
            if form is not None:
                by_form[form.form].append(form)
        for equal in by_form.values():
            ranked = sorted(((_rank(match, each.pocket), each) for each in equal), key=lambda entry: entry[0])
            if len(ranked) > 1 and ranked[0][0] != ranked[1][0]:
                found.append(Class(ranked[0][1], [form for _, form in ranked[1:]]))
    return found


def _look_alike(match: Match, found: list[Pocket]) -> list[list[Pocket]]:
    """Sort pockets by what they call, and keep what there is more than one of."""
    classes: dict[Hashable, list[Pocket]] = defaultdict(list)
    for pocket in found:
        keys = (tuple(sorted(match.a.key[i] for i in pocket.a)), tuple(sorted(match.b.key[j] for j in pocket.b)))
        classes[keys].append(pocket)
    return [alike for alike in classes.values() if len(alike) > 1]


def _rank(match: Match, pocket: Pocket) -> Rank:
    names = (_name(table, nodes) for table, nodes in zip((match.a, match.b), pocket, strict=True))
    parts: list[list[str | int]] = [
        [int(part) if part.isdecimal() else part for part in _DIGITS.split(name)] for name in names
    ]
    return sorted(parts, key=str), sorted(map(min, pocket))


def _name(table: Table, nodes: list[int]) -> str:
    """Name the innermost module call around all nodes."""
    stacks = {id(stack): stack for i in nodes if (stack := table.nodes[i].module_stack)}
    levels = zip(*stacks.values(), strict=False)
    shared = list(takewhile(lambda calls: len({call.call for call in calls}) == 1, levels))
    return shared[-1][0].call if shared else ""
