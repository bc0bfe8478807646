"""One side's thread: it runs its graph, stops after every node, and goes on when told to.

Nested graphs are called by PyTorch's own implementations of higher-order ops, whatever those are; a thread of its own lets a
side stop in the midst of such a call, with the modes (autocast, grad, vmap) that the op has set there. Only one thread
runs at any time.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from graphlens.program.program import child_path


@dataclass(eq=False)
class Frame:
    """A graph that is being run: its path in the Program, the values it has, and which call of its caller's role it is."""

    path: str
    module: Any
    caller: str = ""
    role: str = ""
    call: int = 0
    values: dict[str, Any] = field(default_factory=dict)
    calls: dict[tuple[str, str], int] = field(default_factory=dict)

    def child(self, node: str, role: str, module: Any) -> Frame:
        """Make the frame of the next call of a nested graph."""
        call = self.calls.get((node, role), 0)
        self.calls[node, role] = call + 1
        return Frame(child_path(self.path, node, role), module, node, role, call)


@dataclass(frozen=True)
class Ran:
    """A node has been run; its value is in the frame."""

    frame: Frame
    node: str


@dataclass(frozen=True)
class Entered:
    """A nested graph is about to be run."""

    frame: Frame


@dataclass(frozen=True)
class Left:
    """A nested graph is done."""

    frame: Frame


@dataclass(frozen=True)
class Ended:
    """The whole program is done."""

    output: Any


@dataclass(frozen=True)
class Failed:
    """A node raised."""

    frame: Frame
    node: str
    error: BaseException


Event = Ran | Entered | Left | Ended | Failed


def cuda_streams() -> list[Any]:
    """The streams of the calling thread, the current device's last: work of another thread must queue behind it there."""
    if not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return []
    current = torch.cuda.current_device()
    others = [index for index in range(torch.cuda.device_count()) if index != current]
    return [torch.cuda.current_stream(index) for index in (*others, current)]


class _Closed(BaseException):
    """Unwinds a lane that is not wanted any more."""


class Lane:
    """A thread that is handed control and hands it back with each event."""

    def __init__(self, name: str, work: Callable[[Lane], Event]) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        self._work = work
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._started = False
        self._streams = cuda_streams()

    def advance(self) -> Event:
        """Let the side run to its next event."""
        if self._started:
            self._jobs.put(None)
        else:
            self._started = True
            self._thread.start()
        event: Event = self._answer()
        return event

    def call(self, job: Callable[[], Any]) -> Any:
        """Run something where the side stands, with its modes, and return what that returns or raise what that raises."""
        self._jobs.put(job)
        return self._answer()

    def close(self) -> None:
        """Give the side up; its thread unwinds."""
        self._closed = True
        if self._started and self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join(timeout=5.0)

    def tell(self, event: Event) -> None:
        """Hand control back with an event (called in the thread)."""
        self._answers.put((event, None))
        while True:
            job = self._jobs.get()
            if self._closed:
                raise _Closed
            if job is None:
                return
            try:
                self._answers.put((job(), None))
            except Exception as error:  # noqa: BLE001 - it is the caller's
                self._answers.put((None, error))

    def _answer(self) -> Any:
        result, error = self._answers.get()
        if error is not None:
            raise error
        return result

    def _run(self) -> None:
        try:
            with torch.no_grad(), contextlib.ExitStack() as stack:
                for stream in self._streams:
                    stack.enter_context(torch.cuda.stream(stream))
                event = self._work(self)
            self._answers.put((event, None))
        except _Closed:
            pass
        except BaseException as error:  # noqa: BLE001 - nothing may die in silence in a thread
            self._answers.put((None, error))
