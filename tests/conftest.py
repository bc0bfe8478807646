"""What holds for every test: nothing of graphlens leaves torch otherwise than it found it."""

from __future__ import annotations

import signal
import sys

import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell starts what runs in the background like this
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def torch_is_left_as_it_was():
    """A switch of `torch.fx.traceback` that stays on would give metadata to whatever is exported next."""
    yield
    traceback = sys.modules.get("torch.fx.traceback")
    if traceback is not None:
        assert not traceback.should_preserve_node_meta
        assert not traceback.current_meta
