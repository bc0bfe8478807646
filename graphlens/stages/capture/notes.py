"""From each event of torch to the row that a capture keeps of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from msgspec.structs import replace

from graphlens.program.frames import Frame, frame_text
from graphlens.stages.capture import dynamo
from graphlens.stages.capture.hooks import Call
from graphlens.stages.capture.recording import Owner, Recording
from graphlens.stages.capture.rows import BreakRow, FrameRow, RecompileRow, Span

Note = Callable[[Recording, Call, Any, BaseException | None], None]


def _thread() -> str:
    return threading.current_thread().name


def _code_source(code: Any) -> str:
    return frame_text(Frame(code.co_filename, code.co_firstlineno, "")) if code is not None else ""


def output_graph(recording: Recording, call: Call, _result: Any, error: BaseException | None) -> None:
    """A graph is begun: ask to be told when it is complete."""
    tell = partial(recording.guarded, finished_graph, recording)
    if error is None and not dynamo.on_finished_graph(call[0][0], tell):
        recording.notice("this torch does not hand out Dynamo's graphs")


def finished_graph(recording: Recording, output: Any, graph_module: Any) -> None:
    """A graph is complete and about to be handed to the backend."""
    code, scope = dynamo.frame_of(output)
    own, name = dynamo.own_code(code, scope)
    _, attempt = dynamo.current_compile()
    function = dynamo.function_name(own, name)
    recording.begin_graph(Owner(function=function, source=_code_source(own), frame=_code_source(code), attempt=attempt))
    backend, options = dynamo.backend_name(getattr(output, "compiler_fn", None))
    kind = "export" if getattr(output, "export", False) else "dynamo"
    ended = dynamo.why_it_ended(output) and (_last_break(recording) or dynamo.why_it_ended(output))
    recording.add_graph(kind, graph_module, backend=backend, options=options, ended=ended)


def _last_break(recording: Recording) -> str:
    """The break that this compilation has just logged: its text says more than the one kept with the graph."""
    compile_id, _ = dynamo.current_compile()
    last = recording.breaks[-1] if recording.breaks else None
    return f"{last.reason} at {last.source}" if last and last.compile_id == compile_id else ""


def aot(kinds: tuple[str, ...], recording: Recording, call: Call, _result: Any, _error: BaseException | None) -> None:
    """AOTAutograd has one or two graphs, the first arguments; in torch 2.9 the inference graph is a field of the second."""
    if recording.aot:
        given = call[0] if hasattr(call[0][0], "graph") else [call[0][1].graph_module]
        for kind, graph_module in zip(kinds, given, strict=False):
            recording.add_graph(f"aot {kind}", graph_module)


def graph_break(recording: Recording, call: Call, _result: Any, _error: BaseException | None) -> None:
    """Dynamo logs a graph break: ``log_graph_break(self, code_options, reason, exc)``.

    In torch 2.9 it is ``log_graph_break(code_options, reason, exc_info, user_stack)``.
    """
    method = bool(call[0]) and not isinstance(call[0][0], dict)
    names = (
        ("self", "code_options", "reason", "exc") if method else ("code_options", "reason", "exc_info", "user_stack")
    )
    given = _arguments(call, names)
    error, options = given.get("exc"), given.get("code_options") or {}
    if getattr(error, "logged", False):
        return
    frames = dynamo.break_frames(getattr(error, "real_stack", None) or given.get("user_stack"), options)
    own = dynamo.own_frame(frames)
    text = dynamo.break_text(str(error) if error is not None else str(given.get("reason")))
    name = str(options.get("co_name", ""))
    row = BreakRow(
        compile_id=dynamo.current_compile()[0],
        function=dynamo.plain_name(name, str(options.get("co_qualname", name))),
        source=frame_text(own),
        line=own.text if own else "",
        reason=text.reason,
        explanation=text.explanation,
        hint=text.hint,
        outcome=dynamo.break_outcome(str(given.get("reason"))),
        at=recording.now,
        thread=_thread(),
        stack="\n".join(f"{f.file}:{f.line} in {f.function}: {f.text}" for f in frames),
    )
    with recording.lock:
        recording.breaks.append(row)


def recompile(recording: Recording, call: Call, result: Any, error: BaseException | None) -> None:
    """Dynamo has found out why it compiles a frame again; with ``error_on_recompile`` it raises instead."""
    given = _arguments(call, ("cache_entries", "frame"))
    if given.get("skip_logging"):
        return
    frame = given["frame"]
    code, name = dynamo.own_code(frame.f_code, frame.f_locals)
    reasons = [str(error)] if error is not None else [str(reason) for reason in result or ()]
    now = recording.now
    for reason in reasons or ["torch gives no reason"]:
        text = dynamo.guard_text(reason)
        row = RecompileRow(
            compile_id=dynamo.current_compile()[0],
            against=text.against,
            function=dynamo.function_name(code, name),
            source=_code_source(code),
            guard=text.guard,
            user_line=text.user_line,
            at=now,
            thread=_thread(),
        )
        with recording.lock:
            recording.recompiles.append(row)


def metrics(recording: Recording, call: Call, _result: Any, _error: BaseException | None) -> None:
    """Torch has summed up one compilation (`torch._dynamo.utils.CompilationMetrics`, fields of torch 2.7 to 2.13)."""
    found = call[0][0]
    if getattr(found, "is_runtime", False):
        return
    forward = getattr(found, "is_forward", None) is not False
    start = getattr(found, "start_time_us", None)
    error = str(getattr(found, "fail_reason", None) or "").strip().splitlines()
    kind = getattr(found, "fail_type", None)
    status = "failed" if kind else "backward" if not forward else "compiled" if found.has_guarded_code else "nothing"
    duration = getattr(found, "duration_us", None)
    seconds = found.entire_frame_compile_time_s if forward else None
    source = frame_text(Frame(found.co_filename, found.co_firstlineno or 0, "")) if found.co_filename else ""
    owner = recording.owners.get(str(found.compile_id), Owner())
    known = owner.frame and source in ("", owner.frame)
    row = FrameRow(
        compile_id=str(found.compile_id or ""),
        function=owner.function if known else dynamo.plain_name(str(found.co_name or "")),
        source=owner.source if known else source,
        status=status,
        ops=found.graph_op_count,
        nodes=found.graph_node_count,
        inputs=found.graph_input_count,
        guards=found.guard_count,
        at=max(0.0, start / 1e6 - recording.began) if start else recording.now,
        seconds=seconds if seconds is not None else duration / 1e6 if duration is not None else None,
        backend_seconds=found.backend_compile_time_s,
        error=f"{kind}: {error[0] if error else ''}" if kind else "",
        thread=_thread(),
    )
    with recording.lock:
        recording.frames.append(row)


def compile_start(recording: Recording, call: Call, _result: Any, _error: BaseException | None) -> None:
    """Torch runs its callbacks for the start of a compilation (their argument since torch 2.7)."""
    args = call[0][1] if len(call[0]) > 1 else None
    trigger = getattr(getattr(args, "callback_trigger", None), "name", "")
    span = Span(at=recording.now, trigger=trigger, compile_id=str(getattr(args, "compile_id", "")), thread=_thread())
    with recording.lock:
        recording.spans.append(span)


def compile_end(recording: Recording, _call: Call, _result: Any, _error: BaseException | None) -> None:
    """Torch runs its callbacks for the end; starts and ends alternate, for it counts what is pending."""
    with recording.lock:
        if recording.spans and recording.spans[-1].seconds is None:
            last = recording.spans[-1]
            recording.spans[-1] = replace(last, seconds=recording.now - last.at)


def reset(recording: Recording, _call: Call, _result: Any, _error: BaseException | None) -> None:
    """`torch._dynamo.reset()` was called: compile ids begin anew."""
    with recording.lock:
        recording.resets.append((recording.now, _thread()))


def _arguments(call: Call, names: tuple[str, ...]) -> Mapping[str, Any]:
    args, kwargs = call
    return {**dict(zip(names, args, strict=False)), **kwargs}


NOTES: Mapping[str, Note] = {
    "output_graph": output_graph,
    "graph_break": graph_break,
    "recompile": recompile,
    "metrics": metrics,
    "compile_start": compile_start,
    "compile_end": compile_end,
    "reset": reset,
    "aot_joint": partial(aot, ("joint",)),
    "aot_parts": partial(aot, ("forward", "backward")),
    "aot_inference": partial(aot, ("inference",)),
}
