"""Running one callable so that nothing leaks: seeded, on copies of the inputs, twice, with its state put back."""

from __future__ import annotations

import contextlib
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from msgspec import Struct, structs

from graphlens.stages.leaves import compare_leaf
from graphlens.stages.state import Snapshot, changes, holder, restore, snapshot
from graphlens.stages.tree import clone_inputs, input_leaves, kept, named_leaves

SEED = 0


class Answer(Struct, frozen=True, kw_only=True):
    """What one call gave: the leaves of its output, what it changed in place, and the spec of its containers."""

    leaves: Mapping[str, Any]
    spec: Any
    seconds: float
    unstable: frozenset[str] = frozenset()
    lost: tuple[str, ...] = ()
    sees_state: bool = True


@contextlib.contextmanager
def seeded(seed: int = SEED) -> Iterator[None]:
    """Seed torch, Python and numpy (where it is loaded), and put their generators back."""
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    state = random.getstate()
    numpy = sys.modules.get("numpy")
    numpy_state = numpy.random.get_state() if numpy else None
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        random.seed(seed)
        if numpy:
            numpy.random.seed(seed)
        try:
            yield
        finally:
            random.setstate(state)
            if numpy:
                numpy.random.set_state(numpy_state)


def execute(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], *, twice: bool = True
) -> Answer:
    """Call `function` and return its answer; a second call shows which leaves differ from run to run."""
    before = snapshot(function)
    sees_state = holder(function) is not None
    first = structs.replace(_once(function, args, kwargs, before), sees_state=sees_state)
    if not twice:
        return first
    second = _once(function, args, kwargs, before)
    unstable = {
        name
        for name in {**first.leaves, **second.leaves}
        if name not in first.leaves
        or name not in second.leaves
        or not compare_leaf(first.leaves[name], second.leaves[name]).equal
    }
    lost = tuple(dict.fromkeys((*first.lost, *second.lost)))
    return structs.replace(first, unstable=frozenset(unstable), lost=lost)


def _once(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], before: Snapshot) -> Answer:
    own_args, own_kwargs = clone_inputs(args, kwargs)
    lost: tuple[str, ...] = ()
    try:
        with seeded():
            start = time.perf_counter()
            output = function(*own_args, **own_kwargs)
            seconds = time.perf_counter() - start
        leaves, spec = named_leaves(output, "output")
        leaves = {name: kept(leaf) for name, leaf in leaves.items()}
        leaves.update(_changed_inputs(args, kwargs, own_args, own_kwargs))
        leaves.update(changes(before))
    finally:
        lost = restore(before)
    return Answer(leaves=leaves, spec=spec, seconds=seconds, lost=lost)


def _changed_inputs(
    args: tuple[Any, ...], kwargs: Mapping[str, Any], own_args: tuple[Any, ...], own_kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the inputs that the call changed in place."""
    theirs = input_leaves(args, kwargs)
    ours = input_leaves(own_args, own_kwargs)
    return {
        f"input {name}": kept(after)
        for name, after in ours.items()
        if isinstance(after, torch.Tensor) and not (name in theirs and compare_leaf(theirs[name], after).equal)
    }
