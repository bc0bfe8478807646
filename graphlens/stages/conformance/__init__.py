"""The standing check: this torch's own samples of higher-order ops and of export, through PyTorch's own four flows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphlens.stages.conformance.result import CaseRow, Change, Conformance

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CaseRow", "Change", "Conformance", "conformance"]


def conformance(
    suite: str = "all",
    *,
    only: Iterable[str] = (),
    against: Conformance | Mapping[str, Any] | str | Path | None = None,
    device: str = "cpu",
) -> Conformance:
    """Put every sample of `torch.testing._internal.hop_db` and `torch._export.db` through the four flows.

    The flows are those of PyTorch's test of higher-order ops: ``aot_export`` (strict), ``pre_dispatch_export``,
    ``retrace_export`` (decomposed) and ``serialize_export`` (decomposed, saved and loaded). In each the outputs are
    compared with eager and the graphs with those that they were made of.

    Parameters
    ----------
    suite
        ``"hop_db"``, ``"export_db"`` or ``"all"``.
    only
        Names of cases; all by default.
    against
        An earlier result, what `Conformance.to_dict` gave, or the path of what `Conformance.to_json` wrote: the
        result then says what has changed since.
    device
        Where the samples of hop_db live.

    Returns
    -------
    Conformance
        ``str(result)`` is the verdict, ``result.table`` op by flow. Ctrl-C keeps what was finished.

    Raises
    ------
    StageError
        The suite is unknown, no case has one of the names, or the baseline is none.
    """
    from graphlens.stages.conformance.result import baseline_rows
    from graphlens.stages.conformance.run import run
    from graphlens.stages.roundtrip import require_torch

    require_torch()
    earlier = None if against is None else baseline_rows(against)
    return run(suite, tuple(only), earlier, device)
