"""Which differences are differences of the computation, as the checker sees it."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from graphlens.diff.rows import family

ACCEPTED_BY_RULE: Final = frozenset(
    {
        "container",
        "result container",
        "default",
        "keyword",
        "commuted",
        "message",
        "dead",
        "duplicate",
        "merged",
        "tied",
        "attribute",
        "position",
        "key",
        "identifier",
    }
)
"""Aspects that leave the computation as it is: the checker accepts them by an exact rule, so they explain no refusal."""

_COMPUTATION: Final = frozenset(
    {
        "op", "target", "args", "kwargs", "val", "val.shape", "val.dtype", "val.stride", "val.storage_offset", "val.device",
        "val.layout", "val.conj", "val.neg", "val.type", "val.storage", "order", "signature.inputs", "signature.outputs",
        "range_constraints", "pytree.in", "pytree.out", "weights", "constants", "aliasing", "guards", "proof",
    }
)  # fmt: skip


@lru_cache(maxsize=4096)
def explains_refusal(field: str, kind: str, aspect: str) -> bool:
    """Whether a difference is of the sort that the checker refuses, so that nothing more need be said."""
    if aspect in ACCEPTED_BY_RULE or (field, kind) == ("target", "renamed"):
        return False
    if (field, kind) == ("order", "moved"):
        return aspect == "input"
    return family(field) in _COMPUTATION and aspect not in ("tensor class", "requires_grad", "type")
