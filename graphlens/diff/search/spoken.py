"""Match keys of calls in two dialects: Dynamo's Python functions against operators, by what both call and pass.

Used for a pair of programs of which one or both are told in Python's words; a key then says nothing of the dialect, and
evidence that rests on it says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from functools import lru_cache
from itertools import chain

from graphlens.diff.dialect import speaks_python, spell
from graphlens.diff.dialect.indexing import LAST, ValueOf
from graphlens.diff.opinfo import MISSING, Missing, OpInfo
from graphlens.diff.search.keys import flatten
from graphlens.program.argument import Argument, Ref, Seq
from graphlens.program.graph import Node
from graphlens.program.program import Program

DIALECT = " up to dialect"
Told = tuple[Hashable, list[Hashable], bool]
"""The function, what is passed, and whether operands may change places."""
_QUIET = frozenset(
    {"device", "layout", "memory_format", "pin_memory", "non_blocking", "copy", "implicit", "cudnn_enabled"}
)
_COMMUTE = frozenset(
    {"add", "mul", "eq", "ne", "bitwise_and", "bitwise_or", "logical_and", "logical_or", "maximum", "minimum"}
)


def across(a: Program, b: Program) -> bool:
    """Whether one of two programs is told in Python's functions and methods for the most part, so that there are two ways to tell it."""
    if all(program.origin.kind in ("archive", "exported_program") for program in (a, b)):
        return False
    return any(map(_in_python, (a, b)))


def _in_python(program: Program) -> bool:
    """Whether most calls are Python's; what both dialects write alike is neither."""
    graphs = program.graphs.values()
    nodes = chain.from_iterable(graph.nodes for graph in graphs)
    calls = Counter([node.target for node in nodes if node.op == "call_function"])
    python = sum(len(graph.by_op.get("call_method", ())) for graph in graphs)
    operators = 0
    for target, count in calls.items():
        if not target.startswith(("_operator.", "higher")):
            spoken = speaks_python("call_function", target)
            python, operators = python + count * spoken, operators + count * (not spoken)
    return python > operators


def spoken_key(
    node: Node, schemas: Mapping[str, str], value_of: ValueOf, symbol: Callable[[str], str], operands: list[str]
) -> Told | None:
    """Return what a call does without its dialect, what it passes, and whether its operands may change places.

    `None` where that is not known; names of operands go to `operands`, in the order of the schema.
    """
    spelling = spell(node, schemas, value_of)
    if spelling is None:
        return None
    found: list[Hashable] = []
    tensors = 0
    for name, value in spelling.given.items():
        if isinstance(value, Ref):
            operands.append(value.node)
            found.append(name)
            tensors += 1
            continue
        inner: list[str] = []
        said = _said(value, inner, symbol)
        operands.extend(inner)
        if (
            name not in _QUIET
            and (inner or said not in (None, _default(spelling.info, name)))
            and (name, said) != _FRONT
        ):
            found.append((name, said))
    commutes = spelling.function in _COMMUTE and tensors == len(spelling.given) == 2
    return ("call", spelling.function), found, commutes


@lru_cache(maxsize=4096)
def _default(info: OpInfo | None, name: str) -> Hashable:
    at = info.index.get(name) if info is not None else None
    default = info.parameters[at].default if info is not None and at is not None else MISSING
    return None if isinstance(default, Missing) else _said(default, [], str)


def _said(value: Argument, operands: list[str], symbol: Callable[[str], str]) -> Hashable:
    """What an argument says; `None` where it says nothing, as an end that is none."""
    parts = flatten(value, operands, symbol)
    if value is None or value is False or (type(value) is int and value == LAST):
        return None
    items = value.items if isinstance(value, Seq) else (value,)
    if items and all(type(item) is int for item in items) and len(set(items)) == 1:
        return items[:1]  # one size for all
    return parts


_FRONT = ("start", (0,))
"""Where a slice starts that does not say where."""


def weaker(key: list[Hashable], *, sizes_only: bool) -> list[Hashable]:
    """Leave out the literals of a key, or those that are numbers alone."""
    return [part for part in key if not isinstance(part, tuple) or (sizes_only and not _sizes(part[1]))]


def _sizes(said: Hashable) -> bool:
    return isinstance(said, tuple) and all(type(item) is int for item in said)
