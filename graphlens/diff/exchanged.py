"""Weights that have each other's values: modules of a list that changed places took their weights along."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence

from msgspec import structs

from graphlens.diff.rows import Finding
from graphlens.program.parts import StoredTensor

EXCHANGED = "exchanged"

Token = Callable[[StoredTensor], Hashable | None]


def exchanged(findings: Sequence[Finding]) -> list[Finding]:
    """Say of changed weights whose values are all still there, under each other's names, that they were exchanged.

    `a` of such a finding is then the name under which the old value is there, `b` the name that the new value had.
    """
    changed = {i: found for i, found in enumerate(findings) if _other_value(found)}
    if len(changed) < 2:
        return list(findings)
    token = _token([tensor for found in changed.values() for tensor in (found.value_a, found.value_b)])
    ours = _places({i: token(found.value_a) for i, found in changed.items()})
    theirs = _places({i: token(found.value_b) for i, found in changed.items()})
    source = {i: ours[value] for value, i in theirs.items() if value in ours}
    went = {k: i for i, k in source.items()}
    told = list(findings)
    for i in _closed(source):
        new, old = changed[source[i]].value_a, changed[went[i]].value_b
        told[i] = structs.replace(told[i], aspect=EXCHANGED, a=old.fqn, b=new.fqn)
    return told


def _other_value(finding: Finding) -> bool:
    values = finding.value_a, finding.value_b
    told = (finding.kind, finding.aspect, finding.where) == ("changed", "value", "value")
    return told and all(isinstance(value, StoredTensor) for value in values)


def _token(tensors: Sequence[StoredTensor]) -> Token:
    """Choose the cheapest way to tell values that works for all."""
    if all(tensor.crc32 is not None for tensor in tensors):
        return lambda t: (t.nbytes, t.crc32, t.storage_offset, t.shape, t.stride, t.dtype)

    def by_digest(tensor: StoredTensor) -> Hashable | None:
        digest = None if tensor.content is None else tensor.content.digest()
        return None if digest is None else (digest, tensor.shape, tensor.dtype)

    return by_digest


def _places(tokens: dict[int, Hashable | None]) -> dict[Hashable, int]:
    """Map each value to the only place that has it."""
    counts = Counter(tokens.values())
    return {value: i for i, value in tokens.items() if value is not None and counts[value] == 1}


def _closed(source: dict[int, int]) -> set[int]:
    """Return the places whose values only went round among themselves."""
    found: set[int] = set()
    seen: set[int] = set()
    for start in source:
        path: list[int] = []
        i = start
        while i in source and i not in seen:
            seen.add(i)
            path.append(i)
            i = source[i]
        if path and i == start:
            found.update(path)
    return found
