"""Weights and constants: their elements, how they are held, and which of them share storage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter

from msgspec.structs import replace

from graphlens.diff.renaming import Renaming
from graphlens.diff.rows import Finding, Kind, shorten
from graphlens.diff.settings import WeightsMode
from graphlens.diff.values import FACETS, compare_tensors
from graphlens.diff.weights import Equal
from graphlens.program.parts import StoredTensor
from graphlens.program.value import SHORT_DTYPES, shape_text

_CONSTANTS = ("constant", "constant_tensor", "custom_obj")
_ELEMENTS = ("shape", "dtype")
_TOLD = attrgetter("fqn", "kind", *FACETS)

Pairs = Sequence[tuple[StoredTensor | None, StoredTensor | None]]


def pair_stored(
    a: Sequence[StoredTensor], b: Sequence[StoredTensor], renamed: Mapping[str, str]
) -> list[tuple[StoredTensor | None, StoredTensor | None]]:
    """Pair stored tensors by the names that the signatures' match gives, the others by their own; a name may repeat.

    When a layer was removed, the next one has its names: then equal names are not the same weights.
    """
    at_b: dict[str, list[StoredTensor]] = {}
    for tensor in b:
        at_b.setdefault(tensor.fqn, []).append(tensor)
    found: dict[int, StoredTensor] = {}
    for names in (renamed, {tensor.fqn: tensor.fqn for tensor in a}):
        for i, tensor in enumerate(a):
            partners = at_b.get(names.get(tensor.fqn, "")) if i not in found and tensor.fqn in names else None
            if partners:
                found[i] = partners.pop(0)
    pairs: list[tuple[StoredTensor | None, StoredTensor | None]] = [(t, found.get(i)) for i, t in enumerate(a)]
    return pairs + [(None, tensor) for left in at_b.values() for tensor in left]


def compare_stored(
    pairs: Pairs, renaming: Renaming, mode: WeightsMode, equal: Equal, *, both_complete: bool
) -> Iterator[Finding]:
    """Yield what differs between the stored tensors of two programs.

    Parameters
    ----------
    pairs
        From `pair_stored`.
    renaming
        The renaming of symbols (sizes of stored tensors are numbers, but nothing stops a file from saying otherwise).
    mode
        ``"digest"`` or ``"exact"``, see `graphlens.diff.weights.stored_equal`; ``"ignore"`` compares no elements.
    equal
        How elements are compared.
    both_complete
        Whether both programs list all they hold, so that one that is missing is missing.
    """
    for a, b in pairs:
        if a is not None and b is not None:
            yield from _both(a, b, renaming, mode, equal)
        elif both_complete:
            tensor = a or b
            assert tensor is not None
            yield Finding(
                field=_field(tensor),
                kind="lost" if b is None else "added",
                a=stored_text(a),
                b=stored_text(b),
                value_a=a,
                value_b=b,
            )
    yield from _aliasing(pairs)


def _field(tensor: StoredTensor) -> str:
    return f"{'constants' if tensor.kind in _CONSTANTS else 'weights'}[{tensor.fqn}]"


def _both(a: StoredTensor, b: StoredTensor, renaming: Renaming, mode: WeightsMode, equal: Equal) -> Iterator[Finding]:
    alike = renaming.identity and _TOLD(a) == _TOLD(b)
    if alike and (mode == "ignore" or equal(a, b, mode).state == "equal"):
        return
    field = _field(a)
    if a.fqn != b.fqn:
        yield Finding(field=field, kind="renamed", a=a.fqn, b=b.fqn, value_a=a.fqn, value_b=b.fqn)
    if a.kind != b.kind:
        yield Finding(field=field, kind="changed", a=a.kind, b=b.kind, aspect="kind", value_a=a.kind, value_b=b.kind)
    described = list(compare_tensors(_filled(a), _filled(b), renaming, field=""))
    for finding in described:
        yield Finding(
            field=field,
            kind=finding.kind,
            a=f"{finding.field} {finding.a}".rstrip() if finding.a else "",
            b=f"{finding.field} {finding.b}".rstrip() if finding.b else "",
            aspect="value" if finding.field in _ELEMENTS else finding.field,
            where=finding.field,
            value_a=finding.value_a,
            value_b=finding.value_b,
        )
    if mode != "ignore" and not any(finding.field in _ELEMENTS for finding in described):
        equality = equal(a, b, mode)
        if equality.state == "unknown" and _without_elements(a) != _without_elements(b):
            yield Finding(
                field=field,
                kind="lost" if _without_elements(b) else "added",
                a=stored_text(a),
                b=stored_text(b),
                aspect="elements",
                where="value",
                value_a=a,
                value_b=b,
            )
        elif equality.state == "different":
            yield Finding(
                field=field,
                kind="changed",
                a=f"{stored_text(a)} {_fingerprint(a)}".rstrip(),
                b=f"{stored_text(b)} {_fingerprint(b)}".rstrip(),
                aspect="value",
                where="value",
                value_a=a,
                value_b=b,
            )


def _fingerprint(tensor: StoredTensor) -> str:
    """Write something that tells two values apart: the archive's CRC-32, else the head of the digest."""
    if tensor.crc32 is not None:
        return f"#{tensor.crc32:08x}"
    digest = tensor.content.digest() if tensor.content is not None else None
    return f"#{digest[:8]}" if digest else ""


def _without_elements(tensor: StoredTensor) -> bool:
    """Whether a tensor has no elements anywhere (fake, meta), rather than some that cannot be read."""
    return tensor.content is None and tensor.member is None and tensor.shape is not None


def _filled(tensor: StoredTensor) -> StoredTensor:
    """Take what a source does not record about a parameter as parameters usually are."""
    if tensor.kind != "parameter" or (tensor.requires_grad is not None and tensor.type is not None):
        return tensor
    return replace(
        tensor,
        requires_grad=True if tensor.requires_grad is None else tensor.requires_grad,
        type=tensor.type or "Parameter",
    )


def _aliasing(pairs: Pairs) -> Iterator[Finding]:
    """Yield tensors that share storage with another one on one side only, or are one object there, up to their names."""
    first_a: dict[str, int] = {}
    first_b: dict[str, int] = {}
    objects: tuple[dict[str, int], dict[str, int]] = ({}, {})
    both = [(a, b) for a, b in pairs if a is not None and b is not None]
    both.sort(key=lambda pair: sorted((pair[0].fqn, pair[1].fqn)))
    for i, (a, b) in enumerate(both):
        root_a = i if a.storage is None else first_a.setdefault(a.storage, i)
        root_b = i if b.storage is None else first_b.setdefault(b.storage, i)
        if root_a == root_b:
            yield from _objects(both, i, objects)
            continue
        kind: Kind = "lost" if b.storage is None else "added" if a.storage is None else "changed"
        yield Finding(
            field=f"aliasing[{a.fqn}]",
            kind=kind,
            a=_shared(a.storage, both[root_a][0].fqn, alone=root_a == i),
            b=_shared(b.storage, both[root_b][1].fqn, alone=root_b == i),
            value_a=a.storage,
            value_b=b.storage,
        )


def _objects(
    both: list[tuple[StoredTensor, StoredTensor]], i: int, first: tuple[dict[str, int], dict[str, int]]
) -> Iterator[Finding]:
    """Yield a parameter that is one object with another on one side only, as far as both sides hold objects."""
    a, b = both[i]
    if a.object is None or b.object is None:
        return
    roots = first[0].setdefault(a.object, i), first[1].setdefault(b.object, i)
    if roots[0] != roots[1]:
        texts = [
            "an object of its own" if root == i else f"one object with {both[root][side].fqn}"
            for side, root in enumerate(roots)
        ]
        yield Finding(
            field=f"aliasing[{a.fqn}]",
            kind="changed",
            a=texts[0],
            b=texts[1],
            aspect="object",
            value_a=a.object,
            value_b=b.object,
        )


def _shared(storage: str | None, first: str, *, alone: bool) -> str:
    return "" if storage is None else "its own storage" if alone else f"shares storage with {first}"


def stored_text(tensor: StoredTensor | None) -> str:
    """Write a stored tensor as ``f32[4, 8] parameter``; ``""`` for none."""
    if tensor is None:
        return ""
    dtype = SHORT_DTYPES.get(tensor.dtype or "", tensor.dtype or tensor.type or "?")
    shape = shape_text(tensor.shape) if tensor.shape is not None else ""
    return shorten(f"{dtype}{shape} {tensor.kind}")
