"""`make bench`: print how graphlens compares with what one would use instead, all measured in one run.

Each `bench_*.py` here has `rows()`, which gives dicts of `name, ours, median, runs, against, ratio, target, least, unit,
ok`: an amount (the best of so many runs, and their median), another to hold it against, their ratio, the target of the
ratio (of the amount where there is none; with `least` the least that will do, else the most), and whether it is met.
Nothing here is a test: timings on a shared machine are read, not asserted.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

COLUMNS = ["name", "ours", "median", "runs", "against", "ratio", "unit", "target", "ok"]


def main() -> int:
    """Run all benchmarks, or those named, and print one table."""
    here = Path(__file__).parent
    sys.path.insert(0, str(here))
    known = sorted(path.stem.removeprefix("bench_") for path in here.glob("bench_*.py"))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which (default all): {', '.join(known)}")
    chosen = parser.parse_args().names or known
    rows = []
    for name in tqdm(chosen, desc="bench"):
        if name not in known:
            parser.error(f"no benchmark {name!r}; there are {', '.join(known)}")
        measured = importlib.import_module(f"bench_{name}").rows()
        rows += [{"bench": name, **row, "target": _target(row), "ok": _met(row)} for row in measured]
    table = pd.DataFrame(rows, columns=["bench", *COLUMNS])
    print(table.to_string(index=False, na_rep="", formatters={"runs": _count}, float_format=lambda x: f"{x:.3g}"))
    return 0


def _target(row: Mapping[str, Any]) -> str:
    """Write a target: ``≤ 2 s``, ``≥ 0.999``, ``≤ 5 x`` of the ratio."""
    if row.get("target") is None:
        return ""
    unit = row["unit"] if row.get("ratio") is None else "x"
    return f"{'≥' if row.get('least') else '≤'} {row['target']:g} {unit}".rstrip()


def _count(runs: float) -> str:
    return "" if pd.isna(runs) else f"{runs:.0f}"


def _met(row: Mapping[str, Any]) -> str:
    return {True: "yes", False: "NO"}.get(row.get("ok"), "")


if __name__ == "__main__":
    sys.exit(main())
