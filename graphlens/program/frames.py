"""Stack traces as frames, and which frame is the user's own line."""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

_HEADER = re.compile(r'^\s*File "(?P<file>.*)", line (?P<line>\d+), in (?P<function>.*)$')
_SEPARATOR = re.compile(r"[/\\]")
_TORCH_PARTS = (
    "_C|_decomp|_dispatch|_dynamo|_export|_functorch|_higher_order_ops|_inductor|_library|_logging|_ops|_prims"
    "|_prims_common|_refs|_subclasses|_tensor|ao|autograd|compiler|cuda|distributed|export|func|functional|fx|jit"
    "|nn|onnx|optim|overrides|random|special|testing|utils"
)
_TORCH = re.compile(rf"(^|[/\\])(torch[/\\]({_TORCH_PARTS})([/\\]|\.py$)|torch[/\\]__init__\.py$|functorch[/\\])")
_INSTALLED = re.compile(r"(^|[/\\])(site-packages|dist-packages)[/\\]")
_STANDARD = re.compile(r"(^|[/\\])lib[/\\]python3[^/\\]*[/\\](?!(site|dist)-packages[/\\])|^<frozen ")
_GENERATED = re.compile(r"^<(?!ipython|stdin|console)|(^|[/\\])<eval_with_key>|^$")
_FX_CODE = re.compile(r"(<eval_with_key>)(\.\d+)?$")
_PLUMBING = re.compile(r"(^|[/\\])transformers[/\\](utils[/\\]|modeling_utils\.py|modeling_layers\.py)")

TORCH = 3
"""Rank of torch's own files; see `frame_rank`."""


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
def frame_rank(file: str) -> int:
    """Say how near a file is to the user.

    Returns
    -------
    int
        0 the user's own code, 1 an installed package (a model of transformers, say), 2 plumbing of such a package,
        3 torch, 4 the standard library, 5 code that was generated and can be opened nowhere.
    """
    if _GENERATED.search(file):
        return 5
    if _TORCH.search(file):
        return TORCH
    if _PLUMBING.search(file):
        return 2
    if _INSTALLED.search(file):
        return 1
    return 4 if _STANDARD.search(file) else 0


@lru_cache(maxsize=65536)
def user_frame(trace: str | None) -> Frame | None:
    """Return the innermost frame of those that are nearest to the user (`frame_rank`); `None` without a frame.

    That is the user's own line; where a model of an installed package was traced without any code of the user's, the
    innermost line of the model; generated code only where there is nothing else.
    """
    frames = parse_stack_trace(trace) if trace else ()
    return min(reversed(frames), key=lambda frame: frame_rank(frame.file), default=None)


@lru_cache(maxsize=65536)
def model_frame(trace: str | None) -> Frame | None:
    """Return the innermost line of an installed package under the user's own line; `None` where the user's is innermost.

    A wrapper of the user's own around a model of a library is one line for the whole program; this is the line of the
    model that tells its nodes apart.
    """
    frames = parse_stack_trace(trace) if trace else ()
    for frame in reversed(frames):
        rank = frame_rank(frame.file)
        if rank <= 1:
            return frame if rank == 1 else None
    return None


def is_fx_code(file: str) -> bool:
    """Whether a frame lies in code that FX generated from a graph."""
    return _FX_CODE.search(file) is not None


def frame_text(frame: Frame | None) -> str:
    """Write a frame as ``model.py:47`` (the file's last component); generated code without the process's counter."""
    if frame is None:
        return ""
    file = _FX_CODE.sub(r"\1", frame.file)
    return f"{_SEPARATOR.split(file)[-1]}:{frame.line}"


@lru_cache(maxsize=65536)
def source_text(trace: str | None) -> str:
    """Write where a node comes from: ``model.py:47``, with a library's own line under it ``run.py:9 > modeling_llama.py:306``."""
    mine, inner = frame_text(user_frame(trace)), frame_text(model_frame(trace))
    return mine if not inner or inner == mine else f"{mine} > {inner}"
