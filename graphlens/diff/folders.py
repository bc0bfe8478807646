"""Files of one name in stack traces that lie in folders of different names, which reading leaves out of both."""

from __future__ import annotations

from graphlens.program.frames import parse_stack_trace
from graphlens.program.program import Program


def moved_files(a: Program, b: Program) -> frozenset[str]:
    """Return the files that both programs write alike and that were written differently."""
    return frozenset(file for file, digests in a.folders.items() if b.folders.get(file, digests) != digests)


def names_one_of(trace: str | None, files: frozenset[str]) -> bool:
    """Whether a stack trace has a frame in one of these files."""
    return bool(trace and files) and any(frame.file in files for frame in parse_stack_trace(trace or ""))
