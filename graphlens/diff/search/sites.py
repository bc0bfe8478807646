"""Where something was rewritten: free nodes of both sides that belong to one place, and what several such places share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache

from graphlens.diff.search.match import FREE, Match
from graphlens.diff.search.table import SLOT_BITS, SLOT_MASK, Table

_LARGEST = 1024
"""Sites with more nodes are not looked into."""

Side = int
Free = tuple[Side, int]
"""A free node that computes something: 0 and its number in `a`, or 1 and that in `b`."""


class Sites:
    """Sorts free nodes into sites.

    The free operands of a matched node, in one place on both sides, are of one site, and so is what only one site uses.
    A node that several sites use joins them (three projections that became one) unless each is a rewrite by itself, and it
    is their input like others (the mask that all layers read): then it stays outside, with what only it uses.
    """

    def __init__(self, match: Match) -> None:
        self.match = match
        self.tables: tuple[Table, Table] = (match.a, match.b)
        self.mates = (match.mate_a, match.mate_b)
        free = match.free()
        self.nodes: tuple[list[int], list[int]] = tuple(  # type: ignore[assignment]
            [i for i in nodes if not fixed(table, i)] for nodes, table in zip(free, self.tables, strict=True)
        )
        self.above: dict[Free, Free] = {(side, i): (side, i) for side in (0, 1) for i in self.nodes[side]}
        self.members: dict[Free, list[Free]] = {node: [node] for node in self.above}
        self.shared: set[Free] = set()
        self.exits: set[Free] = set()
        self._seed()
        for level in self._levels():
            self._settle(level)
        self._shared_alike()
        self._dead()

    def root(self, node: Free) -> Free:
        """Return what stands for the site of a node."""
        above = self.above
        while above[node] != node:
            above[node] = above[above[node]]
            node = above[node]
        return node

    def _join(self, nodes: Iterable[Free]) -> None:
        roots = sorted({self.root(node) for node in nodes}, key=lambda root: (-len(self.members[root]), root))
        for other in roots[1:]:
            self.above[other] = roots[0]
            self.members[roots[0]] += self.members.pop(other)
            if other in self.shared:
                self.shared.add(roots[0])

    def _seed(self) -> None:
        """Join what stands in one place of a matched node on both sides."""
        a, b = self.tables
        for side in (0, 1):
            table, mate = self.tables[side], self.mates[side]
            for i in self.nodes[side]:
                if any(mate[use >> SLOT_BITS] != FREE for use in table.users[i]):
                    self.exits.add((side, i))
        for i in self.nodes[0]:
            for use in a.users[i]:
                user, slot = use >> SLOT_BITS, use & SLOT_MASK
                v = self.mates[0][user]
                there = b.operands[v] if v >= 0 else []
                found = there if a.commutative[user] else there[slot : slot + 1]
                self._join([(0, i), *((1, q) for q in found if (1, q) in self.above)])

    def _used_by(self, node: Free) -> set[Free]:
        """Return the sites that use a node, its own if it is used where matched nodes are."""
        side, i = node
        users = ((side, use >> SLOT_BITS) for use in self.tables[side].users[i])
        found = {self.root(user) for user in users if user in self.above and self.tables[side].live[user[1]]}
        return found | {self.root(node)} if node in self.exits else found

    def _levels(self) -> Iterator[list[Free]]:
        """Join what one site uses, and yield the nodes that several use, the ones that are nearest to the results first."""
        level: dict[Free, int] = {}
        waiting: dict[int, list[Free]] = defaultdict(list)
        for side in (0, 1):
            table = self.tables[side]
            for i in reversed(self.nodes[side]):
                node = side, i
                sites = self._used_by(node)
                users = ((side, use >> SLOT_BITS) for use in table.users[i])
                level[node] = max((level.get(user, 0) for user in users), default=0)
                if len(sites) > 1:
                    level[node] += 1
                    waiting[level[node]].append(node)
                elif sites:
                    self._join([node, *sites])
        for each in sorted(waiting):
            yield waiting[each]

    def _settle(self, nodes: list[Free]) -> None:
        """Decide for nodes that several sites use whether they join them; all decide before any is joined."""
        joined: list[list[Free]] = []
        for node in nodes:
            sites = self._used_by(node)
            apart = self._apart(node, sites) if len(sites) > 1 else set()
            above_shared = bool(self.shared & sites)
            if len(apart) > 1 or (apart and above_shared):
                joined.append([node, *(sites - apart)])
                if self.root(node) not in apart:
                    self.shared.add(node)
            else:
                joined.append([node, *sites])
        for each in joined:
            self._join(each)

    def _apart(self, node: Free, sites: set[Free]) -> set[Free]:
        """Return the sites that are rewrites of their own, whether or not a node feeds them all."""
        both = [site for site in sites if {side for side, _ in self.members[site]} == {0, 1}]
        if len(both) < 2:
            return set(both) if self.shared & sites else set()
        own = _numbered(self.tables[node[0]].nodes[node[1]].module)
        layers = {site: self._layer(site, node[0]) for site in both}
        if own and all(own[-1] == layer for layer in layers.values()):
            return set()
        other = {site for site, layer in layers.items() if layer and layer not in own}
        if len({layers[site] for site in other}) > 1:
            return other
        inputs = {site: self._inputs(site) for site in both}
        counts: dict[int, int] = defaultdict(int)
        for found in inputs.values():
            for p in found:
                counts[p] += 1
        return {site for site, found in inputs.items() if any(counts[p] == 1 for p in found)}

    def _layer(self, site: Free, side: Side) -> str:
        """Name the innermost numbered module around all of a site, ``""`` if there is none."""
        nodes = self.tables[side].nodes
        if len(self.members[site]) > _LARGEST:
            return ""
        chains = {_numbered(nodes[i].module) for each, i in self.members[site] if each == side}
        first, last = min(chains), max(chains)
        shared = [x for x, y in zip(first, last, strict=False) if x == y]
        return shared[-1] if shared else ""

    def _inputs(self, site: Free) -> set[int]:
        """Return the matched nodes, as numbers of `a`, that both sides of a site compute with; weights do not count."""
        found: tuple[set[int], set[int]] = (set(), set())
        if len(self.members[site]) > _LARGEST:
            return found[0]
        for side, i in self.members[site]:
            table, mate = self.tables[side], self.mates[side]
            found[side].update(
                mate[p] if side else p for p in table.operands[i] if mate[p] >= 0 and not _held(table, p)
            )
        return found[0] & found[1]

    def _shared_alike(self) -> None:
        """Join what the same sites of either side share."""
        places: dict[frozenset[Free], list[Free]] = defaultdict(list)
        for node in sorted({self.root(each) for each in self.shared}):
            outside = [self._used_by(each) for each in self.members[node]]
            places[frozenset(set().union(*outside) - {node})].append(node)
        for nodes in places.values():
            if sorted({side for node in nodes for side, _ in self.members[node]}) == [0, 1] and len(nodes) == 2:
                self._join(nodes)

    def _dead(self) -> None:
        """Add what nobody uses to the one site that it reads."""
        for side in (0, 1):
            table = self.tables[side]
            for i in self.nodes[side]:
                if (
                    not any((side, use >> SLOT_BITS) in self.above for use in table.users[i])
                    and (side, i) not in self.exits
                ):
                    read = {self.root((side, p)) for p in table.operands[i] if (side, p) in self.above}
                    if len(read) == 1:
                        self._join([(side, i), *read])


def fixed(table: Table, i: int) -> bool:
    """Whether a node computes nothing: an input, an attribute, the results."""
    return table.nodes[i].op in ("placeholder", "output", "get_attr")


def _held(table: Table, i: int) -> bool:
    node = table.nodes[i]
    return node.op == "get_attr" or (node.op == "placeholder" and node.name in table.labels)


@lru_cache(maxsize=65536)
def _numbered(module: str) -> tuple[str, ...]:
    """Return the numbered modules around what is in a module: ``blocks.1`` and ``blocks.1.layers.0``."""
    parts = module.split(".")
    return tuple(".".join(parts[: at + 1]) for at, part in enumerate(parts) if part.partition("@")[0].isdecimal())
