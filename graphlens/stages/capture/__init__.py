"""What torch.compile did: graphs, graph breaks, recompiles and times, recorded while a block runs."""

from __future__ import annotations

from graphlens.stages.capture.recording import Recording
from graphlens.stages.capture.result import Capture
from graphlens.stages.capture.saving import saved_forms

__all__ = ["Capture", "capture", "saved_forms"]


def capture(*, aot: bool = False) -> Capture:
    """Record what torch.compile does in a block: ``with gl.capture() as cap: compiled(x)``.

    Parameters
    ----------
    aot
        Keep AOTAutograd's joint, forward, backward and inference graphs too. AOTAutograd's cache is then passed over.

    Returns
    -------
    Capture
        ``str(cap)`` is the verdict; `graphs`, `frames`, `breaks`, `recompiles` and `timeline` are DataFrames;
        `programs` maps names to Programs. Compilations in other threads are recorded too, captures may be nested, and
        torch is left as it was found. Errors of the model, of a backend and of Dynamo pass through unchanged.
    """
    return Capture(Recording(aot=aot))
