"""`roundtrip` against the torch calls that it makes: export, decompose, save, load, and two calls of each runtime.

The two are measured in turns, and each amount is the best of its turns. The diffs and proofs that a verdict needs are made
when they are asked for; they have a row of their own.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from timing import spread

LAYERS = 16
TURNS = 3
LIMIT = 1.15


def rows() -> list[dict[str, Any]]:
    """Measure; see ``run.py`` for the columns."""
    warnings.filterwarnings("ignore")
    from graphlens.demo import small_llama

    model, args, kwargs = small_llama(LAYERS)
    _torch_calls(model, args, kwargs)
    plain, ours, verdict = [], [], []
    for _ in range(TURNS):
        plain.append(_torch_calls(model, args, kwargs))
        run, told = _round_trip(model, args, kwargs)
        ours.append(run)
        verdict.append(told)
    against = min(plain)
    return [
        {
            "name": f"roundtrip of a Llama of {LAYERS} layers",
            **spread(ours),
            "against": against,
            "ratio": min(ours) / against,
            "target": LIMIT,
            "unit": "s",
            "ok": min(ours) / against <= LIMIT,
        },
        {
            "name": "its diffs, proofs and verdict",
            **spread(verdict),
            "against": against,
            "ratio": min(verdict) / against,
            "unit": "s",
        },
    ]


def _torch_calls(model: Any, args: Any, kwargs: Any) -> float:
    import torch

    start = time.perf_counter()
    program = torch.export.export(model, args, kwargs)
    program.run_decompositions()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "program.pt2"
        torch.export.save(program, path)
        loaded = torch.export.load(path)
    for function in (model, program.module(), loaded.module()):
        for _ in range(2):
            function(*args, **kwargs)
    return time.perf_counter() - start


def _round_trip(model: Any, args: Any, kwargs: Any) -> tuple[float, float]:
    from graphlens.stages import roundtrip

    start = time.perf_counter()
    trip = roundtrip(model, args, kwargs)
    ran = time.perf_counter()
    assert trip.ok, trip.verdict
    return ran - start, time.perf_counter() - ran


if __name__ == "__main__":
    for row in rows():
        print(row)
