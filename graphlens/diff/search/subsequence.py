"""The heaviest common subsequence of two sequences, and which of its pairs every sequence nearly as heavy has too."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    Weights = NDArray[np.int32]

NEVER = -(1 << 28)
_BLOCK = 128
Pair = tuple[int, int]


def sure_pairs(rows: int, columns: int, weigh: Callable[[int], Weights], margin: int) -> list[Pair]:
    """Return the pairs of the heaviest common subsequence that are no rivals of others.

    A rival gives a row another column, or a column another row, in a subsequence that weighs less by not even `margin`.
    `weigh` gives the weights of a row with all columns, `NEVER` for what cannot be a pair. Takes time in proportion to
    the product of the lengths and space in proportion to `_BLOCK` rows and every `_BLOCK`-th row.
    """
    import numpy as np

    starts = range(0, rows, _BLOCK)
    ahead = np.zeros(columns + 1, dtype=np.int32)
    kept = []
    for row in range(rows):
        if row in starts:
            kept.append(ahead)
        ahead = _onward(ahead, weigh(row))
    least = int(ahead[-1]) - margin
    behind = np.zeros(columns + 1, dtype=np.int32)
    rivals = np.zeros(columns, dtype=np.int32)
    found: list[Pair] = []
    for start, first in zip(reversed(starts), reversed(kept), strict=True):
        block = [first]
        for row in range(start, min(start + _BLOCK, rows)):
            block.append(_onward(block[-1], weigh(row)))
        for row in reversed(range(start, min(start + _BLOCK, rows))):
            weights = weigh(row)
            near = block[row - start][:-1] + weights + behind[1:] > least
            rivals += near
            column = int(near.argmax())
            if near[column] and np.count_nonzero(near) == 1:
                found.append((row, column))
            behind = _onward(behind[::-1], weights[::-1])[::-1]
    return [(row, column) for row, column in reversed(found) if rivals[column] == 1]


def _onward(before: Weights, weights: Weights) -> Weights:
    """Return the weight of the best subsequence up to each column, from that without this row."""
    import numpy as np

    row = before.copy()
    np.maximum(row[1:], before[:-1] + weights, out=row[1:])
    return np.maximum.accumulate(row, out=row)
