"""The metadata of two matched nodes, key by key, without what depends on the process that wrote it.

Never compared: the number in ``<eval_with_key>.183`` (a counter of the process), the `graph_id` of `from_node` entries (addresses), module keys that are addresses, absolute `seq_nr`s
(counters of the process; their order is compared).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from graphlens.diff.meta_text import VALUES, meta_finding
from graphlens.diff.renaming import Renaming
from graphlens.diff.rows import Finding
from graphlens.diff.settings import StackTraces, steady_trace, without_generated
from graphlens.diff.values import compare_values
from graphlens.program.argument import (
    Argument,
    Const,
    Map,
    Opaque,
    Ref,
    Seq,
    Slice,
    argument_text,
    children,
    same_literal,
)
from graphlens.program.expr import rename_symbols
from graphlens.program.graph import ModuleCall, Node, Provenance

_ADDRESS = re.compile(r"^\d{9,}(?=$|@)")
_APART = frozenset({"seq_nr", "creation_timestamp"})
"""The first is compared by order (`compare_seq_nr`), the second is the time of day."""
TEXTS = frozenset({"stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node"})
"""Made of texts only (and addresses, which may be equal), so that Python's `==` is exact."""
_DEEP = frozenset({"nn_module_stack", "from_node"})
_ABSENT: Final = object()


class MetaComparer:
    """Compares metadata under the renaming and the tolerances of one diff."""

    def __init__(self, renaming: Renaming, stack_trace: StackTraces) -> None:
        self.renaming = renaming
        self.stack_trace = stack_trace
        self._traces: dict[tuple[str, str], bool] = {}
        self._deep: dict[int, Any] = {}

    def plainly_same(self, a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
        """Whether two nodes' metadata is clearly the same; `False` only says that it takes a closer look.

        The nodes must live on: deep values that many nodes share are known by their identity once they were compared.
        """
        if len(a) != len(b):
            return False
        for key, left in a.items():
            right = b.get(key, _ABSENT)
            if left is right:
                continue
            if type(left) is str and left == right:
                continue
            if right is _ABSENT:
                return False
            if key in _DEEP:
                if self._deep.get(id(left)) is right:
                    continue
                if left != right:
                    return False
                self._deep[id(left)] = right
            elif not (key in _APART or (key in TEXTS and left == right)):
                return False
        return True

    def compare(self, a: Mapping[str, Any], b: Mapping[str, Any], *, only_lost: bool = False) -> Iterator[Finding]:
        """Yield what differs between two nodes' metadata; with `only_lost` nothing that `b` has more."""
        if a is b:
            return
        for key in a if a.keys() == b.keys() else {**a, **b}:
            left, right = a.get(key), b.get(key)
            if left is right or key in _APART or (key in TEXTS and left == right):
                continue
            if _empty(left) or _empty(right):
                if not (_empty(left) and _empty(right)) and not (only_lost and _empty(left)):
                    yield meta_finding(key, "added" if _empty(left) else "lost", left, right)
                continue
            aspect = self._difference(key, left, right)
            if aspect is not None:
                yield meta_finding(key, "changed", left, right, aspect)

    def _difference(self, key: str, a: Any, b: Any) -> str | None:
        """Say in which aspect two values of a key differ (``""``: nothing special); `None` if they do not."""
        if key == "stack_trace" and isinstance(a, str) and isinstance(b, str):
            return None if self._same_trace(a, b) else _trace_aspect(a, b)
        if key == "nn_module_stack" and _all(a, ModuleCall) and _all(b, ModuleCall):
            return _module_stacks(a, b)
        if key == "from_node" and _all(a, Provenance) and _all(b, Provenance):
            return None if same_provenance(a, b) else ""
        if isinstance(a, VALUES) and isinstance(b, VALUES):
            return None if next(iter(compare_values(a, b, self.renaming)), None) is None else ""
        return None if self._same(a, b) else ""

    def _same_trace(self, a: str, b: str) -> bool:
        if a == b:
            return True
        known = self._traces.get((a, b))
        if known is None:
            known = self._traces[a, b] = self.stack_trace.same(a, b)
        return known

    @staticmethod
    def _key(key: Argument, names: Mapping[str, str]) -> str:
        if isinstance(key, Const) and key.kind == "sym":
            return rename_symbols(key.text, names)
        return argument_text(key)

    def _same(self, a: Any, b: Any) -> bool:
        """Compare plain data exactly: types, signs of zeros, order in sequences; dict items in any order."""
        stack = [(a, b)]
        while stack:
            left, right = stack.pop()
            if left is right:
                continue
            if type(left) is not type(right):
                return False
            if isinstance(left, Seq | Slice):
                if isinstance(left, Seq) and left.kind != right.kind:
                    return False
                if len(children(left)) != len(children(right)):
                    return False
                stack.extend(zip(children(left), children(right), strict=True))
            elif isinstance(left, Map):
                ours = {self._key(key, self.renaming.forward): value for key, value in left.items}
                theirs = {self._key(key, {}): value for key, value in right.items}
                if ours.keys() != theirs.keys():
                    return False
                stack.extend((ours[key], theirs[key]) for key in ours)
            elif isinstance(left, tuple):
                if len(left) != len(right):
                    return False
                stack.extend(zip(left, right, strict=True))
            elif isinstance(left, Const):
                if not (
                    left == right or (left.kind == right.kind == "sym" and self.renaming.same(left.text, right.text))
                ):
                    return False
            elif isinstance(left, Ref | Opaque | ModuleCall) or not isinstance(
                left, bool | int | float | complex | str
            ):
                if left != right:
                    return False
            elif not same_literal(left, right):
                return False
        return True


def _trace_aspect(a: str, b: str) -> str:
    """Say whether two stack traces differ in blanks only, or in nothing but code that FX generated."""
    if a.split() == b.split():
        return "layout"
    ours, theirs = without_generated(steady_trace(a)), without_generated(steady_trace(b))
    return "generated" if ours == theirs and (ours or "<eval_with_key>" in a) else ""


def _empty(value: Any) -> bool:
    """Whether a value says no more than its absence: the serializer drops and invents these."""
    if value is None or value in ("", ()):
        return True
    return isinstance(value, Seq | Map) and not value.items


def _all(value: Any, kind: type) -> bool:
    return isinstance(value, tuple) and all(type(item) is kind for item in value)


@lru_cache(maxsize=16384)
def _module_stacks(a: tuple[ModuleCall, ...], b: tuple[ModuleCall, ...]) -> str | None:
    if a == b:
        return None
    rooted = _rooted(a) and _rooted(b)
    if _calls(a, rooted=rooted) != _calls(b, rooted=rooted):
        return ""
    return None if [_steady(call.key) for call in a] == [_steady(call.key) for call in b] else "key"


def _rooted(stack: tuple[ModuleCall, ...]) -> bool:
    """Whether a stack names the root: export does, and Dynamo does not."""
    return any(not call.call for call in stack)


def _calls(stack: tuple[ModuleCall, ...], *, rooted: bool) -> list[tuple[str, str]]:
    """List the modules around a node, with the root where both sides name it."""
    return [(call.call, call.type) for call in stack if call.call or rooted]


def _steady(key: str) -> str:
    """Write a module key without the address that strict export of torch before 2.10 puts there."""
    return _ADDRESS.sub("", key)


def same_provenance(a: tuple[Provenance, ...], b: tuple[Provenance, ...]) -> bool:
    """Compare two `from_node` chains without their `graph_id`s."""
    stack = [(a, b)]
    while stack:
        left, right = stack.pop()
        if len(left) != len(right):
            return False
        for x, y in zip(left, right, strict=True):
            if x is y:
                continue
            if (x.name, x.target, x.pass_name, x.action) != (y.name, y.target, y.pass_name, y.action):
                return False
            stack.append((x.from_node, y.from_node))
    return True


def compare_seq_nr(pairs: list[tuple[Node, Node]]) -> Iterator[tuple[Node, Node, Finding]]:
    """Yield the pairs whose autograd sequence numbers are not in the same order; absolute numbers are never compared."""
    ours, theirs = (_ranks([pair[side].meta.get("seq_nr") for pair in pairs]) for side in (0, 1))
    for a, b in pairs:
        left, right = a.meta.get("seq_nr"), b.meta.get("seq_nr")
        if left is None and right is None:
            continue
        if left is None or right is None:
            yield a, b, meta_finding("seq_nr", "added" if left is None else "lost", left, right)
        elif ours.get(left) != theirs.get(right):
            yield a, b, meta_finding("seq_nr", "changed", left, right)


def _ranks(numbers: list[Any]) -> dict[Any, int]:
    return {number: i for i, number in enumerate(sorted({n for n in numbers if type(n) is int}))}
