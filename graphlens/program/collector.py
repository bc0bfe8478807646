"""Keeping Python's cyclic garbage collector out of the way of plain data, which has no cycles."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collector(*, settle: bool = False) -> Iterator[None]:
    """Keep the cyclic collector from walking a growing heap again and again.

    With `settle`, what was made goes to the oldest generation without a walk: right for what is there to stay.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            if settle and not gc.get_freeze_count():
                gc.freeze()
                gc.unfreeze()
            gc.enable()
