"""Pairs that the user gives: they come first, and an error is better than a pin that is silently ignored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphlens.diff.search.table import Table
from graphlens.errors import DiffError
from graphlens.program.program import Program

Place = tuple[str, str]
Pinned = dict[Place, Place]


def read_pins(a: Program, b: Program, pins: Sequence[tuple[str, str]]) -> Pinned:
    """Resolve pins to ``(graph path, node)`` on both sides.

    Raises
    ------
    DiffError
        If a pin is no pair of texts, names no node, or names a node that another pin has given away.
    """
    found: Pinned = {}
    taken: dict[Place, Place] = {}
    for pin in pins:
        if not (isinstance(pin, tuple | list) and len(pin) == 2 and all(isinstance(name, str) for name in pin)):
            raise DiffError(f"pin {pin!r} is no pair of node names; give (node of a, node of b)")
        left, right = _place(a, pin[0], "a", pin), _place(b, pin[1], "b", pin)
        if found.get(left, right) != right or taken.get(right, left) != left:
            raise DiffError(f"pin {tuple(pin)!r} contradicts an earlier pin; a node has one counterpart")
        ours, theirs = a.graphs[left[0]][left[1]], b.graphs[right[0]][right[1]]
        if ours.op != theirs.op:
            raise DiffError(f"pin {tuple(pin)!r} pairs a {ours.op} with a {theirs.op}; pin nodes of the same kind")
        found[left], taken[right] = right, left
    return found


def _place(program: Program, text: str, side: str, pin: object) -> Place:
    for separator in ("/", ":"):
        path, _, name = text.rpartition(separator)
        if path in program.graphs and name in program.graphs[path]:
            return path, name
    raise DiffError(
        f"pin {pin!r}: {side} has no node {text!r}; write a nested one with its graph path, 'cond.true_fn:add'"
    )


def pins_of(pinned: Pinned, path_a: str, path_b: str, a: Table, b: Table) -> list[tuple[int, int]]:
    """Return the pins between two graphs as node numbers."""
    return [
        (a.index[name], b.index[other])
        for (path, name), (path_other, other) in pinned.items()
        if (path, path_other) == (path_a, path_b) and name in a.index and other in b.index
    ]


def check_reached(pinned: Pinned, reached: Mapping[str, str]) -> None:
    """Refuse pins between nested graphs that do not correspond.

    Raises
    ------
    DiffError
        If the graphs of a pin were not aligned with each other.
    """
    for (path_a, name), (path_b, other) in pinned.items():
        if reached.get(path_a) != path_b:
            raise DiffError(
                f"pin ({path_a + '/' + name!r}, {path_b + '/' + other!r}): these graphs are not counterparts; pin the calls that hold them"
            )
