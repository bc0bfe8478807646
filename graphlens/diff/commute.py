"""Which operators give the same bits when their first two arguments change places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from graphlens.program.argument import Argument, Ref
from graphlens.program.graph import Node
from graphlens.program.value import SymValue, TensorValue, Value

# IEEE 754 addition, multiplication and equality commute, but for the payload of a NaN made of two NaNs. Maximum and
# minimum do not on floats: with +0.0 and -0.0 the vectorised kernels return the second operand. Nor does anything on
# floats of two dtypes: a number of higher precision is rounded first or last, depending on which operand it is.
_REAL: Final = {"aten.add.Tensor", "aten.mul.Tensor"}
_ALWAYS: Final = {
    "aten.eq.Tensor", "aten.ne.Tensor", "aten.logical_and.default", "aten.logical_or.default", "aten.logical_xor.default",
}  # fmt: skip
_INTEGRAL: Final = {
    "aten.maximum.default", "aten.minimum.default", "aten.fmax.default", "aten.fmin.default", "aten.bitwise_and.Tensor",
    "aten.bitwise_or.Tensor", "aten.bitwise_xor.Tensor",
}  # fmt: skip
_SYMBOLIC: Final = {"_operator.add", "_operator.mul", "torch.sym_max", "torch.sym_min"}
COMMUTATIVE: Final = frozenset(_REAL | _ALWAYS | _INTEGRAL | _SYMBOLIC)
_INTEGERS: Final = {"bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"}
_FLOATS: Final = {"float16", "bfloat16", "float32", "float64"}


def commutes(node: Node, value_of: Callable[[str], Value | None]) -> bool:
    """Whether exchanging the first two arguments of this very node changes no bit of its result.

    Needs the dtype and the strides of the result, for the memory format of a result may follow its first operand.
    """
    if node.target not in COMMUTATIVE or len(node.args) < 2:
        return False
    value = node.value
    if node.target in _SYMBOLIC:
        return isinstance(value, SymValue) and value.kind == "SymInt" and not node.kwargs
    if not isinstance(value, TensorValue) or value.stride is None or not _plain(node):
        return False
    dtypes = {_dtype(argument, value_of) for argument in node.args[:2]}
    if dtypes <= _INTEGERS:
        return node.target not in _REAL or value.dtype in _INTEGERS
    if len(dtypes) != 1 or None in dtypes or node.target in _INTEGRAL:
        return False
    return node.target in _ALWAYS or (dtypes == {value.dtype} and value.dtype in _FLOATS)


def _plain(node: Node) -> bool:
    if not node.kwargs:
        return True
    alpha = node.kwargs.get("alpha", 1)
    return set(node.kwargs) == {"alpha"} and type(alpha) is int and alpha == 1


def _dtype(argument: Argument, value_of: Callable[[str], Value | None]) -> str | None:
    value = value_of(argument.node) if isinstance(argument, Ref) else None
    return value.dtype if isinstance(value, TensorValue) else None
