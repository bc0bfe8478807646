"""Stack traces as frames, and which frame is the user's own line."""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

_HEADER = re.compile(r'^\s*File "(?P<file>.*)", line (?P<line>\d+), in (?P<function>.*)$')
_SEPARATOR = re.compile(r"[/\\]")
_LIBRARY = re.compile(
    r"(^|[/\\])(site-packages|dist-packages|torch|functorch|transformers[/\\]utils)[/\\]|^<(?!ipython)|[/\\]lib[/\\]python3"
)


class Frame(Struct, frozen=True, gc=False):
    """One frame of a stack trace. `text` is the source line as the trace quotes it, `""` if it does not."""

    file: str
    line: int
    function: str
    text: str = ""


@lru_cache(maxsize=65536)
def parse_stack_trace(trace: str) -> tuple[Frame, ...]:
    """Parse the text of a Python stack trace (`traceback.format_list`) into frames, outermost first."""
    frames: list[Frame] = []
    for line in trace.splitlines():
        header = _HEADER.match(line)
        if header:
            frames.append(Frame(header["file"], int(header["line"][:12]), header["function"]))
        elif frames and line.strip() and not frames[-1].text:
            last = frames[-1]
            frames[-1] = Frame(last.file, last.line, last.function, line.strip())
    return tuple(frames)


@lru_cache(maxsize=65536)
def user_frame(trace: str | None) -> Frame | None:
    """Return the innermost frame that is not library or generated code; else the innermost frame; else `None`."""
    frames = parse_stack_trace(trace) if trace else ()
    for frame in reversed(frames):
        if not is_library(frame):
            return frame
    return frames[-1] if frames else None


def is_library(frame: Frame) -> bool:
    """Whether a frame is library or generated code, not the user's own."""
    return _LIBRARY.search(frame.file) is not None


def frame_text(frame: Frame | None) -> str:
    """Write a frame as ``model.py:47`` (the file's last component)."""
    if frame is None:
        return ""
    return f"{_SEPARATOR.split(frame.file)[-1]}:{frame.line}"
