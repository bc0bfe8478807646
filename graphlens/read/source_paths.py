"""What is kept of the source files that stack traces name: their paths, and the text of their lines."""

from __future__ import annotations

import linecache
import os
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import blake2b

from graphlens.program.frames import TORCH, frame_rank, model_frame, parse_stack_trace, user_frame
from graphlens.program.frozen import EMPTY, freeze

POLICIES = ("none", "relative", "full")

_FILE = re.compile(r'(?m)^(\s*File ")([^"\n]*)(", line \d)')
_ABSOLUTE = re.compile(r"^(?:[/\\]|[A-Za-z]:[/\\]|~)")
_PACKAGES = re.compile(r"^.*[/\\](?:(site-packages|dist-packages)|lib[/\\]python[0-9.]+)[/\\]")
_SEPARATOR = re.compile(r"[/\\]+")
_CONTEXT = 3
_MAX_FILE_BYTES = 4 << 20
_MAX_LINE = 400


@lru_cache(maxsize=65536)
def kept_file(file: str, policy: str) -> str:
    """Return a file's name as the policy keeps it.

    ``"relative"``: from ``site-packages/`` on, relative to the working directory that it lies in, else its last two
    parts after ``…/``, so that no path of the machine is left. ``"full"``: as it is. ``"none"``: nothing.
    """
    if policy == "none":
        return ""
    if policy == "full" or not _ABSOLUTE.match(file):
        return file
    inside = _PACKAGES.match(file)
    if inside:  # marked as a library's, which `graphlens.program.frames` goes by
        return f"{inside[1] or 'lib/python3'}/{file[inside.end() :]}"
    here = os.getcwd().rstrip(os.sep) + os.sep  # noqa: PTH109 - text, as the trace has it
    if file.startswith(here):
        return file[len(here) :]
    return "…/" + "/".join(_SEPARATOR.split(file)[-2:])


def kept_trace(trace: str, policy: str) -> str | None:
    """Return a stack trace with its paths as the policy keeps them; `None` under ``"none"``, for it quotes source."""
    if policy == "none":
        return None
    if policy == "full":
        return trace
    return _FILE.sub(lambda match: f"{match[1]}{kept_file(match[2], policy)}{match[3]}", trace)


def folders(traces: Iterable[str], policy: str) -> Mapping[str, tuple[str, ...]]:
    """Map the names of files that `kept_file` shortened to digests of their whole names.

    So that two programs can be asked whether they name the same files, without a path of the machine in either.
    """
    whole: dict[str, set[str]] = {}
    if policy == "relative":
        for file in sorted({match[2] for trace in traces for match in _FILE.finditer(trace)}):
            kept = kept_file(file, policy)
            if kept != file:
                whole.setdefault(kept, set()).add(
                    blake2b(file.encode(errors="surrogatepass"), digest_size=8).hexdigest()
                )
    return freeze((kept, tuple(sorted(digests))) for kept, digests in whole.items())


def source_lines(traces: Iterable[str], policy: str, *, read_files: bool) -> Mapping[str, Mapping[int, str]]:
    """Collect the source lines that stack traces name.

    Parameters
    ----------
    traces
        Stack traces with their paths as they were written, each distinct one once.
    policy
        Decides under which names the lines are kept.
    read_files
        Whether files of this machine are opened, and a few lines around the user's own line (and a model's under it) kept. False for
        an archive, which could name any file: then only what the traces themselves quote is kept.

    Returns
    -------
    mapping
        File name as `kept_file` gives it, to line number, to text without its line end. Empty under ``"none"``.
    """
    if policy == "none":
        return EMPTY
    lines: dict[str, dict[int, str]] = {}
    wanted: dict[str, set[int]] = {}
    for trace in traces:
        for frame in parse_stack_trace(trace):
            if frame.text:
                lines.setdefault(kept_file(frame.file, policy), {})[frame.line] = frame.text[:_MAX_LINE]
        for near in (user_frame(trace), model_frame(trace)) if read_files else ():
            if near is not None and frame_rank(near.file) < TORCH:
                wanted.setdefault(near.file, set()).add(near.line)
    for file, numbers in wanted.items():
        found = _around(file, numbers)
        if found and _still_quoted(found, lines.get(kept_file(file, policy), {}), numbers):
            lines.setdefault(kept_file(file, policy), {}).update(found)
    return freeze((file, freeze(sorted(numbered.items()))) for file, numbered in lines.items())


def _around(file: str, numbers: set[int]) -> dict[int, str]:
    """Read the lines around some lines of a file; nothing where it is gone, huge or no text."""
    try:
        if os.path.exists(file) and os.path.getsize(file) > _MAX_FILE_BYTES:  # noqa: PTH110, PTH202
            return {}
        linecache.checkcache(file)  # which has notebook cells too
        text = [line.rstrip("\r\n") for line in linecache.getlines(file)]
    except (OSError, ValueError):
        return {}
    near = {i for n in numbers for i in range(n - _CONTEXT, n + _CONTEXT + 1) if 0 < i <= len(text)}
    return {i: text[i - 1][:_MAX_LINE] for i in near}


def _still_quoted(found: Mapping[int, str], quoted: Mapping[int, str], numbers: set[int]) -> bool:
    """Whether a file still says what the traces quote: an edited file would show the wrong lines."""
    return all(n not in quoted or found.get(n, "").strip() == quoted[n].strip() for n in numbers)
