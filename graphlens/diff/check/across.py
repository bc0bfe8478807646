"""Calls of one function in two dialects: what they pass is compared, and what they compute stays unknown."""

from __future__ import annotations

from collections import Counter

from graphlens.diff.check.arguments import Comparison, compare_argument
from graphlens.diff.check.bench import Bench
from graphlens.diff.dialect import on_one_side, same_function, side_by_side, spell
from graphlens.program.argument import Ref, refs
from graphlens.program.graph import Node

ACROSS = (
    "calls in another dialect (Python's functions and methods against operators) are not proved to compute the same"
)


def in_two_dialects(bench: Bench, a: Node, b: Node) -> bool:
    """Whether two calls of different targets are one function in two dialects."""
    return same_function(a, b, (bench.a.value_of, bench.b.value_of), bench.schemas)


def check_across(bench: Bench, a: Node, b: Node) -> tuple[str, str] | None:
    """Say what two such calls pass differently; that they are left open is noted."""
    bench.findings.unknown[ACROSS] += 1
    ours, theirs = spell(a, bench.schemas, bench.a.value_of), spell(b, bench.schemas, bench.b.value_of)
    if ours is None or theirs is None:
        return None if _same_operands(bench, a, b) else ("edge", "they work on other operands")
    result = Comparison(same_name=bench.same_name)
    for name, x, y in side_by_side(ours, theirs):
        compare_argument(x, y, bench.same_edge, bench.renaming, result, name)
        if result.check:
            return result.check, result.message
    bench.findings.edges += result.edges
    for name, value in (*on_one_side(ours, theirs), *on_one_side(theirs, ours)):
        if isinstance(value, Ref):
            return "edge", f"{name} is given on one side only"
    return None


def _same_operands(bench: Bench, a: Node, b: Node) -> bool:
    left = Counter(bench.mate.get(name, "") for x in (*a.args, *a.kwargs.values()) for name in refs(x))
    return left == Counter(name for y in (*b.args, *b.kwargs.values()) for name in refs(y))
