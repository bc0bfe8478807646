"""The tree of module calls of a program, as its nodes' `nn_module_stack` tells it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain

from graphlens.diff.search.table import Table
from graphlens.program.graph import ModuleCall

Stack = tuple[ModuleCall, ...]


@dataclass
class ModuleTree:
    """Module calls by name (``layers.0.attn``, ``shared@1``).

    `keys` counts the match keys of all nodes inside, `depth` is the length of the longest way to the first of them:
    whatever topological order the nodes are in, what is called later on the way has more of it.
    """

    children: dict[str, list[str]] = field(default_factory=dict)
    type: dict[str, str] = field(default_factory=dict)
    keys: dict[str, Counter[int]] = field(default_factory=dict)
    depth: dict[str, int] = field(default_factory=dict)


class Stacks:
    """Reads module stacks, each distinct one once: readers share them between the nodes of a module."""

    def __init__(self) -> None:
        self.by_value: dict[Stack, str] = {}
        self.tables: dict[int, list[str]] = {}

    def of(self, table: Table) -> list[str]:
        """Return the name of the innermost module call around each node of a table."""
        known = self.tables.get(id(table))
        if known is None:
            stacks: list[Stack | None] = [node.meta.get("nn_module_stack") for node in table.nodes]
            which = list(map(id, stacks))
            names = {at: self._innermost(stack) for at, stack in dict(zip(which, stacks, strict=True)).items()}
            known = self.tables[id(table)] = [names[at] for at in which]
        return known

    def _innermost(self, stack: Stack | None) -> str:
        """Return the name of the innermost module call on a stack, ``""`` for the root or unknown."""
        if not stack:
            return ""
        name = self.by_value.get(stack)
        if name is None:
            name = self.by_value[stack] = stack[-1].call
        return name

    def names(self) -> list[str]:
        """Return the names of all module calls on the stacks read so far, in the order of their first nodes."""
        calls = dict.fromkeys(chain.from_iterable(self.by_value))
        return list(dict.fromkeys(name for call in calls if (name := call.call)))


def module_tree(tables: Mapping[str, Table], stacks: Stacks) -> ModuleTree:
    """Build the tree of module calls, with the nodes inside each, from all graphs of a program."""
    tree = ModuleTree(children={"": []})
    own: dict[str, Counter[int]] = {}
    chains: dict[str, tuple[str, ...]] = {"": ()}
    seen: set[int] = set()
    for table in tables.values():
        if id(table) in seen:
            continue
        seen.add(id(table))
        names = stacks.of(table)
        depth: list[int] = []
        first: dict[str, int] = {}
        for i, node in enumerate(table.nodes):
            name = names[i]
            depth.append(1 + max((depth[p] for p in table.operands[i] if p < i), default=0))
            if name not in chains:
                chains[name] = _enter(tree, node.module_stack)
            if node.op not in ("placeholder", "get_attr", "output"):
                own.setdefault(name, Counter())[table.key[i]] += 1
                first[name] = min(depth[i], first.get(name, depth[i]))
        for name, least in first.items():
            for holder in chains[name]:
                tree.depth[holder] = min(least, tree.depth.get(holder, least))
    for name, counts in own.items():
        for holder in chains[name]:
            tree.keys.setdefault(holder, Counter()).update(counts)
    return tree


def _enter(tree: ModuleTree, stack: Stack) -> tuple[str, ...]:
    """Add a stack to the tree and return the names on it, outermost first."""
    chain: list[str] = []
    parent = ""
    for call in stack:
        name = call.call
        if not name:
            continue
        if name not in tree.children:
            tree.children[name] = []
            tree.type[name] = call.type
            tree.children[parent].append(name)
        if name not in chain:
            chain.append(name)
        parent = name
    return tuple(chain)
