"""Numbers of the serialized enums to torch's own names. One that is not known becomes a label, ``ScalarType(99)``."""

from __future__ import annotations

# 14 and 15 are what a few nightlies before torch 2.6 wrote
_DTYPES = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64",
    9: "complex32", 10: "complex64", 11: "complex128", 12: "bool", 13: "bfloat16", 14: "float8_e4m3fn", 15: "float8_e5m2", 28: "uint16", 29: "float8_e4m3fn",
    30: "float8_e5m2", 31: "float8_e4m3fnuz", 32: "float8_e5m2fnuz", 33: "float8_e8m0fnu", 34: "uint32", 35: "uint64",
}  # fmt: skip
_LAYOUTS = {
    1: "sparse_coo", 2: "sparse_csr", 3: "sparse_csc", 4: "sparse_bsr", 5: "sparse_bsc", 6: "_mkldnn", 7: "strided",
}  # fmt: skip
_MEMORY_FORMATS = {1: "contiguous_format", 2: "channels_last", 3: "channels_last_3d", 4: "preserve_format"}

ITEM_BYTES = {
    "uint8": 1, "int8": 1, "bool": 1, "float8_e4m3fn": 1, "float8_e5m2": 1, "float8_e4m3fnuz": 1,
    "float8_e5m2fnuz": 1, "float8_e8m0fnu": 1, "int16": 2, "uint16": 2, "float16": 2, "bfloat16": 2, "int32": 4,
    "uint32": 4, "float32": 4, "complex32": 4, "int64": 8, "uint64": 8, "float64": 8, "complex64": 8, "complex128": 16,
}  # fmt: skip
"""Bytes of one element by dtype."""


def dtype_name(number: int) -> str:
    """Name of a `ScalarType`."""
    return _DTYPES.get(number) or f"ScalarType({number})"


def layout_name(number: int) -> str:
    """Name of a `Layout`."""
    return _LAYOUTS.get(number) or f"Layout({number})"


def memory_format_name(number: int) -> str:
    """Name of a `MemoryFormat`."""
    return _MEMORY_FORMATS.get(number) or f"MemoryFormat({number})"
