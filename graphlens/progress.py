"""Progress bars: `tqdm.auto` in notebooks and terminals, nothing in logs, nothing where the work is short."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

FEW = 20_000
"""As many nodes are worked through within two seconds, whatever is done with them."""


def progress(total: int, title: str, *, unit: str = "it") -> Any:
    """Make a bar that vanishes at its end and keeps out of logs that are no terminal."""
    from tqdm.auto import tqdm

    return tqdm(total=total, desc=title, unit=f" {unit}", leave=False, disable=_disabled())


def each(items: Iterable[T], count: int, title: str, *, unit: str = "nodes") -> Iterable[T]:
    """Yield `count` items, with a bar that appears after two seconds, where there are many."""
    if count < FEW:
        return items
    from tqdm.auto import tqdm

    bar: Iterable[T] = tqdm(
        items, total=count, desc=title, unit=f" {unit}", delay=2, leave=False, mininterval=0.5, disable=_disabled()
    )
    return bar


@contextmanager
def phases(names: Sequence[str], nodes: int) -> Iterator[Callable[[], None]]:
    """Show which of several phases is running, where there are many nodes; call what is yielded at the end of each."""
    if nodes < FEW:
        yield lambda: None
        return
    with progress(len(names), names[0], unit="phases") as bar:
        later = iter(names[1:])

        def done() -> None:
            bar.set_description(next(later, names[-1]), refresh=False)
            bar.update()

        yield done


def _disabled() -> bool | None:
    """`None` lets tqdm look whether it writes to a terminal; a notebook is none, and shows bars all the same."""
    return False if "ipykernel" in sys.modules else None
