"""For which inputs the two programs are made: ranges of symbols and guards."""

from __future__ import annotations

import re
from collections.abc import Iterable

from graphlens.diff.check.boundary import signed
from graphlens.diff.check.findings import Findings
from graphlens.diff.check.symbols import Renaming
from graphlens.program.argument import Const, leaves
from graphlens.program.expr import free_symbols, rename_symbols
from graphlens.program.parts import Range
from graphlens.program.program import Program
from graphlens.program.symbols import symbol_users

UNUSED = "ranges of symbols that are in no value"
_UNBACKED = re.compile(r"z?uf?\d+")


def check_bounds(a: Program, b: Program, renaming: Renaming, findings: Findings) -> None:
    """Refuse ranges and guards that differ, saying which side promises more."""
    _name_the_rest((*_ranges(a), *a.guards), renaming, findings)
    _check_ranges(a, b, renaming, findings)
    _check_guards(a, b, renaming, findings)


def _name_the_rest(texts: Iterable[str], renaming: Renaming, findings: Findings) -> None:
    """Let symbols that no value has keep their names, unless another symbol has got that name on the other side."""
    for text in texts:
        for name in free_symbols(text):
            if name not in renaming.forward and not renaming.bind(name, name):
                findings.refuse("program", "", "", "symbols", f"{name} of {text[:200]} is another symbol in b")


def _check_ranges(a: Program, b: Program, renaming: Renaming, findings: Findings) -> None:
    left = {rename_symbols(text, renaming.forward): (text, ours) for text, ours in _ranges(a).items()}
    right = _ranges(b)
    unknown = signed(a) != signed(b)
    for image, (text, ours) in left.items():
        if image in right and ours != right[image]:
            word = _direction(ours, right[image])
            findings.refuse("program", "", "", "ranges", f"{word}: {text} in {ours} and {right[image]}")
        elif image not in right and not unknown:
            _missing(a, text, f"b is weaker: no range for {text} in {ours}", findings)
    for text, theirs in right.items():
        if text not in left and not unknown:
            _missing(b, text, f"b is stronger: a has no range for {text} in {theirs}", findings)
    if unknown and left.keys() != right.keys():
        findings.assumptions["one side has no signature and records no ranges"] += 1


def _missing(program: Program, text: str, message: str, findings: Findings) -> None:
    """Refuse a range that one side lacks, unless it is for a number that the program computes nowhere: it promises nothing."""
    if _UNBACKED.fullmatch(text) and not _mentions(program, text):
        findings.rules[UNUSED] += 1
    else:
        findings.refuse("program", "", "", "ranges", message)


def _mentions(program: Program, symbol: str) -> bool:
    if symbol in symbol_users(program.graphs) or any(symbol in free_symbols(text) for text in program.guards):
        return True
    arguments = (arg for graph in program.graphs.values() for n in graph.nodes for arg in (*n.args, *n.kwargs.values()))
    return any(
        isinstance(leaf, Const) and leaf.kind == "sym" and symbol in free_symbols(leaf.text)
        for argument in arguments
        for leaf in leaves(argument)
    )


def _ranges(program: Program) -> dict[str, Range]:
    table = {symbol.name: symbol.range for symbol in program.symbol_table}
    return {text: bounds for text, bounds in (table | dict(program.ranges)).items() if bounds != Range()}


def _direction(a: Range, b: Range) -> str:
    low_a, low_b = (float("-inf") if x is None else x for x in (a.lower, b.lower))
    high_a, high_b = (float("inf") if x is None else x for x in (a.upper, b.upper))
    if low_b <= low_a and high_b >= high_a:
        return "b is weaker, its range is wider"
    if low_b >= low_a and high_b <= high_a:
        return "b is stronger, its range is narrower"
    return "ranges differ"


def _check_guards(a: Program, b: Program, renaming: Renaming, findings: Findings) -> None:
    ours = {rename_symbols(text, renaming.forward) for text in a.guards}
    theirs = {rename_symbols(text, {}) for text in b.guards}
    if signed(a) != signed(b):
        if ours != theirs:
            findings.assumptions["one side has no signature and records no guards"] += 1
        return
    for word, missing in (("weaker: it lacks", ours - theirs), ("stronger: it adds", theirs - ours)):
        for text in sorted(missing):
            findings.refuse("program", "", "", "guards", f"b is {word} the guard {text}")
