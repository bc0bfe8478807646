"""What stages and runtimes leave behind, as plain data. Imports no torch."""

from __future__ import annotations

from msgspec import Struct


class StageRow(Struct, frozen=True, kw_only=True):
    """One stage. `status`: ``ok failed skipped unavailable``; `against` is the stage that its program is held against."""

    stage: str
    status: str
    seconds: float | None = None
    graphs: int | None = None
    nodes: int | None = None
    error: str = ""
    hint: str = ""
    against: str = ""


class RuntimeRow(Struct, frozen=True, kw_only=True):
    """One runtime. `seconds` is the first call, `prepare` what came before it (module, compiler); both in seconds."""

    runtime: str
    status: str
    prepare: float | None = None
    seconds: float | None = None
    leaves: int | None = None
    deterministic: bool | None = None
    error: str = ""
    hint: str = ""


class LeafRow(Struct, frozen=True, kw_only=True):
    """One leaf of what one runtime gave.

    `status`: ``reference ok rounding different nondeterministic missing extra failed skipped unavailable``, where
    ``rounding`` is not bit-equal and as near to the fp64 answer as the reference;
    `leaf` reads ``output[0]['k']``, ``input args[0]``, ``state bn.running_mean`` (what the call changed), or ``structure``.
    `max_abs` and `max_rel` are over the elements that are finite on both sides.
    """

    runtime: str
    leaf: str
    status: str
    equal: bool | None = None
    max_abs: float | None = None
    max_rel: float | None = None
    dtype: str = ""
    shape: str = ""
    error: str = ""


class Finding(Struct, frozen=True, kw_only=True):
    """A difference that only running the stage shows, with the columns of `RoundTrip.mismatches`."""

    stage: str
    graph: str = "program"
    node_a: str = ""
    node_b: str = ""
    target: str = ""
    module: str = ""
    source: str = ""
    field: str
    kind: str
    severity: str
    cause: str = "root"
    a: str = ""
    b: str = ""


MISMATCH_COLUMNS = Finding.__struct_fields__

UNEQUAL = ("different", "nondeterministic", "missing", "extra")
"""The statuses of a leaf that say the answer is not the same."""

SEVERITIES = ("wrong_result", "breaks_pass", "debug_info", "cosmetic")
"""Worst first."""
