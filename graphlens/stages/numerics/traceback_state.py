"""torch's process-wide switches of node metadata, put back after two programs ran in step.

`torch.fx.Interpreter` sets them around each run and restores what it found. Two runs that take turns restore them in
the wrong order, and what is exported afterwards would carry metadata that it never had.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch.fx.traceback

_SWITCHES = ("current_meta", "current_replay_node", "should_preserve_node_meta", "_should_preserve_node_meta")


@contextlib.contextmanager
def traceback_kept() -> Iterator[None]:
    """Leave `torch.fx.traceback` as it was found (names of torch 2.13; one that a release lacks is left out)."""
    module = torch.fx.traceback
    found = {name: getattr(module, name) for name in _SWITCHES if hasattr(module, name)}
    try:
        yield
    finally:
        for name, value in found.items():
            setattr(module, name, value)
