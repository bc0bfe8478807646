"""What a user waits for at the doors: the import, `graphlens diff A B` as a process, the report of a big program."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from llama import CACHE, llama_archive, load_seconds


def rows() -> list[dict[str, Any]]:
    """Measure in processes of their own, best of three."""
    archive = llama_archive()
    load = load_seconds()
    bare = _best(["-c", "pass"])
    light = _best(["-c", "import graphlens"]) - bare
    diff = _best(["-m", "graphlens", "diff", str(archive), str(archive)])
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "report.html"
        report = _best(["-m", "graphlens", "report", str(archive), "-o", str(out)])
        size = out.stat().st_size / 1e6
    return [
        {"name": "import graphlens", "ours": light, "target": 0.15, "unit": "s", "ok": light <= 0.15},
        _ratio("graphlens diff A B, the process, against torch.export.load of one", diff, load, 15),
        _ratio("graphlens report, the process, against torch.export.load", report, load, None),
        {"name": "report of 126 layers", "ours": size, "target": 2.0, "unit": "MB", "ok": size <= 2.0},
    ]


def _ratio(name: str, ours: float, against: float, target: float | None) -> dict[str, Any]:
    ratio = against / ours
    ok = None if target is None else ratio >= target
    row = {"name": name, "ours": ours, "against": against, "ratio": ratio, "target": target, "least": True}
    return {**row, "unit": "s", "ok": ok}


def _best(arguments: list[str], times: int = 3) -> float:
    taken = []
    # an installed package has its bytecode; the first of the runs compiles what a checkout lacks
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPYCACHEPREFIX": str(CACHE / "bytecode")}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    for _ in range(times):
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, env=env)
        taken.append(time.perf_counter() - start)
    return min(taken)


if __name__ == "__main__":
    for row in rows():
        print(row)
