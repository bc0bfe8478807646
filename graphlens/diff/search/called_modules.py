"""Modules that one side calls as a whole (`symbolic_trace`), and the calls that the other side made in them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from graphlens.diff.search.match import FREE, Match
from graphlens.diff.search.provenance import contradicted
from graphlens.diff.search.table import GETITEM, SLOT_BITS, Table


def called_modules_step(match: Match) -> int:
    """Group each free call of a module with all that the other side calls in that module; return how many groups.

    A module that is called several times has a number for each call, on both sides.
    """
    made = 0
    for flip, (here, mate, there, others) in enumerate(
        ((match.a, match.mate_a, match.b, match.mate_b), (match.b, match.mate_b, match.a, match.mate_a))
    ):
        whole = [i for i in here.of("call_module") if mate[i] == FREE]
        calls = _calls(there) if whole else {}
        for i in whole:
            inside = calls.get(_called(here, i), [])
            if not inside or any(others[j] != FREE for j in inside):
                continue
            parts = [i, *_items(here, mate, i)]
            ours, theirs = (inside, parts) if flip else (parts, inside)
            if not contradicted(match, ours, theirs):
                sizes = ["n" if len(side) > 1 else "1" for side in (ours, theirs)]
                match.bundle(ours, theirs, f"group {':'.join(sizes)}", 0.9, ("a module, and what is called in it",))
                made += 1
    return made


def _items(table: Table, mate: list[int], i: int) -> list[int]:
    """List what is picked from the result of a call."""
    users = dict.fromkeys(use >> SLOT_BITS for use in table.users[i])
    return [user for user in users if table.nodes[user].target == GETITEM and mate[user] == FREE]


def _called(table: Table, i: int) -> str:
    node = table.nodes[i]
    stack = node.module_stack
    return stack[-1].call if stack and stack[-1].path == node.target and not node.subgraphs else ""


def _calls(table: Table) -> Mapping[str, list[int]]:
    """List what is called in each call of a module, and in the modules inside it."""
    found: dict[str, list[int]] = defaultdict(list)
    for i, node in enumerate(table.nodes):
        if node.op.startswith("call_"):
            for name in dict.fromkeys(entry.call for entry in node.module_stack):
                found[name].append(i)
    return found
