"""Many dotted paths in short: the numbers of layers as ranges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from graphlens.diff.rows import LONGEST_NAME, shorten

_DIGITS: Final = 10
"""Longer numbers are no counters."""


def is_counter(part: str) -> bool:
    """Whether one part of a path counts something: layers, inputs."""
    return part.isdecimal() and len(part) < _DIGITS


def numbered_shape(path: str) -> tuple[str, ...]:
    """Split a dotted path, its first number replaced by ``#``: the shape that the same module of every layer has."""
    parts = path.split(".")
    at = next((i for i, part in enumerate(parts) if is_counter(part)), None)
    return tuple("#" if i == at else part for i, part in enumerate(parts))


def numbered(paths: Sequence[str]) -> str:
    """Write many dotted paths in short, runs of numbers as ranges: ``layers.0..27``, else the first three."""
    patterns: dict[tuple[str, ...], set[int]] = {}
    for path in dict.fromkeys(paths):
        shape = numbered_shape(path)
        cut = shape.index("#") if "#" in shape else len(shape)
        number = [int(path.split(".")[cut])] if cut < len(shape) else []
        patterns.setdefault(shape[: cut + 1], set()).update(number)
    texts = [".".join((*shape[:-1], ranges(found))) if found else ".".join(shape) for shape, found in patterns.items()]
    return ", ".join(shorten(text, LONGEST_NAME) for text in texts[:3]) + (
        f" and {len(texts) - 3} more" if len(texts) > 3 else ""
    )


def ranges(numbers: set[int], most: int = 6) -> str:
    """Write numbers as ``0..27``, or ``0..3,7`` where there are gaps."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    texts = [str(low) if low == high else f"{low}..{high}" for low, high in runs]
    return ",".join(texts[:most]) + (",…" if len(texts) > most else "")
