"""What one capture has heard so far. Every thread that compiles adds to it; a failure of ours is a notice, never the user's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from graphlens.program.program import Program
from graphlens.stages.capture.dynamo import current_compile
from graphlens.stages.capture.rows import BreakRow, FrameRow, GraphRow, RecompileRow, Span

CALLS = ("call_function", "call_method", "call_module")


@dataclass(frozen=True, kw_only=True)
class Owner:
    """The function whose graph is being compiled; `frame` is where its frame is, which may be a wrapper of Dynamo's."""

    function: str = ""
    source: str = ""
    frame: str = ""
    attempt: int = 0


@dataclass(eq=False)
class Recording:
    """Rows and programs in the order in which they came. `aot` asks for AOTAutograd's graphs too."""

    aot: bool = False
    began: float = field(default_factory=time.time)
    graphs: list[GraphRow] = field(default_factory=list)
    programs: dict[str, Program] = field(default_factory=dict)
    frames: list[FrameRow] = field(default_factory=list)
    breaks: list[BreakRow] = field(default_factory=list)
    recompiles: list[RecompileRow] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    resets: list[tuple[float, str]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    owners: dict[str, Owner] = field(default_factory=dict)

    def hear(self, event: str, call: Any, result: Any, error: BaseException | None) -> None:
        """Take note of one event of `graphlens.stages.capture.hooks`."""
        from graphlens.stages.capture.notes import NOTES

        self.guarded(NOTES[event], self, call, result, error)

    def guarded(self, note: Callable[..., None], *args: Any) -> None:
        """Run a note of ours; to watch must not change what is watched."""
        try:
            note(*args)
        except Exception as failure:  # noqa: BLE001 - see above
            self.notice(f"{getattr(note, '__name__', 'note')}: {type(failure).__name__}: {failure}")

    def notice(self, text: str) -> None:
        """Keep a sentence for the user, once."""
        with self.lock:
            if text not in self.notices:
                self.notices.append(text)

    @property
    def now(self) -> float:
        """Seconds since the capture began."""
        return time.time() - self.began

    def begin_graph(self, owner: Owner) -> None:
        """Remember whose graphs come now, and forget those of attempts that Dynamo has given up in favour of this one."""
        compile_id, _ = current_compile()
        with self.lock:
            known = self.owners.get(compile_id)
            if known is not None and known.attempt < owner.attempt and known.frame == owner.frame:
                for row in [row for row in self.graphs if row.compile_id == compile_id and row.attempt < owner.attempt]:
                    self.graphs.remove(row)
                    self.programs.pop(row.name, None)
            self.owners[compile_id] = owner

    def add_graph(self, kind: str, graph_module: Any, *, backend: str = "", options: str = "", ended: str = "") -> None:
        """Read a graph and keep it under a name of its own: ``Model.forward 0/1``, ``Model.forward 0/1 backward``."""
        from graphlens.read import read

        compile_id, attempt = current_compile()
        program = read(graph_module)
        part = kind.removeprefix("aot ") if kind.startswith("aot ") else ""
        with self.lock:
            owner = self.owners.get(compile_id, Owner())
            name = self._unused(" ".join(text for text in (owner.function or "?", compile_id, part) if text))
            self.programs[name] = program
            self.graphs.append(
                GraphRow(
                    name=name,
                    compile_id=compile_id,
                    kind=kind,
                    function=owner.function,
                    source=owner.source,
                    graphs=len(program.graphs),
                    nodes=sum(map(len, program.graphs.values())),
                    ops=sum(node.op in CALLS for _, node in program.walk()),
                    inputs=len(program.graph.placeholders),
                    outputs=len(program.graph.output.inputs) if program.graph.output else 0,
                    backend=backend,
                    options=options,
                    ended_by=ended,
                    thread=threading.current_thread().name,
                    attempt=attempt,
                    at=self.now,
                )
            )

    def _unused(self, wanted: str) -> str:
        name, again = wanted, 1
        while name in self.programs:
            again += 1
            name = f"{wanted} ({again})"
        return name
