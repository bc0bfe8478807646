"""What a run side by side writes down, as plain data. Imports no torch."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

STATUSES = ("equal", "inherited", "rounding", "random", "unknown", "incomparable", "departs", "failed")
"""What can be said of a pair, from harmless to guilty."""


class Difference(Struct, frozen=True, kw_only=True):
    """How far apart two values are. Errors are over the elements that are finite on both sides, in double precision.

    Attributes
    ----------
    equal
        Bit for bit, with NaN equal to NaN, in shape and dtype too.
    numel, differ
        Number of elements, and of those that are not bit-equal.
    max_abs, mean_abs
        Of ``|b - a|``.
    max_rel, mean_rel
        Of ``|b - a| / |a|``; infinite where only `a` is zero (left out of the mean).
    rms_rel
        ``||b - a|| / ||a||`` in the Euclidean norm; `None` where `a` is zero.
    max_ulp
        Greatest distance in units in the last place (representable numbers in between), floating point of one dtype only.
    cosine
        Of the angle between the two as vectors; `None` where one is zero.
    sqnr
        Signal-to-quantization-noise ratio in decibels, ``20 log10(||a|| / ||b - a||)``; infinite where nothing differs.
    nan, inf
        Number of elements that are NaN on one side only; infinite on one side only or of another sign.
    peak
        Greatest ``|a|``.
    worst
        Where `max_abs` is: the leaf and index, ``[1][3, 0]``.
    note
        What cannot be put in numbers: another shape, dtype, type.
    recast
        The note is about floating-point dtypes only: the same numbers in another precision.
    """

    equal: bool
    numel: int = 0
    differ: int = 0
    max_abs: float | None = None
    mean_abs: float | None = None
    max_rel: float | None = None
    mean_rel: float | None = None
    rms_rel: float | None = None
    max_ulp: int | None = None
    cosine: float | None = None
    sqnr: float | None = None
    nan: int = 0
    inf: int = 0
    peak: float | None = None
    worst: str = ""
    note: str = ""
    comparable: bool = True
    recast: bool = False


class NodeRow(Struct, frozen=True, kw_only=True):
    """One aligned pair of nodes, in one iteration.

    `error` is on each side's own inputs (inherited), `local` with `b` run on the inputs of `a`. `absorbed_a`,
    `absorbed_b` name nodes without a counterpart that stand between this pair and its inputs and are part of `local`.
    """

    graph: str
    node_a: str
    node_b: str
    target_a: str
    target_b: str
    module: str = ""
    source: str = ""
    iteration: str = ""
    match: str = ""
    status: str = "equal"
    error: Difference
    local: Difference | None = None
    deterministic: bool | None = None
    random: bool = False
    shape: str = ""
    dtype: str = ""
    absorbed_a: tuple[str, ...] = ()
    absorbed_b: tuple[str, ...] = ()
    note: str = ""


class OutputRow(Struct, frozen=True, kw_only=True):
    """One leaf of what the two programs return."""

    leaf: str
    error: Difference
    shape: str = ""
    dtype: str = ""


ERROR_COLUMNS = (
    "numel", "differ", "max_abs", "mean_abs", "max_rel", "mean_rel", "rms_rel", "max_ulp", "cosine", "sqnr", "nan", "inf",
    "worst",
)  # fmt: skip
LOCAL_COLUMNS = ("max_abs", "mean_abs", "max_rel", "rms_rel", "max_ulp", "cosine", "sqnr")
TABLE_COLUMNS = (
    "graph", "node_a", "node_b", "target_a", "target_b", "module", "source", "iteration", "match", "status", "rank",
    "bit_equal", *ERROR_COLUMNS, "local_equal", *(f"local_{name}" for name in LOCAL_COLUMNS), "deterministic", "random",
    "shape", "dtype", "absorbed", "note",
)  # fmt: skip
OUTPUT_COLUMNS = ("leaf", "bit_equal", *ERROR_COLUMNS, "shape", "dtype", "note")


def table_values(row: NodeRow, rank: int | None) -> tuple[Any, ...]:
    """The cells of one row, in the order of `TABLE_COLUMNS`."""
    error, local = row.error, row.local
    cells = {
        "rank": rank,
        "bit_equal": error.equal,
        **{name: getattr(error, name) for name in ERROR_COLUMNS},
        "local_equal": None if local is None else local.equal,
        **{f"local_{name}": None if local is None else getattr(local, name) for name in LOCAL_COLUMNS},
        "absorbed": ", ".join((*row.absorbed_a, *row.absorbed_b)),
        "note": "; ".join(part for part in (row.note, error.note) if part),
    }
    return tuple(cells[name] if name in cells else getattr(row, name) for name in TABLE_COLUMNS)


def badness(row: NodeRow) -> float:
    """How much a node departs on its own, for ranking: its local relative error; infinite where that has no number."""
    local = row.local
    if row.status in ("failed", "departs", "random") and (local is None or local.note or local.nan or local.inf):
        return float("inf")
    if local is None or local.equal:
        return 0.0
    return local.rms_rel if local.rms_rel is not None else float("inf")
