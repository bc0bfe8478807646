"""`make bench`: print how graphlens compares with what one would use instead, all measured in one run.

Each `bench_*.py` here has `rows()`, which gives dicts of `name, ours, against, ratio, target, unit, ok`: two measured
amounts, their ratio, the target of the ratio (or of the amount), and whether it is met. Nothing here is a test: timings
on a shared machine are read, not asserted.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

import pandas as pd
from tqdm.auto import tqdm

COLUMNS = ["name", "ours", "against", "ratio", "target", "unit", "ok"]


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
        rows += [{"bench": name, **row} for row in importlib.import_module(f"bench_{name}").rows()]
    table = pd.DataFrame(rows, columns=["bench", *COLUMNS])
    print(table.to_string(index=False, na_rep="", float_format=lambda x: f"{x:.3g}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
