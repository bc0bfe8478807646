"""What went wrong in a stage or runtime: the cause in one line, the guilty node, the user's line, what to do."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from graphlens.program.frames import Frame, frame_rank, frame_text, parse_stack_trace
from graphlens.stages.hints import hint_for

_LIMIT = 300
_OURS = str(Path(__file__).parent.parent)
_EXECUTING = re.compile(
    r"(?:While executing|Failed serializing node \S+ in graph:) %(?P<node>[\w.]+) : .*?= \w+\[target=(?P<target>[^\]]+)\]"
)
_WRAPPERS = ("Failed serializing node",)
"""Beginnings of messages that only repeat what their cause says."""
_TRACE_HEADS = ("Original traceback:", "from user code:", "The following call raised this error:", "Stack trace:")
_OWN_HINT = re.compile(
    r"^\s*(?:Hint|To fix the error|Developer debug context|Suggested fixes?)\s*:\s*(?P<hint>\S.*)$", re.MULTILINE
)


class Failure(Struct, frozen=True, kw_only=True):
    """One failure.

    `cause` is one line; `node` and `target` name the guilty FX node where torch does; `where` is the user's line,
    ``model.py:47 x = y.view(-1)``; `hint` says what to do; `trace` is the whole traceback.
    """

    type: str
    cause: str
    node: str | None = None
    target: str | None = None
    where: str = ""
    hint: str = ""
    trace: str = ""

    def __str__(self) -> str:
        guilty = f"node {self.node} ({self.target})" if self.node else ""
        place = ", ".join(part for part in (guilty, self.where) if part)
        return f"{self.type}: {self.cause}" + (f" [{place}]" if place else "")


def failure_of(error: BaseException) -> Failure:
    """Describe an exception that torch or the user's code raised."""
    executing = next((found for text in _texts(error) if (found := _EXECUTING.search(text))), None)
    error = _telling(error)
    text = _plain(str(error))
    own = _OWN_HINT.search(text)
    cause = _first_line(text) or "no message"
    return Failure(
        type=type(error).__name__,
        cause=cause,
        node=executing["node"] if executing else None,
        target=_target(executing["target"]) if executing else None,
        where=_where(error, text),
        hint=hint_for(type(error).__name__, text) or (own["hint"].strip() if own else ""),
        trace="".join(traceback.format_exception(error)),
    )


def _telling(error: BaseException) -> BaseException:
    """Step down to the cause of a wrapper that says nothing itself."""
    for each in _chain(error):
        line = _first_line(str(each))
        if line and not line.startswith(_WRAPPERS):
            return each
    return error


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    step: BaseException | None = error
    while step is not None and id(step) not in seen:
        seen.add(id(step))
        yield step
        step = step.__cause__


def _texts(error: BaseException) -> Iterator[str]:
    return (_plain(str(each)) for each in _chain(error))


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def _first_line(text: str) -> str:
    """The first paragraph, up to where torch starts to quote code or a traceback, as one line."""
    kept: list[str] = []
    for line in _plain(text).splitlines():
        stripped = line.strip()
        if stripped.startswith(("While executing", 'File "', "Traceback", *_TRACE_HEADS)):
            break
        if not stripped and kept:
            break
        if stripped:
            kept.append(stripped)
    line = " ".join(kept)
    return line if len(line) <= _LIMIT else line[: _LIMIT - 1] + "…"


def _target(text: str) -> str:
    return text.removeprefix("torch.ops.").strip()


def _where(error: BaseException, text: str) -> str:
    """Quote the innermost line that is not torch's, and the user's own line where that is another one."""
    frames = tuple(_frames_in(text)) or tuple(_frames_of(error))
    outside = [frame for frame in frames if frame_rank(frame.file) <= 2 and not frame.file.startswith(_plumbing())]
    if not outside:
        return ""
    inner = outside[-1]
    own = next((frame for frame in reversed(outside) if frame_rank(frame.file) == 0), None)
    place = f"{frame_text(inner)} {inner.text}".strip()
    return place if own is None or own == inner else f"{place}, called from {frame_text(own)}"


def _plumbing() -> tuple[str, ...]:
    """Where graphlens and torch lie: no line of theirs is the user's."""
    torch = sys.modules.get("torch")
    file = getattr(torch, "__file__", None)
    return (_OURS, str(Path(file).parent)) if file else (_OURS,)


def _frames_in(text: str) -> Iterator[Frame]:
    at = max((text.rfind(head) for head in _TRACE_HEADS), default=-1)
    if at >= 0:
        yield from parse_stack_trace(text[at:])


def _frames_of(error: BaseException) -> Iterator[Frame]:
    for entry in traceback.extract_tb(error.__traceback__):
        yield Frame(entry.filename, entry.lineno or 0, entry.name, (entry.line or "").strip())
