"""Do two calls pass the same things? Exactly, or after a rule that is named and counted."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from graphlens.diff.check.symbols import Renaming
from graphlens.diff.containers import takes_any_order
from graphlens.diff.messages import are_messages, same_message
from graphlens.diff.opinfo import MISSING, OpInfo
from graphlens.program.argument import (
    NOT_ALL_READ,
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
from graphlens.program.graph import Node

DEFAULTS = "defaults filled"
KWARGS_ORDER = "order of keyword arguments"
POSITIONAL = "keyword for positional"
TUPLE_LIST = "tuple for list"
COMMUTED = "commuted operands"
MESSAGES = "other texts of assertions"


@dataclass
class Comparison:
    """What comparing the arguments of one pair of nodes gave: the first disagreement, and what it took."""

    edges: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    opaque: int = 0
    unread: int = 0
    check: str = ""
    message: str = ""
    asserts: bool = False
    same_name: Callable[[str, str], bool] = operator.eq


def compare_arguments(
    a: Node,
    b: Node,
    same_edge: Callable[[str, str], bool],
    renaming: Renaming,
    info: OpInfo | None,
    *,
    swap: bool = False,
    same_name: Callable[[str, str], bool] = operator.eq,
) -> Comparison:
    """Compare all arguments of two nodes.

    Parameters
    ----------
    a, b
        Two nodes with the same op and target.
    same_edge
        Whether an operand of `a` and one of `b` are the same value under the proposed map.
    info
        What the operator's schema says, where it is known: only then are defaults filled and keywords bound.
    swap
        Compare the first argument of `a` with the second of `b` and the other way round.
    same_name
        Whether a word in the message of an assertion names the same node or symbol as another.
    """
    result = Comparison(same_name=same_name, asserts=info is not None and info.builtin)
    if not swap and len(a.args) == len(b.args) and [*a.kwargs] == [*b.kwargs]:
        _alike(a, b, same_edge, renaming, info, result)
        return result
    ours, theirs = _bound(a, info), _bound(b, info)
    if info is None and [*a.kwargs] != [*b.kwargs] and set(a.kwargs) == set(b.kwargs):
        if not takes_any_order(a):
            result.check, result.message = "arguments", "keywords in another order, which this call may heed"
            return result
        result.rules[KWARGS_ORDER] += 1
    if info is not None:
        _count_binding(a, b, ours, theirs, info, result)
    keys = list(ours) + [key for key in theirs if key not in ours]
    for key in keys:
        other = _EXCHANGED.get(key, key) if swap else key
        if key not in ours or other not in theirs:
            result.check, result.message = "arguments", f"{_place(key, info)} is given on one side only"
            return result
        compare_argument(ours[key], theirs[other], same_edge, renaming, result, _place(key, info))
        if result.check:
            return result
    if swap:
        result.rules[COMMUTED] += 1
    return result


def _alike(
    a: Node,
    b: Node,
    same_edge: Callable[[str, str], bool],
    renaming: Renaming,
    info: OpInfo | None,
    result: Comparison,
) -> None:
    """Compare two calls that pass as many by position and the same by keyword: defaults are then the same on both sides."""
    theirs = (*b.args, *b.kwargs.values())
    for key, ours, other in zip((*range(len(a.args)), *a.kwargs), (*a.args, *a.kwargs.values()), theirs, strict=True):
        compare_argument(ours, other, same_edge, renaming, result, key if isinstance(key, str) else _place(key, info))
        if result.check:
            return


_EXCHANGED: dict[int | str, int | str] = {0: 1, 1: 0}


def _place(key: int | str, info: OpInfo | None) -> str:
    if isinstance(key, str):
        return key
    return info.parameters[key].name if info is not None and key < len(info.parameters) else f"args[{key}]"


def _bound(node: Node, info: OpInfo | None) -> dict[int | str, Argument]:
    """Arguments by position in the schema, defaults filled in; what the schema does not name by its keyword."""
    found: dict[int | str, Argument] = dict(enumerate(node.args))
    if info is None:
        return found | dict(node.kwargs)
    index = info.index
    for name, argument in node.kwargs.items():
        found[index.get(name, name)] = argument
    for i, parameter in enumerate(info.parameters):
        if i not in found and not isinstance(parameter.default, type(MISSING)):
            found[i] = cast("Argument", parameter.default)
    return found


def _count_binding(
    a: Node,
    b: Node,
    ours: dict[int | str, Argument],
    theirs: dict[int | str, Argument],
    info: OpInfo,
    result: Comparison,
) -> None:
    index = info.index
    given_a = set(range(len(a.args))) | {index.get(name, name) for name in a.kwargs}
    given_b = set(range(len(b.args))) | {index.get(name, name) for name in b.kwargs}
    filled = len((given_a ^ given_b) & set(ours) & set(theirs))
    moved = sum(1 for name in a.kwargs if name not in b.kwargs and index.get(name, name) in given_b)
    moved += sum(1 for name in b.kwargs if name not in a.kwargs and index.get(name, name) in given_a)
    shared = [name for name in a.kwargs if name in b.kwargs]
    for rule, count in ((DEFAULTS, filled), (POSITIONAL, moved)):
        if count:
            result.rules[rule] += count
    if shared != [name for name in b.kwargs if name in a.kwargs]:
        result.rules[KWARGS_ORDER] += 1


def compare_argument(
    a: Argument, b: Argument, same_edge: Callable[[str, str], bool], renaming: Renaming, result: Comparison, place: str
) -> None:
    """Compare two arguments leaf by leaf, writing into `result`."""
    stack: list[tuple[Argument, Argument]] = [(a, b)]
    while stack:
        left, right = stack.pop()
        if isinstance(left, Ref) and isinstance(right, Ref):
            result.edges += 1
            if not same_edge(left.node, right.node):
                result.check, result.message = "edge", f"{place}: {left.node} and {right.node} are not a pair"
                return
        elif isinstance(left, Seq | Map | Slice) and type(left) is type(right):
            inner, other = children(left), children(right)
            if len(inner) != len(other):
                break
            if isinstance(left, Seq) and isinstance(right, Seq) and left.kind != right.kind:
                result.rules[TUPLE_LIST] += 1
            stack.extend(reversed(list(zip(inner, other, strict=True))))
        elif result.asserts and are_messages(left, right, place):
            result.rules[MESSAGES] += not same_message(str(left), str(right), result.same_name)
        elif not _same_leaf(left, right, renaming):
            break
        elif isinstance(left, Opaque):
            unread = NOT_ALL_READ in left.text
            result.unread += unread
            result.opaque += not unread and left.type not in _EXACT_TEXTS
        elif isinstance(left, Const):
            result.unread += left.kind == "function" and NOT_ALL_READ in left.text
            result.opaque += left.kind == "function" and not left.text.startswith(KNOWN_FUNCTIONS)
    else:
        return
    result.check, result.message = "arguments", f"{place}: {argument_text(a)[:120]} and {argument_text(b)[:120]}"


KNOWN_FUNCTIONS = ("higher_order.", "_operator.", "math.", "builtins.", "torch.", "prims.", "aten.")
_EXACT_TEXTS = {"ellipsis", "range", "set", "frozenset"}


def _same_leaf(a: Argument, b: Argument, renaming: Renaming) -> bool:
    if isinstance(a, Const) and isinstance(b, Const):
        if a.kind == b.kind == "sym":
            return renaming.agree(a.text, b.text)
        return a == b
    if isinstance(a, Opaque) and isinstance(b, Opaque):
        return a == b
    if isinstance(a, Ref | Const | Opaque | Seq | Map | Slice) or isinstance(
        b, Ref | Const | Opaque | Seq | Map | Slice
    ):
        return False
    return same_literal(a, b)
