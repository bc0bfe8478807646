"""A progress bar for the few programs so large that writing them takes seconds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")

FEW = 20_000


def progress(items: Sequence[T], what: str) -> Iterable[T]:
    """Yield the items; with a bar that appears after two seconds, where there are many."""
    if len(items) < FEW:
        return items
    from tqdm.auto import tqdm

    bar: Iterable[T] = tqdm(items, desc=what, delay=2, leave=False, unit=" nodes")
    return bar
