"""The facets of a recorded value that decide what is computed on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from graphlens.diff.check.findings import Findings
from graphlens.diff.check.symbols import Renaming
from graphlens.program.argument import same_literal
from graphlens.program.value import (
    ConstValue,
    ContainerValue,
    OpaqueValue,
    Size,
    SymValue,
    TensorValue,
    Value,
    value_text,
)

OFFSETS = "recorded storage offsets"
UNRECORDED = "values agree where one side does not record them"
_USUAL: Final[Mapping[str, object]] = {
    "conj": False,
    "neg": False,
    "layout": "strided",
    "storage_offset": 0,
    "device": "cpu",
}


class Values:
    """Compares recorded values under one renaming of symbols.

    Pairs that agreed are remembered by identity (and kept alive for it): the renaming only grows, so they still agree.
    """

    def __init__(self, renaming: Renaming, findings: Findings) -> None:
        self.renaming = renaming
        self.notes = findings.assumptions
        self.rules = findings.rules
        self._same: dict[int, tuple[Value, Value]] = {}

    def settled(self, a: Value | None, b: Value | None) -> bool:
        """Whether it is known without a look that all that both sides know agrees."""
        known = self._same.get(id(a))
        return known[1] is b if known is not None else a is b is None

    def mismatch(self, a: Value | None, b: Value | None, *, made: bool = False) -> str | None:
        """Say which facet of two values disagrees; `None` where all that both sides know agree.

        What a call makes is settled by its operator and its operands, also where in its storage it begins: of two values
        that accepted calls `made`, only the record of that place can be wrong (loading a file writes 0).
        """
        known = self._same.get(id(a))
        if known is not None and known[1] is b:
            return None
        if a is None or b is None:
            self._note(a is not b)
            return None
        offsets: list[bool] = []
        before = self.notes.get(UNRECORDED, 0)
        why = self._mismatch(a, b, offsets if made else None)
        if why is None and offsets:
            self.rules[OFFSETS] += 1
        elif why is None and self.notes.get(UNRECORDED, 0) == before:
            self._same[id(a)] = (a, b)
        return why

    def _note(self, unrecorded: bool) -> None:
        if unrecorded:
            self.notes[UNRECORDED] += 1

    def _mismatch(self, a: Value, b: Value, offsets: list[bool] | None) -> str | None:
        stack: list[tuple[Value | None, Value | None]] = [(a, b)]
        while stack:
            left, right = stack.pop()
            if left is None or right is None:
                self._note(left is not right)
            elif isinstance(left, TensorValue) and isinstance(right, TensorValue):
                why = self._tensor(left, right, offsets)
                if why is not None:
                    return why
            elif isinstance(left, ContainerValue) and isinstance(right, ContainerValue):
                of_two_kinds = left.kind != right.kind and "dict" in (left.kind, right.kind)
                if of_two_kinds or len(left.items) != len(right.items) or left.keys != right.keys:
                    return f"val: {value_text(left)} and {value_text(right)}"
                stack.extend(zip(reversed(left.items), reversed(right.items), strict=True))
            elif not self._leaf(left, right):
                return f"val: {value_text(left)} and {value_text(right)}"
        return None

    def _leaf(self, a: Value, b: Value) -> bool:
        if isinstance(a, SymValue) and isinstance(b, SymValue):
            return a.kind == b.kind and self.renaming.agree(a.expr, b.expr)
        if isinstance(a, ConstValue) and isinstance(b, ConstValue):
            return same_literal(a.value, b.value)
        if isinstance(a, OpaqueValue) and isinstance(b, OpaqueValue):
            return a.type == b.type and (a.text == b.text or not a.text or not b.text)
        return False

    def _tensor(self, a: TensorValue, b: TensorValue, offsets: list[bool] | None) -> str | None:
        if a.dtype != b.dtype:
            return f"val.dtype: {a.dtype} and {b.dtype}"
        if not self._sizes(a.shape, b.shape):
            return f"val.shape: {list(a.shape)} and {list(b.shape)}"
        for facet in ("stride", "storage_offset", "device", "layout", "conj", "neg"):
            ours, theirs = getattr(a, facet), getattr(b, facet)
            if ours is None or theirs is None:
                known = theirs if ours is None else ours
                self._note(known is not None and known != _USUAL.get(facet))
            elif not self._facet(facet, ours, theirs):
                if facet == "storage_offset" and offsets is not None:
                    offsets.append(True)
                    continue
                return f"val.{facet}: {ours} and {theirs}"
        return None

    def _facet(self, facet: str, a: Any, b: Any) -> bool:
        if facet == "stride":
            return self._sizes(a, b)
        return self.renaming.agree(a, b) if facet == "storage_offset" else bool(a == b)

    def _sizes(self, a: tuple[Size, ...], b: tuple[Size, ...]) -> bool:
        return len(a) == len(b) and all(map(self.renaming.agree, a, b))
