"""Which stored tensor of one program is which of the other, by the nodes that read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from graphlens.diff.fields_signature import input_pairs
from graphlens.diff.matching import Matching
from graphlens.program.state import StateNames


def state_pairs(matching: Matching) -> Mapping[str, str]:
    """Map names of state in `a` to names in `b`: behind matched inputs, attributes and modules that are leaves.

    The map is one-to-one: of tensors that are read more than once, those that keep their names go first, then the
    others by name, in the same way from either side.
    """
    pairs = dict.fromkeys((*_inputs(matching), *_attributes(matching)))
    if all(len({pair[side] for pair in pairs}) == len(pairs) for side in (0, 1)):
        return dict(list(pairs))
    found: dict[str, str] = {}
    taken: set[str] = set()
    for ours, theirs in sorted(pairs, key=lambda pair: (pair[0] != pair[1], sorted(pair), pair)):
        if ours not in found and theirs not in taken:
            found[ours] = theirs
            taken.add(theirs)
    return found


def _inputs(matching: Matching) -> Iterator[tuple[str, str]]:
    a, b = matching.a.inputs, matching.b.inputs
    for i, j in input_pairs(a, b, matching.root):
        ours, theirs = (a[i].target, b[j].target) if i is not None and j is not None else (None, None)
        if ours is not None and theirs is not None:
            yield ours, theirs


def _attributes(matching: Matching) -> Iterator[tuple[str, str]]:
    names_a, names_b = StateNames(matching.a), StateNames(matching.b)
    for match in matching.graphs:
        for a in match.a.nodes:
            if a.op not in ("get_attr", "call_module") or a.name not in match.forward:
                continue
            b = match.b[match.forward[a.name]]
            if a.op == b.op == "get_attr":
                yield names_a.name(match.path_a, a.target), names_b.name(match.path_b, b.target)
            elif a.op == b.op == "call_module" and not a.subgraphs:
                for inner in names_a.below(match.path_a, a.target):
                    one, two = f"{a.target}.{inner}", f"{b.target}.{inner}"
                    yield names_a.name(match.path_a, one), names_b.name(match.path_b, two)
