"""Names that `torch.export.load` gives to nodes which a file leaves unnamed: FX's own rules, without FX."""

from __future__ import annotations

import builtins
import keyword
import re

_NAME = re.compile(r"^([a-zA-Z_][0-9a-zA-Z_]*?)(?:_(\d+))?$").match
_LEGAL = re.compile(r"(?:[a-zA-Z_][0-9a-zA-Z_]*(?:\n|\Z))*", re.ASCII).fullmatch
_ILLEGAL = re.compile("[^0-9a-zA-Z_]+")
_TAKEN = {*keyword.kwlist, *vars(builtins), "inf", "nan", "NoneType", "torch", "device", "fx_pytree", "pytree"}
_CAPITAL = re.compile(r"(?<=[a-z])([A-Z])")
_MAX_DIGITS = 18


class Namespace:
    """The names of one graph, as `torch.fx.graph._Namespace` hands them out (torch 2.13; 2.5 to 2.12 differ in speed only).

    Most names stand in the file, and are only noted; they are worked through when the next one has to be made.
    """

    __slots__ = ("_counted", "_noted", "_regular", "_used", "note")

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._counted: dict[str, int] = {}
        self._regular: list[str] = []
        self._noted: list[str] = []
        self.note = self._noted.append

    def create(self, candidate: str) -> str:
        """Return a name that is not used yet: `candidate`, else with a number appended."""
        self._take_noted()
        return self._create(candidate)

    def _take_noted(self) -> None:
        fresh = set(self._noted)
        legal = _LEGAL("\n".join(self._noted)) is not None
        if legal and len(fresh) == len(self._noted) and fresh.isdisjoint(self._used) and fresh.isdisjoint(_TAKEN):
            self._used |= fresh
            self._regular += self._noted
        else:
            for noted in self._noted:
                self._create(noted)
        self._noted.clear()

    def _create(self, candidate: str) -> str:
        match = _NAME(candidate)
        if match is None:
            candidate = _ILLEGAL.sub("_", candidate) or "_unnamed"
            candidate = f"_{candidate}" if candidate[0].isdigit() else candidate
            match = _NAME(candidate)
        if candidate not in self._used and candidate not in _TAKEN:
            self._used.add(candidate)
            self._regular.append(candidate)
            return candidate
        base = match[1] if match is not None else candidate
        number = self._counts().get(base, 0) + (candidate in _TAKEN)
        if candidate in _TAKEN:
            candidate = f"{base}_{number}"
        while candidate in self._used:
            number += 1
            candidate = f"{base}_{number}"
        self._used.add(candidate)
        self._counted[base] = number
        return candidate

    def _counts(self) -> dict[str, int]:
        """Return the number that was last given to each base, those of regular names caught up with."""
        for name in self._regular:
            match = _NAME(name)
            base, digits = match.group(1, 2) if match is not None else (name, None)
            self._counted[base] = int(digits[:_MAX_DIGITS]) if digits else self._counted.get(base, 0)
        self._regular.clear()
        return self._counted


def target_name(target: str) -> str:
    """Return the name that FX derives from a target, as `Graph._target_to_str` does: ``_assert_scalar.default``."""
    parts = target.split(".")
    name = ".".join(parts[3:]) if target.startswith("torch.ops.") and len(parts) > 4 else parts[-1]
    return snake_case(name)


def snake_case(name: str) -> str:
    """Write ``pascalCase`` as ``pascal_case``."""
    if name.startswith("__") and name.endswith("__") and len(name) > 4:
        name = name[2:-2]
    return _CAPITAL.sub(r"_\1", name).lower()
