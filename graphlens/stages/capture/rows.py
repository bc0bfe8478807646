"""What a capture writes down, as plain data. Imports no torch."""

from __future__ import annotations

from msgspec import Struct

GRAPH_COLUMNS = (
    "name", "compile_id", "kind", "function", "source", "graphs", "nodes", "ops", "inputs", "outputs", "backend",
    "options", "ended_by", "thread",
)  # fmt: skip
FRAME_COLUMNS = (
    "compile_id", "function", "source", "status", "ops", "nodes", "inputs", "guards", "at", "seconds",
    "backend_seconds", "error", "thread",
)  # fmt: skip
BREAK_COLUMNS = (
    "compile_id", "function", "source", "line", "reason", "explanation", "hint", "outcome", "at", "thread", "stack",
)  # fmt: skip
RECOMPILE_COLUMNS = (
    "compile_id", "against", "function", "source", "guard", "user_line", "graph_a", "graph_b", "changes", "verdict",
)  # fmt: skip
TIMELINE_COLUMNS = ("at", "seconds", "event", "compile_id", "function", "status", "detail", "thread")


class GraphRow(Struct, frozen=True, kw_only=True):
    """One graph.

    `kind`: ``dynamo``, ``export`` (Dynamo's of a strict export), ``aot joint``, ``aot forward``, ``aot backward``,
    ``aot inference``. `graphs` counts it and its nested graphs, `nodes` and `ops` (calls) the nodes in all of them.
    `ended_by` says why a Dynamo graph ends where it does: `""` at the function's return, else the reason.
    """

    name: str
    compile_id: str
    kind: str
    function: str
    source: str
    graphs: int
    nodes: int
    ops: int
    inputs: int
    outputs: int
    backend: str = ""
    options: str = ""
    ended_by: str = ""
    thread: str = ""
    attempt: int = 0
    at: float = 0.0


class FrameRow(Struct, frozen=True, kw_only=True):
    """One frame that Dynamo looked at, or one backward graph that was compiled at run time.

    `status`: ``compiled``, ``nothing`` (no code was installed), ``failed`` (it runs eagerly, or raised; `error` says
    why), ``backward``. `at` is in seconds since the capture began; `seconds`, `backend_seconds` are torch's own.
    """

    compile_id: str
    function: str
    source: str
    status: str
    ops: int | None = None
    nodes: int | None = None
    inputs: int | None = None
    guards: int | None = None
    at: float = 0.0
    seconds: float | None = None
    backend_seconds: float | None = None
    error: str = ""
    thread: str = ""


class BreakRow(Struct, frozen=True, kw_only=True):
    """One graph break. `source` is the user's line, `line` its text; `stack` the user's stack, outermost first.

    `outcome`: ``resumed`` after the line, ``rest runs eagerly``, ``function runs eagerly``.
    """

    compile_id: str
    function: str
    source: str
    line: str
    reason: str
    explanation: str = ""
    hint: str = ""
    outcome: str = "resumed"
    at: float = 0.0
    thread: str = ""
    stack: str = ""


class RecompileRow(Struct, frozen=True, kw_only=True):
    """One guard that failed. `against` is the compile id of the code that could not be used again."""

    compile_id: str
    against: str
    function: str
    source: str
    guard: str
    user_line: str = ""
    at: float = 0.0
    thread: str = ""


class Span(Struct, frozen=True, kw_only=True):
    """What torch tells its own compile callbacks (`torch.compiler` ``on_compile_start``, ``on_compile_end``).

    `trigger`: ``DYNAMO``, ``LAZY_BACKWARD``, ``CUDAGRAPH_RECORDING`` ...; `seconds` is `None` where no end was seen.
    """

    at: float
    trigger: str
    compile_id: str
    thread: str
    seconds: float | None = None
