"""What a call does, in the operator's words: the function without its dialect, and its arguments by the schema's names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from graphlens.diff.dialect.binding import Given, bind, conversion, fits
from graphlens.diff.dialect.indexing import ValueOf, indexed
from graphlens.diff.dialect.words import CASTS, PARAMETERS, SYNONYMS, TURNED, VARIADIC
from graphlens.diff.opinfo import OpInfo, find, lookup, operators
from graphlens.program.argument import Const, Ref
from graphlens.program.graph import Node
from graphlens.program.value import TensorValue

GETITEM, SETITEM = "_operator.getitem", "_operator.setitem"


class Spelling(NamedTuple):
    """The function and its arguments by name, ordered as the schema (`info`) has them; `python` where it was told in Python's words."""

    function: str
    given: Given
    python: bool
    info: OpInfo | None = None


def speaks_python(op: str, target: str) -> bool:
    """Whether a call is spelled as a function or method of Python's torch, and not as an operator."""
    return op == "call_method" or (op == "call_function" and target.startswith(("torch.", "_operator.")))


def spell(node: Node, schemas: Mapping[str, str], value_of: ValueOf) -> Spelling | None:
    """Say what a call does; `None` where that is not known to be one operator."""
    if node.op not in ("call_function", "call_method") or node.subgraphs:
        return None
    if node.target == GETITEM and len(node.args) == 2:
        return _indexing(node, value_of)
    if node.target == SETITEM and len(node.args) == 3:
        return _assignment(node, value_of)
    if not speaks_python(node.op, node.target):
        info = find(node.target, schemas)
        bound = bind(node, info, ()) if info is not None else None
        if bound is not None and node.target.startswith("aten.rsub."):
            bound = {"self": bound["other"], "other": bound["self"]} | {
                name: bound[name] for name in ("alpha",) if name in bound
            }
        return None if bound is None else Spelling(_packet(node.target), bound, python=False, info=info)
    cast = _cast(node)
    if cast is not None:
        return cast
    name = _name(node.target)
    for target in _overloads().get(name, ()):
        info = lookup(target)
        bound = spelled_as(node, info) if info is not None else None
        if bound is not None and fits(bound, info, value_of):  # type: ignore[arg-type]
            return _number_last(Spelling(name, bound, python=True, info=info), node, value_of)
    return None


def _number_last(spelling: Spelling, node: Node, value_of: ValueOf) -> Spelling:
    """Write ``0 + x`` and ``2 < x`` as the operators that Python calls for them, ``x + 0`` and ``x > 2``."""
    turned = TURNED.get(spelling.function, "") if node.target.startswith("_operator.") else ""
    first, second = spelling.given.get("self"), spelling.given.get("other")
    tensor = isinstance(second, Ref) and isinstance(value_of(second.node), TensorValue)
    if not turned or not tensor or isinstance(first, Ref) or len(spelling.given) > 2:
        return spelling
    return spelling._replace(function=turned, given={"self": second, "other": first})


def spelled_as(node: Node, info: OpInfo) -> Given | None:
    """Give the arguments of a Python call by the names of an operator's schema; `None` where they do not fit."""
    name = _name(node.target)
    if name == "to":
        return conversion(node, info)
    return bind(node, info, PARAMETERS.get(node.target, ()), variadic=name in VARIADIC)


def operators_of(node: Node, value_of: ValueOf) -> list[tuple[Node, OpInfo]]:
    """Return the calls of operators that a Python call may be; none where it is not sure to be one of them.

    Sure are functions of C++, methods and operators of plain tensors, and the functions in Python that are known to do no more.
    """
    if node.target == GETITEM or "out" in node.kwargs or not _trusted(node, value_of):
        return []
    found: list[tuple[Node, OpInfo]] = []
    cast = _cast(node)
    for target in _overloads().get("to" if cast is not None else _name(node.target), ()):
        info = lookup(target)
        given = None if info is None else cast.given if cast is not None else spelled_as(node, info)
        if info is not None and given is not None and fits(given, info, value_of):
            known = {name: value for name, value in given.items() if name in info.index}
            found.append((Node(name=node.name, op="call_function", target=target, kwargs=known), info))
    return found


def _trusted(node: Node, value_of: ValueOf) -> bool:
    if node.op == "call_method":
        first = node.args[0] if node.args else None
        value = value_of(first.node) if isinstance(first, Ref) else None
        return isinstance(value, TensorValue) and value.type in PLAIN
    if node.target.startswith("_operator."):
        values = [value_of(argument.node) for argument in node.args if isinstance(argument, Ref)]
        plain = [value.type in PLAIN for value in values if isinstance(value, TensorValue)]
        return bool(plain) and all(plain) and None not in values
    return node.target.rpartition(".")[0] in ("torch", "torch._C._nn") or node.target in PARAMETERS


PLAIN = (None, "Tensor", "Parameter")
"""Types of tensors whose methods are torch's own."""


def same_function(a: Node, b: Node, value_of: tuple[ValueOf, ValueOf], schemas: Mapping[str, str]) -> bool:
    """Whether two calls of different targets are one function in two dialects, or in two ways of Python's."""
    python = speaks_python(a.op, a.target) or speaks_python(b.op, b.target)
    if not (python or _one_overload(a, b, schemas) or _one_overload(b, a, schemas)):
        return False
    ours, theirs = spell(a, schemas, value_of[0]), spell(b, schemas, value_of[1])
    if ours is not None and theirs is not None:
        return ours.function == theirs.function
    return called(a) == called(b) != ""


def _one_overload(a: Node, b: Node, schemas: Mapping[str, str]) -> bool:
    """Whether `a` calls a custom operator by its name alone, and `b` the one overload that it has."""
    return (
        a.target in schemas and a.target == b.target.rpartition(".")[0] and schemas[a.target] == schemas.get(b.target)
    )


def called(node: Node) -> str:
    """Name what is called without its dialect, whatever is passed; ``""`` where the arguments decide that."""
    if node.op not in ("call_function", "call_method") or node.subgraphs or node.target == GETITEM:
        return ""
    return _name(node.target) if speaks_python(node.op, node.target) else _packet(node.target)


_INDEXING: Mapping[str, str] = {
    "index": "aten.index.Tensor", "alias": "aten.alias.default", "unsqueeze": "aten.unsqueeze.default",
    "slice": "aten.slice.Tensor", "select": "aten.select.int",
}  # fmt: skip


def _indexing(node: Node, value_of: ValueOf) -> Spelling | None:
    base, index = node.args
    if not isinstance(base, Ref) or not isinstance(value_of(base.node), TensorValue):
        return None
    found = indexed(base, index, value_of)
    return None if found is None else Spelling(found[0], dict(found[1]), python=True, info=lookup(_INDEXING[found[0]]))


def _assignment(node: Node, value_of: ValueOf) -> Spelling | None:
    """Read ``x[index] = y`` where tensors are the index and both are tensors: it is one operator."""
    base, index, values = node.args
    tensors = [value_of(each.node) for each in (base, values) if isinstance(each, Ref)]
    if len(tensors) != 2 or not all(isinstance(each, TensorValue) for each in tensors):
        return None
    found = indexed(base, index, value_of)
    if found is None or found[0] != "index":
        return None
    return Spelling(
        "setitem", {**dict(found[1]), "values": values}, python=True, info=lookup("aten.index_put_.default")
    )


@cache
def _name(target: str) -> str:
    """Take the module from the name of a Python function, and what only its dialect says."""
    name = target.rpartition(".")[2]
    if target.startswith("torch._C._special.special_"):
        name = target.removeprefix("torch._C._special.")
    return SYNONYMS.get(name, name)


@cache
def _packet(target: str) -> str:
    """Take the overload from an operator, and the namespace where it is torch's own."""
    namespace, _, rest = target.partition(".")
    name = rest.partition(".")[0]
    return SYNONYMS.get(name, name) if namespace == "aten" else f"{namespace}.{name}"


@cache
def _overloads() -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = defaultdict(list)
    for target in operators():
        if target.startswith("aten.") and not target.endswith(("out", "_grad_input")):
            found[target.split(".")[1]].append(target)
    return {name: tuple(targets) for name, targets in found.items()}


def _cast(node: Node) -> Spelling | None:
    dtype = CASTS.get(node.target) if node.op == "call_method" else None
    if dtype is None or len(node.args) != 1 or node.kwargs:
        return None
    return Spelling("to", {"self": node.args[0], "dtype": Const("dtype", dtype)}, python=True)
