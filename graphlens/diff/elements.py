"""Operators that give the same elements in other words: a view for a copy, pieces by size or by number, two ways to cast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from graphlens.diff.renaming import Renaming
from graphlens.diff.told import as_recorded, dimension
from graphlens.program.argument import same_argument
from graphlens.program.graph import Node
from graphlens.program.value import ContainerValue, TensorValue, Value

ELEMENTS: Final = "same elements"

_SAME_ARGUMENTS: Final = (
    {"aten.reshape.default", "aten.view.default", "aten._unsafe_view.default", "aten.view_copy.default"},
    {"aten.alias.default", "aten.clone.default", "aten.contiguous.default", "aten.detach.default", "aten.lift_fresh_copy.default"},
)  # fmt: skip
"""Operators that give the same elements for the same arguments, one as a view, the other as a copy."""

_SPLITS: Final = frozenset(
    f"aten.{name}"
    for name in ("split.Tensor", "split.sizes", "split_with_sizes.default", "chunk.default", "tensor_split.sections",
                 "split_copy.Tensor", "split_with_sizes_copy.default", "unsafe_split.Tensor", "unsafe_chunk.default")
)  # fmt: skip
"""Cut a tensor along one dimension into consecutive pieces: what the pieces are is said by their shapes."""

_CASTS: Final = frozenset(
    f"aten.{name}" for name in ("_to_copy.default", "to.dtype", "to.dtype_layout", "to.device", "to.other")
)
"""Convert each element: to what is said by the dtype of the result."""


def same_elements(a: Node, b: Node, renaming: Renaming, schemas: Mapping[str, str]) -> bool:
    """Whether two calls of different operators give the same elements, if they work on the same operand."""
    x, y = a.target, b.target
    if not (as_recorded(a, schemas) and as_recorded(b, schemas)):
        return False
    if any(x in family and y in family for family in _SAME_ARGUMENTS):
        return True
    if {x, y} <= _SPLITS:
        return same_argument(dimension(a, schemas), dimension(b, schemas)) and _same_forms(a.value, b.value, renaming)
    return {x, y} <= _CASTS and _same_forms(a.value, b.value, renaming)


def in_other_words(a: Node, b: Node) -> bool:
    """Whether other literals are no difference of their own between two such calls: what they mean shows in the result."""
    return any({a.target, b.target} <= family for family in (_SPLITS, _CASTS))


def _same_forms(a: Value | None, b: Value | None, renaming: Renaming) -> bool:
    """Whether two values are recorded as tensors of the same shapes and dtypes."""
    if isinstance(a, ContainerValue) and isinstance(b, ContainerValue):
        return len(a.items) == len(b.items) and all(
            _same_forms(x, y, renaming) for x, y in zip(a.items, b.items, strict=True)
        )
    if not isinstance(a, TensorValue) or not isinstance(b, TensorValue):
        return False
    return (a.dtype, a.device) == (b.dtype, b.device) and renaming.same_all(a.shape, b.shape)
