"""Opening a capture: torch is listened to for as long as the block runs, whatever ends it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from graphlens.errors import MissingDependencyError
from graphlens.stages.capture import hooks
from graphlens.stages.capture.recording import Recording


@contextlib.contextmanager
def listen(recording: Recording) -> Iterator[None]:
    """Tell `recording` what Dynamo does, in all threads.

    With `aot`, AOTAutograd's cache is passed over in this thread, for a graph that comes out of it is never made.

    Raises
    ------
    MissingDependencyError
        torch is not installed.
    """
    try:
        import torch._dynamo.convert_frame
        import torch._functorch.config as functorch
    except ImportError as error:
        raise MissingDependencyError(
            f"a capture needs torch >= 2.9 ({error}); pip install 'graphlens[torch]'"
        ) from error
    with contextlib.ExitStack() as stack:
        if recording.aot and hasattr(functorch, "enable_autograd_cache"):
            stack.enter_context(functorch.patch(enable_autograd_cache=False))
        for event in hooks.attach(recording):
            if recording.aot or not event.startswith("aot"):
                recording.notice(f"this torch ({torch.__version__}) offers no place to hear of {event!r}")
        stack.callback(hooks.detach, recording)
        yield
