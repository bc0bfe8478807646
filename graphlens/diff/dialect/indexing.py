"""``x[..., :4]`` as the operator that it is: slice, select, unsqueeze or index; a longer one is several of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from graphlens.program.argument import Argument, Opaque, Ref, Seq, Slice
from graphlens.program.value import SymValue, TensorValue, Value

ValueOf = Callable[[str], Value | None]
Given = tuple[tuple[str, Argument], ...]
Step = tuple[str, int, tuple[Argument, ...]]
"""A function, the dimension, what else it is given."""
LAST = (1 << 63) - 1
"""What export writes for the end of a slice that goes on to the end."""


def indexed(base: Argument, index: Argument, value_of: ValueOf) -> tuple[str, Given] | None:
    """Return the operator that an index of a tensor is, with its arguments by name; `None` where it is not just one."""
    entries = index.items if isinstance(index, Seq) and index.kind == "tuple" else (index,)
    value = value_of(base.node) if isinstance(base, Ref) else None
    rank = len(value.shape) if isinstance(value, TensorValue) else None
    if any(_gathers(entry, value_of) for entry in entries):
        return "index", (("self", base), ("indices", Seq("list", tuple(entries))))
    steps = [i for i, entry in enumerate(entries) if not _whole(entry) and not _ellipsis(entry)]
    if not steps:
        return "alias", (("self", base),)
    if len(steps) > 1:
        return None
    at, entry = steps[0], entries[steps[0]]
    dim = _dimension(entries, at, rank)
    if entry is None:
        return "unsqueeze", (("self", base), ("dim", dim))
    if isinstance(entry, Slice):
        parts = zip(("start", "end", "step"), (entry.start, entry.stop, entry.step), strict=True)
        return "slice", (("self", base), ("dim", dim), *parts)
    return "select", (("self", base), ("dim", dim), ("index", entry))


def _dimension(entries: tuple[Argument, ...], at: int, rank: int | None) -> Argument:
    """Count dimensions from the front; from the back past an ellipsis where the rank is not known."""
    if not any(_ellipsis(entry) for entry in entries[:at]):
        return at
    behind = sum(entry is not None for entry in entries[at:])
    if rank is not None:
        return rank - behind
    return -behind - (entries[at] is None)


def _gathers(entry: Argument, value_of: ValueOf) -> bool:
    if isinstance(entry, Ref):
        return not isinstance(value_of(entry.node), SymValue)
    return isinstance(entry, Seq) or entry is True or entry is False


def _whole(entry: Argument) -> bool:
    if not isinstance(entry, Slice) or entry.stop not in (None, LAST) or isinstance(entry.stop, bool):
        return False
    return all(
        part is None or (type(part) is int and part == usual) for part, usual in ((entry.start, 0), (entry.step, 1))
    )


def _ellipsis(entry: Argument) -> bool:
    return isinstance(entry, Opaque) and entry.type == "ellipsis"


def steps_of(index: Argument, rank: int, value_of: ValueOf) -> list[Step] | None:
    """Return the operators that an index of a tensor is, one after the other; `None` where it gathers."""
    entries = list(index.items) if isinstance(index, Seq) and index.kind == "tuple" else [index]
    if any(_gathers(entry, value_of) for entry in entries) or sum(map(_ellipsis, entries)) > 1:
        return None
    taken = sum(entry is not None and not _ellipsis(entry) for entry in entries)
    found: list[Step] = []
    dim = 0
    for entry in entries:
        if _ellipsis(entry):
            dim += rank - taken
        elif entry is None:
            found.append(("unsqueeze", dim, ()))
            dim += 1
        elif isinstance(entry, Slice):
            if not _whole(entry):
                found.append(
                    ("slice", dim, (entry.start or 0, LAST if entry.stop is None else entry.stop, entry.step or 1))
                )
            dim += 1
        else:
            found.append(("select", dim, (entry,)))
    return found


def step_of(function: str, given: Mapping[str, Argument], rank: int) -> Step | None:
    """Return one operator as a step of an index; `None` for one that is none, an empty name for one that changes nothing."""
    dim = given.get("dim", 0)
    if type(dim) is not int:
        return None
    if dim < 0:
        dim += rank + (function == "unsqueeze")
    if function == "unsqueeze":
        return function, dim, ()
    if function == "select":
        return function, dim, (given.get("index"),)
    if function != "slice":
        return None
    start, end, step = given.get("start"), given.get("end"), given.get("step", 1)
    if _whole(Slice(start, end, step)):
        return "", dim, ()
    return function, dim, (start or 0, LAST if end is None else end, step)
