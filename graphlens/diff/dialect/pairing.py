"""The arguments of one function in two dialects, side by side."""

from __future__ import annotations

from collections.abc import Iterator

from graphlens.diff.dialect.indexing import LAST
from graphlens.diff.dialect.spelling import Spelling
from graphlens.diff.opinfo import MISSING
from graphlens.program.argument import Argument, Seq, same_argument

QUIET = frozenset(
    {
        "device",
        "layout",
        "memory_format",
        "pin_memory",
        "non_blocking",
        "copy",
        "implicit",
        "cudnn_enable",
        "cudnn_enabled",
    }
)
"""Parameters that one dialect fills in and the other leaves out; what follows from them stands in the value."""
_FILLED = {"start": 0, "end": LAST, "step": 1}


def side_by_side(a: Spelling, b: Spelling) -> Iterator[tuple[str, Argument, Argument]]:
    """Yield what both sides pass, by the name of the parameter, in the words of operators."""
    for name, ours in a.given.items():
        if name in b.given and name not in QUIET:
            x, y = _filled(a, name, ours), _filled(b, name, b.given[name])
            x, y = _listed(x, y), _listed(y, x)
            if not (x is None and y is False) and not (x is False and y is None):
                yield name, x, y


def on_one_side(a: Spelling, b: Spelling) -> Iterator[tuple[str, Argument]]:
    """Yield what `a` passes and `b` does not, where that is not what the operator does anyway."""
    for name, value in a.given.items():
        if name in b.given or name in QUIET or value is None or value is False or (a.function, name) == ("to", "dtype"):
            continue  # what a conversion gives stands in the value
        if not any(_is_default(each, name, value) for each in (a, b)):
            yield name, value


def _filled(spelling: Spelling, name: str, value: Argument) -> Argument:
    return _FILLED.get(name, value) if value is None and spelling.function == "slice" else value


def _listed(value: Argument, other: Argument) -> Argument:
    """Write one number that stands for all sizes as a list, and a tuple as the list that operators take."""
    if isinstance(value, Seq):
        return Seq("list", value.items)
    if isinstance(other, Seq) and type(value) is int:
        return Seq("list", (value,) * len(other.items))
    return value


def _is_default(spelling: Spelling, name: str, value: Argument) -> bool:
    info = spelling.info
    if spelling.function == "slice" and _FILLED.get(name) == value:
        return True
    if info is None or name not in info.index:
        return False
    default = info.parameters[info.index[name]].default
    if default is MISSING:
        return False
    return same_argument(_listed(value, default), _listed(default, value))  # type: ignore[arg-type]
