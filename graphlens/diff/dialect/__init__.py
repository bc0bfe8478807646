"""One function in two dialects: Python functions and methods, as Dynamo records them, and operators, as export does."""

from graphlens.diff.dialect.pairing import on_one_side, side_by_side
from graphlens.diff.dialect.spelling import (
    Spelling,
    called,
    operators_of,
    same_function,
    speaks_python,
    spell,
    spelled_as,
)

__all__ = [
    "Spelling",
    "called",
    "on_one_side",
    "operators_of",
    "same_function",
    "side_by_side",
    "speaks_python",
    "spell",
    "spelled_as",
]
