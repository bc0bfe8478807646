"""Private parts of Dynamo that a capture reads: one small function each, which answers `""` or `None` where torch differs."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from graphlens.program.frames import Frame, frame_rank, frame_text, parse_stack_trace

_RESUME = re.compile(r"^torch_dynamo_resume_in_(?P<function>.+)_at_(?P<line>\d+)$")
_COMPILE_ID = re.compile(r"^(?P<id>!?\d+/\d+|None): ")
_USER_STACK = "\nUser stack trace:\n"


def current_compile() -> tuple[str, int]:
    """Id of the compilation that runs in this thread and its attempt (`torch._guards.CompileContext`, torch 2.1 to 2.13)."""
    from torch._guards import CompileContext

    context = CompileContext.try_get()
    if context is None or context.compile_id is None:
        return "", 0
    return str(context.compile_id), int(getattr(context, "attempt", 0))


def on_finished_graph(output: Any, tell: Callable[[Any, Any], None]) -> bool:
    """Have `tell(output, graph_module)` called when an `OutputGraph` is complete (`register_finalizer_fns`, torch 2.7 to 2.13)."""
    finalizers = getattr(output, "register_finalizer_fns", None)
    if not isinstance(finalizers, list):
        return False
    finalizers.append(lambda graph_module: tell(output, graph_module))
    return True


def frame_of(output: Any) -> tuple[Any, Any]:
    """The code object of the frame that an `OutputGraph` belongs to, and its local names (torch 2.0 to 2.13)."""
    return getattr(getattr(output, "root_tx", None), "f_code", None), getattr(output, "local_scope", None)


def own_code(code: Any, scope: Any) -> tuple[Any, str]:
    """The user's code in a frame and the name of its class.

    A module of a library is compiled through a wrapper of Dynamo's, whose local ``fn`` is what is called
    (`torch._dynamo.external_utils.wrap_inline`, torch 2.1 to 2.13).
    """
    called = scope.get("fn") if code is not None and isinstance(scope, Mapping) else None
    if called is None or not str(code.co_filename).endswith("external_utils.py"):
        return code, ""
    module = getattr(called, "__self__", called)
    function = getattr(type(module), "forward", None) or called
    found = getattr(function, "__code__", None)
    return (code, "") if found is None else (found, type(module).__name__ if function is not called else "")


def why_it_ended(output: Any) -> str:
    """Why an `OutputGraph` was cut: `""` at a return, else the first line of the reason (torch 2.0 to 2.13)."""
    reason = getattr(output, "compile_subgraph_reason", None)
    if reason is None or not getattr(reason, "graph_break", False):
        return ""
    return break_text(str(reason.reason)).reason


def function_name(code: Any, owner: str = "") -> str:
    """Name of the user's function: qualified, and of a resumed one where it goes on (``forward resumed at 12``)."""
    if code is None:
        return ""
    if owner:
        return f"{owner}.{code.co_name}"
    return plain_name(str(code.co_name), str(getattr(code, "co_qualname", code.co_name)))


def plain_name(name: str, qualified: str = "") -> str:
    """Undo the names that Dynamo gives to resume functions."""
    resumed = _RESUME.match(name)
    if resumed:
        return f"{plain_name(resumed['function'])} resumed at {resumed['line']}"
    return (qualified or name).rpartition("<locals>.")[2]


def backend_name(compiler: Any) -> tuple[str, str]:
    """Name of a backend and its options as text, whatever wraps it (`_TorchCompileWrapper` and kin, torch 2.1 to 2.13)."""
    seen = 0
    while hasattr(compiler, "_torchdynamo_orig_backend") and seen < 16:
        compiler, seen = compiler._torchdynamo_orig_backend, seen + 1  # noqa: SLF001
    options = getattr(compiler, "config", None) or getattr(compiler, "kwargs", None) or {}
    name = getattr(compiler, "compiler_name", None) or getattr(compiler, "__name__", None) or type(compiler).__name__
    text = ", ".join(f"{key}={value!r:.80}" for key, value in options.items()) if isinstance(options, dict) else ""
    return str(name), text


class BreakText(NamedTuple):
    """The parts of the text that explains a graph break."""

    reason: str
    explanation: str = ""
    hint: str = ""


def break_text(text: str) -> BreakText:
    """Take a graph break's text apart (the layout of `torch._dynamo.exc.format_graph_break_message`, torch 2.7 to 2.13)."""
    lines = text.split("\n\n*** While handling", 1)[0].splitlines()
    reason = next((line.strip() for line in lines if line.strip()), "")
    parts: dict[str, list[str]] = {"Explanation": [], "Hint": []}
    part = None
    for line in lines[1:]:
        head, colon, rest = line.strip().partition(": ")
        if colon and head in ("Explanation", "Hint", "Developer debug context"):
            part = parts.get(head)
            if part is not None:
                part.append(rest.strip())
        elif part and line.strip():
            part[-1] += " " + line.strip()
    return BreakText(reason, " ".join(parts["Explanation"]), " ".join(parts["Hint"]))


def break_outcome(text: str) -> str:
    """What Dynamo did after a graph break, by the words of its message (torch 2.7 to 2.13)."""
    if text.startswith("Encountered graph break that we cannot resume from"):
        return "rest runs eagerly"
    if text.startswith("Failed to handle graph break"):
        return "function runs eagerly"
    return "resumed"


def break_frames(stack: Any, options: Any) -> tuple[Frame, ...]:
    """The user's stack at a graph break, outermost first; without one, where Dynamo stands (torch 2.1 to 2.13)."""
    if not stack:
        from torch._guards import TracingContext

        stack = TracingContext.extract_stack()
    frames = tuple(as_frames(stack))
    if frames or not isinstance(options, dict):
        return frames
    return (Frame(str(options.get("co_filename", "")), int(options.get("co_firstlineno", 0)), ""),)


def as_frames(stack: Iterable[traceback.FrameSummary]) -> Iterable[Frame]:
    """Convert `traceback` frames."""
    for frame in stack:
        yield Frame(frame.filename, frame.lineno or 0, plain_name(frame.name), (frame.line or "").strip())


def own_frame(frames: Sequence[Frame]) -> Frame | None:
    """The innermost of the frames that are nearest to the user; `None` without a frame."""
    return min(reversed(frames), key=lambda frame: frame_rank(frame.file), default=None)


class GuardText(NamedTuple):
    """One reason why compiled code could not be used again."""

    against: str
    guard: str
    user_line: str


def guard_text(reason: str) -> GuardText:
    """Take a reason of `get_and_maybe_log_recompilation_reasons` apart (torch 2.2 to 2.13)."""
    body, _, stack = reason.partition(_USER_STACK)
    found = _COMPILE_ID.match(body)
    frame = own_frame(parse_stack_trace(stack)) if stack else None
    line = f"{frame_text(frame)} {frame.text}".strip() if frame else ""
    against = found["id"] if found and found["id"] != "None" else ""
    return GuardText(against, body[found.end() :].strip() if found else body.strip(), line)
