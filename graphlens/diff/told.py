"""Whether what is recorded of a result is what its call says: passes that put one call for another keep the old record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from graphlens.diff.layout import packet
from graphlens.diff.opinfo import MISSING, find
from graphlens.program.argument import Argument, Const, Ref, Seq
from graphlens.program.graph import Node
from graphlens.program.value import ContainerValue, Size, TensorValue

_SIZED: Final = frozenset(
    f"aten.{name}"
    for name in (
        "view",
        "view_copy",
        "reshape",
        "_unsafe_view",
        "expand",
        "expand_copy",
        "broadcast_to",
        "_reshape_copy",
    )
)
_PIECES: Final = frozenset({"aten.split_with_sizes.default", "aten.split_with_sizes_copy.default", "aten.split.sizes"})
_EQUAL: Final = frozenset({"aten.split.Tensor", "aten.split_copy.Tensor", "aten.unsafe_split.Tensor"})
_CHUNKS: Final = frozenset({"aten.chunk.default", "aten.unsafe_chunk.default"})
_SECTIONS: Final = "aten.tensor_split.sections"


def as_recorded(node: Node, schemas: Mapping[str, str]) -> bool:
    """Whether no number and no dtype that a call is given contradicts the shapes and the dtype recorded of its result."""
    if isinstance(node.value, TensorValue):
        return _dtype(node, node.value) and (packet(node) not in _SIZED or _sizes(node, node.value))
    return not isinstance(node.value, ContainerValue) or _pieces(node, node.value, schemas)


def _dtype(node: Node, value: TensorValue) -> bool:
    given = (arg for arg in (*node.args, *node.kwargs.values()) if isinstance(arg, Const) and arg.kind == "dtype")
    return all(arg.text == value.dtype for arg in given)


def _sizes(node: Node, value: TensorValue) -> bool:
    given = list(node.args[1:]) or list(node.kwargs.values())[:1]
    if given and isinstance(given[0], Seq):
        given = list(given[0].items)
    if not all(type(size) is int or isinstance(size, Ref) for size in given):
        return True  # a dtype, or sizes told in a way that is not known here
    return len(given) == len(value.shape) and all(map(_fits, given, value.shape))


def _fits(given: Argument, size: Size) -> bool:
    return type(given) is not int or given in (-1, size)


def _pieces(node: Node, value: ContainerValue, schemas: Mapping[str, str]) -> bool:
    dim = dimension(node, schemas)
    told = node.args[1] if len(node.args) > 1 else None
    items = [item for item in value.items if isinstance(item, TensorValue)]
    if type(dim) is not int or len(items) < len(value.items):
        return True
    sizes = [item.shape[dim] for item in items if -len(item.shape) <= dim < len(item.shape)]
    if node.target in _PIECES and isinstance(told, Seq):
        return len(told.items) == len(sizes) and all(map(_fits, told.items, sizes))
    numbers = [size for size in sizes if type(size) is int]
    if type(told) is not int or told < 1 or not numbers or len(numbers) < len(sizes):
        return True
    return _cut(node.target, told, numbers)


def _cut(target: str, told: int, sizes: Sequence[int]) -> bool:
    """Whether pieces are those of a dimension that is cut into so many, or into such as are so long."""
    if target == _SECTIONS:
        each, more = divmod(sum(sizes), told)
        return [*sizes] == [each + 1] * more + [each] * (told - more)
    if target not in _EQUAL | _CHUNKS:
        return True
    each = told if target in _EQUAL else -(-sum(sizes) // told)
    return all(size == each for size in sizes[:-1]) and sizes[-1] <= each


def dimension(node: Node, schemas: Mapping[str, str]) -> Argument:
    """Return what a call is given as ``dim``, the schema's default where it is given nothing."""
    info = find(node.target, schemas)
    at = info.index.get("dim", -1) if info is not None else -1
    if info is None or at < 0:
        return None
    if at < len(node.args):
        return node.args[at]
    default = info.parameters[at].default
    return node.kwargs.get("dim", None if default is MISSING else default)  # type: ignore[arg-type]
