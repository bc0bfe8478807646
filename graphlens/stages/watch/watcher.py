"""Seeing passes begin and end with Python's profiling hook, and nodes come and go with those of torch.fx."""

from __future__ import annotations

import dis
import sys
import time
from types import FrameType
from typing import Any, NamedTuple

import torch
from torch.fx import GraphModule

from graphlens.errors import StageError
from graphlens.program.frames import Frame, frame_rank, frame_text
from graphlens.read import read
from graphlens.stages.failure import failure_of
from graphlens.stages.watch.hooks import NodeHooks
from graphlens.stages.watch.result import START, Log, NodeEvent, PassRow


class Open(NamedTuple):
    """A pass that is running."""

    frame: FrameType
    name: str
    start: float
    first_event: int
    only_if_changed: bool


class Watcher:
    """The hooks of one watch. What it sees goes into the log."""

    def __init__(self, source: Any, depth: int, log: Log) -> None:
        found = graph_module_of(source)
        if found is None:
            raise StageError(
                f"watch: a {type(source).__name__} holds no graph; give a GraphModule or an ExportedProgram"
            )
        self.graph_module: GraphModule = found
        self.name = (
            type(source).__name__
            if isinstance(source, torch.export.ExportedProgram)
            else type(self.graph_module).__name__
        )
        self.depth, self.log = depth, log
        self.open: Open | None = None
        self.levels: dict[FrameType, int] = {}
        self.block: FrameType | None = None
        self.hooked: list[GraphModule] = []
        self.before: Any = None
        self.failed: Open | None = None
        self.hooks = NodeHooks.telling(self._note)

    def start(self) -> None:
        """Take the first program and attach; the caller's caller is the block."""
        if self.log.programs:
            raise StageError("watch: this block was entered before; call watch again for another one")
        self.log.programs[START] = read(self.graph_module)
        self._hook()
        self.block = sys._getframe(2)  # noqa: SLF001 - the frame of the block itself
        self.levels[self.block] = 0
        self.before = sys.getprofile()
        sys.setprofile(self._profile)

    def stop(self, error: BaseException | None) -> None:
        """Detach; an error that ended the block is the row of the pass that raised it."""
        sys.setprofile(self.before)
        self._unhook()
        self.levels.clear()
        self.block = None
        if error is not None and self.failed is not None:
            self._row(self.failed, "failed", error=str(failure_of(error)))
        self.failed = self.open = None

    def _profile(self, frame: FrameType, event: str, argument: Any) -> None:
        if self.before is not None:
            self.before(frame, event, argument)
        if event == "call":
            if self.open is None and frame.f_back in self.levels:
                self._enter(frame, self.levels[frame.f_back])
        elif event == "return" and (frame in self.levels or self.open is not None):
            self._leave(frame, argument)

    def _enter(self, frame: FrameType, level: int) -> None:
        manager = _passes_of(frame.f_back)
        if _is_ours(frame) or (manager is not None and not _is_among(frame, manager)):
            return
        if _passes_of(frame) is not None:
            self.levels[frame] = level
        elif self._is_given(frame):
            own = frame.f_locals.get("self")
            of_the_graph = own is self.graph_module or own is self.graph_module.graph
            if level + 1 < self.depth and not of_the_graph:
                self.levels[frame] = level + 1
            else:
                name = self._unique(_pass_name(frame))
                self.open = Open(frame, name, time.perf_counter(), len(self.log.events), of_the_graph)

    def _leave(self, frame: FrameType, result: Any) -> None:
        if frame is not self.block:
            self.levels.pop(frame, None)
        if self.open is None or frame is not self.open.frame:
            return
        done, self.open = self.open, None
        if not _returned(frame):
            self.failed = done
            return
        if done.only_if_changed and len(self.log.events) == done.first_event:
            return
        sys.setprofile(None)
        try:
            self._done(done, result)
        finally:
            sys.setprofile(self._profile)

    def _done(self, done: Open, result: Any) -> None:
        now = graph_module_of(result)
        if now is not None and now is not self.graph_module:
            self._unhook()
            self.graph_module = now
            self._hook()
        try:
            program = read(self.graph_module)
        except Exception as error:  # noqa: BLE001 - a broken graph is what the user wants to be told of
            self._row(done, "unreadable", error=str(failure_of(error)))
            return
        self.log.programs[done.name] = program
        self._row(done, "ok", nodes=sum(map(len, program.graphs.values())))

    def _row(self, done: Open, status: str, *, nodes: int | None = None, error: str = "") -> None:
        own = [event.event for event in self.log.events[done.first_event :]]
        self.log.rows.append(
            PassRow(
                step=done.name,
                status=status,
                seconds=time.perf_counter() - done.start,
                nodes=nodes,
                created=own.count("created"),
                erased=own.count("erased"),
                replaced=own.count("replaced"),
                error=error,
            )
        )

    def _unique(self, name: str) -> str:
        count = sum(1 for row in self.log.rows if row.step.partition("#")[0] == name)
        return f"{name}#{count + 1}" if count else name

    def _is_given(self, frame: FrameType) -> bool:
        code = frame.f_code
        names = code.co_varnames[
            : code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 4) + bool(code.co_flags & 8)
        ]
        for name in names:
            value = frame.f_locals.get(name)
            values = value if isinstance(value, tuple) else value.values() if type(value) is dict else (value,)
            if any(self._is_watched(each) for each in values):
                return True
        return False

    def _is_watched(self, value: Any) -> bool:
        return (
            value is self.graph_module
            or value is self.graph_module.graph
            or (isinstance(value, torch.export.ExportedProgram) and value.graph_module is self.graph_module)
        )

    def _hook(self) -> None:
        """Attach to the graph module and to every graph nested in it."""
        for module in self.graph_module.modules():
            if isinstance(module, GraphModule):
                self.hooks.attach(module)
                self.hooked.append(module)

    def _unhook(self) -> None:
        for module in self.hooked:
            self.hooks.detach(module)
        self.hooked.clear()

    def _note(self, event: str, node: Any, now: str = "") -> None:
        from graphlens.read.live_names import target_text

        step = self.open.name if self.open is not None else ""
        self.log.events.append(NodeEvent(step, event, node.name, target_text(node.target), _line(), now))


def graph_module_of(source: Any) -> GraphModule | None:
    """Return the graph module that a GraphModule, ExportedProgram or PassResult holds, else `None`."""
    if isinstance(source, GraphModule):
        return source
    held = getattr(source, "graph_module", None)
    return held if isinstance(held, GraphModule) else None


def _passes_of(frame: FrameType | None) -> list[Any] | tuple[Any, ...] | None:
    """The passes of the pass manager whose call this frame is; `None` where it is none."""
    if frame is None or frame.f_code.co_name != "__call__":
        return None
    passes = getattr(frame.f_locals.get("self"), "passes", None)
    return passes if isinstance(passes, list | tuple) else None


def _is_among(frame: FrameType, passes: list[Any] | tuple[Any, ...]) -> bool:
    """Whether this frame is the call of one of these passes: an object, a function, a partial."""
    own = frame.f_locals.get("self")
    return any(own is one or getattr(getattr(one, "func", one), "__code__", None) is frame.f_code for one in passes)


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] == "graphlens"


def _pass_name(frame: FrameType) -> str:
    owner = frame.f_locals.get("self")
    name = frame.f_code.co_name
    return type(owner).__name__ if name in ("__call__", "call") and owner is not None else name


def _returned(frame: FrameType) -> bool:
    """Whether a frame ends by returning, not by raising: the profiling hook says `return` for both."""
    return dis.opname[frame.f_code.co_code[frame.f_lasti]].startswith("RETURN")


def _line() -> str:
    """The innermost line outside torch and graphlens that is being run."""
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - one frame of the stack, not all of them
    while frame is not None:
        file = frame.f_code.co_filename
        if frame_rank(file) <= 1 and not _is_ours(frame):
            return frame_text(Frame(file, frame.f_lineno, frame.f_code.co_name))
        frame = frame.f_back
    return ""
