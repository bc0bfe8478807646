"""Which module became which, as the modules of matched nodes say."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from graphlens.diff.matching import Matching
from graphlens.program.graph import ModuleCall


def renamed_modules(matching: Matching) -> dict[str, str]:
    """Map the name of each module of `a` to the one of `b` that most of its nodes went to, where that is mutual."""
    votes: Counter[tuple[str, str]] = Counter()
    known: Counter[tuple[tuple[ModuleCall, ...], tuple[ModuleCall, ...]]] = Counter()
    for match in matching.graphs:
        for a, b in match.forward.items():
            known[match.a[a].module_stack, match.b[b].module_stack] += 1
    for (ours, theirs), count in known.items():
        if [call.type for call in ours] == [call.type for call in theirs]:
            for pair in {(x.path, y.path) for x, y in zip(ours, theirs, strict=True)}:
                votes[pair] += count
    best_a, best_b = _best(votes, 0), _best(votes, 1)
    return {x: y for x, y in best_a.items() if best_b[y] == x}


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
