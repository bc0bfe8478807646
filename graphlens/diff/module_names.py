"""Which module became which, as the modules of matched nodes say."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from graphlens.diff.matching import Matching
from graphlens.program.graph import ModuleCall, Node

Stack = tuple[ModuleCall, ...]


def renamed_modules(matching: Matching) -> dict[str, str]:
    """Map the name of each module of `a` to the one of `b` that most of its nodes went to, where that is mutual."""
    stacks = _stacks(matching)
    if all(a.module_stack == b.module_stack for a, b in stacks.values()):
        return _with_holders({call.path: call.path for a, _ in stacks.values() for call in a.module_stack})
    counts = Counter(_key(a, b) for match in matching.graphs for a, b in match.pairs)
    votes: Counter[tuple[str, str]] = Counter()
    for key, (a, b) in stacks.items():
        for pair in {(x.path, y.path) for x, y in in_step(a.module_stack, b.module_stack)}:
            votes[pair] += counts[key]
    best_a, best_b = _best(votes, 0), _best(votes, 1)
    return _with_holders({x: y for x, y in best_a.items() if best_b[y] == x})


def in_step(a: Stack, b: Stack) -> list[tuple[ModuleCall, ModuleCall]]:
    """Pair the calls of two stacks: all of them, or from the innermost outwards as far as the types agree.

    So a module that moved out of another, or into one, is still the module that it was.
    """
    if [call.type for call in a] == [call.type for call in b]:
        return list(zip(a, b, strict=True))
    found: list[tuple[ModuleCall, ModuleCall]] = []
    for x, y in zip(reversed(a), reversed(b), strict=False):
        if x.type != y.type or not x.path or not y.path:
            break
        found.append((x, y))
    return found[::-1]


def _with_holders(names: dict[str, str]) -> dict[str, str]:
    """Add the lists and dicts of modules, which are never called: they went where what is in them went."""
    found = dict(names)
    taken = set(names.values())
    for x, y in names.items():
        (holder_a, _, own_a), (holder_b, _, own_b) = x.rpartition("."), y.rpartition(".")
        if own_a == own_b and holder_a and holder_b and holder_a not in found and holder_b not in taken:
            found[holder_a] = holder_b
            taken.add(holder_b)
    return found


def _stacks(matching: Matching) -> dict[tuple[int, int], tuple[Node, Node]]:
    """Return one pair of nodes for every pair of module stacks; the nodes of one module share one object."""
    found: dict[tuple[int, int], tuple[Node, Node]] = {}
    for match in matching.graphs:
        if match.copied:
            stacks = {id(node.meta.get("nn_module_stack")): node for node in match.a.nodes}
            found.update({(key, key): (node, node) for key, node in stacks.items()})
            continue
        ours = [id(a.meta.get("nn_module_stack")) for a, _ in match.pairs]
        theirs = [id(b.meta.get("nn_module_stack")) for _, b in match.pairs]
        found.update(zip(zip(ours, theirs, strict=True), match.pairs, strict=True))
    return found


def _key(a: Node, b: Node) -> tuple[int, int]:
    return id(a.meta.get("nn_module_stack")), id(b.meta.get("nn_module_stack"))


def translated(fqn: str, names: Mapping[str, str]) -> str:
    """Say what a name below a module of `a` is called in `b`, by the innermost module that `names` knows."""
    parts = fqn.split(".")
    for depth in range(len(parts), 0, -1):
        image = names.get(".".join(parts[:depth]))
        if image is not None:
            return ".".join([image, *parts[depth:]])
    return fqn


def _best(votes: Counter[tuple[str, str]], side: int) -> dict[str, str]:
    """For each module of one side the one with most votes: its own name, else the first by name, of equal ones."""
    found: dict[str, list[tuple[int, bool, str]]] = defaultdict(list)
    for pair, count in votes.items():
        found[pair[side]].append((-count, pair[0] != pair[1], pair[1 - side]))
    return {module: min(others)[2] for module, others in found.items()}
