"""How the benchmarks measure: the same work several times, of which the best and the median are told."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from graphlens.program.collector import without_collector


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the process time of some work, and what it gave; the collector rests, as in `compare`."""
    with without_collector():
        start = time.process_time()
        result = work()
        return time.process_time() - start, result


def spread(taken: Sequence[float]) -> dict[str, Any]:
    """Return the columns of a row that say what was measured: the best, the median, and of how many runs."""
    return {"ours": min(taken), "median": statistics.median(taken), "runs": len(taken)}
