"""What torch's Python functions and methods are called as operators (torch 2.13)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_COMPARED: Final = ("lt", "le", "eq", "ne", "gt", "ge")

SYNONYMS: Final[Mapping[str, str]] = {
    "and_": "bitwise_and", "__and__": "bitwise_and", "or_": "bitwise_or", "__or__": "bitwise_or", "xor": "bitwise_xor",
    "__xor__": "bitwise_xor", "invert": "bitwise_not", "inv": "bitwise_not", "not_": "logical_not", "truediv": "div",
    "true_divide": "div", "divide": "div", "floordiv": "floor_divide", "mod": "remainder", "multiply": "mul", "subtract": "sub",
    "negative": "neg", "pos": "positive", "absolute": "abs", "greater": "gt", "greater_equal": "ge", "less": "lt",
    "less_equal": "le", "not_equal": "ne", "concat": "cat", "concatenate": "cat", "clip": "clamp", "swapaxes": "transpose",
    "swapdims": "transpose", "moveaxis": "movedim", "lshift": "__lshift__", "rshift": "__rshift__", "rsub": "sub",
    "iadd": "add_", "isub": "sub_", "imul": "mul_", "itruediv": "div_", "ifloordiv": "floor_divide_", "imod": "remainder_",
    "ipow": "pow_", "iand": "bitwise_and_", "ior": "bitwise_or_", "ixor": "bitwise_xor_", "__iand__": "bitwise_and_",
    "__ior__": "bitwise_or_", "__ixor__": "bitwise_xor_", "size": "sym_size", "numel": "sym_numel",
    "index_put_": "setitem", "sym_not": "logical_not",
} | {f"__{name}__": name for name in (*_COMPARED, "add", "sub", "mul", "matmul", "neg", "pow", "abs", "getitem", "setitem")}  # fmt: skip
"""Names for one function; the one on the right is used."""

TURNED: Final[Mapping[str, str]] = {
    "add": "add", "mul": "mul", "eq": "eq", "ne": "ne", "lt": "gt", "le": "ge", "gt": "lt", "ge": "le",
    "bitwise_and": "bitwise_and", "bitwise_or": "bitwise_or", "bitwise_xor": "bitwise_xor",
}  # fmt: skip
"""What Python calls on the tensor where a number stands first."""

CASTS: Final[Mapping[str, str]] = {
    "float": "float32", "double": "float64", "half": "float16", "bfloat16": "bfloat16", "long": "int64", "int": "int32",
    "short": "int16", "char": "int8", "byte": "uint8", "bool": "bool", "cfloat": "complex64", "cdouble": "complex128",
}  # fmt: skip
"""Methods that are ``to`` with a dtype."""

VARIADIC: Final = frozenset(
    {
        "view", "reshape", "expand", "permute", "repeat", "tile", "flip", "new_zeros", "new_ones", "new_empty", "zeros", "ones",
        "empty", "rand", "randn", "movedim", "squeeze", "unflatten",
    }
)  # fmt: skip
"""Take their sizes as a list or one by one."""

_ACTIVATION = ("self", "inplace")
PARAMETERS: Final[Mapping[str, tuple[str, ...]]] = {
    "torch.nn.functional.embedding": (
        "indices", "weight", "padding_idx", "max_norm", "norm_type", "scale_grad_by_freq", "sparse",
    ),
    "torch.nn.functional.dropout": ("input", "p", "train", "inplace"),
    "torch.nn.functional.batch_norm": (
        "input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps",
    ),
    "torch.nn.functional.layer_norm": ("input", "normalized_shape", "weight", "bias", "eps"),
    "torch.nn.functional.group_norm": ("input", "num_groups", "weight", "bias", "eps"),
    "torch.nn.functional.rms_norm": ("input", "normalized_shape", "weight", "eps"),
    "torch.nn.functional.softmax": ("self", "dim", "_stacklevel", "dtype"),
    "torch.nn.functional.log_softmax": ("self", "dim", "_stacklevel", "dtype"),
    "torch.nn.functional.hardtanh": ("self", "min_val", "max_val", "inplace"),
    "torch.nn.functional.leaky_relu": ("self", "negative_slope", "inplace"),
    "torch.nn.functional.elu": ("self", "alpha", "inplace"),
    "torch.nn.functional.glu": ("self", "dim"),
    "torch.nn.functional.tanh": ("self",),
    "torch.nn.functional.sigmoid": ("self",),
} | {
    f"torch.nn.functional.{name}": _ACTIVATION for name in ("relu", "silu", "relu6", "selu", "mish", "hardswish", "hardsigmoid")
}  # fmt: skip
"""Parameters of functions in Python that do nothing but call the operator of their name, by the operator's names."""

RENAMED: Final[Mapping[str, str]] = {"input": "self", "training": "train", "axis": "dim", "keepdims": "keepdim"}
"""Keywords that operators call otherwise."""

ONLY_PYTHON: Final[Mapping[str, tuple[object, ...]]] = {
    "inplace": (False,), "_stacklevel": (3,), "max_norm": (None,), "norm_type": (2.0,),
}  # fmt: skip
"""Parameters that no operator has, and the values with which they change nothing."""
