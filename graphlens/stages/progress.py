"""One progress bar, in notebooks and terminals."""

from __future__ import annotations

import sys
from typing import Any


def progress(total: int, title: str) -> Any:
    """Make a `tqdm.auto` bar that vanishes at its end and keeps out of logs that are no terminal."""
    from tqdm.auto import tqdm

    notebook = "ipykernel" in sys.modules
    return tqdm(total=total, desc=title, leave=False, disable=False if notebook else None)
