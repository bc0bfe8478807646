"""What a user can ask of a diff beyond its two programs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias, cast
from typing import Literal as OneOf

from msgspec import Struct

from graphlens.diff.severity import Selector, check_selector
from graphlens.errors import DiffError
from graphlens.program.frames import TORCH, Frame, frame_rank, is_fx_code, parse_stack_trace
from graphlens.program.frozen import EMPTY, freeze

PROFILES: Final = ("all", "pytorch")
WEIGHTS: Final = ("digest", "exact", "ignore")


WeightsMode: TypeAlias = OneOf["digest", "exact", "ignore"]


class StackTraces(Struct, frozen=True):
    """What counts as the same stack trace.

    Attributes
    ----------
    lines
        By how many lines a frame may have moved: `0` not at all, `None` by any number.
    prefixes
        Path prefixes to rewrite in both programs before they are compared, ``{"…/site-a/": "", "src/": ""}``. Paths are
        those of the rows: reading shortens them, unless it is told ``read(program, source="full")``.
    library
        Whether frames of torch, of the standard library and of generated code count. Another release of torch moves
        its own lines; without them the user's frames are compared, as long as there are any.
    """

    lines: int | None = 0
    prefixes: Mapping[str, str] = EMPTY
    library: bool = True

    def same(self, a: str, b: str) -> bool:
        """Whether two stack traces agree within the tolerance."""
        a, b = steady_trace(a), steady_trace(b)
        if a == b:
            return True
        if self.lines == 0 and not self.prefixes and self.library:
            return False
        ours, theirs = self._frames(a), self._frames(b)
        if not ours or len(ours) != len(theirs):
            return False
        return all(
            x.function == y.function
            and x.text == y.text
            and self._path(x.file) == self._path(y.file)
            and (self.lines is None or abs(x.line - y.line) <= self.lines)
            for x, y in zip(ours, theirs, strict=True)
        )

    def _frames(self, trace: str) -> tuple[Frame, ...]:
        frames = parse_stack_trace(trace)
        if self.library:
            return frames
        return tuple(frame for frame in frames if frame_rank(frame.file) < TORCH) or frames

    def _path(self, path: str) -> str:
        for prefix, replacement in self.prefixes.items():
            if path.startswith(prefix):
                return replacement + path[len(prefix) :]
        return path


EXACT: Final = StackTraces()

_COUNTED = re.compile(r"(?<=<eval_with_key>)\.\d+|(?<=ipykernel_)\d+")


def steady_trace(trace: str) -> str:
    """Write a stack trace without what depends on the process: numbers of generated FX code, ids of notebook kernels."""
    return _COUNTED.sub("", trace)


def without_generated(trace: str) -> tuple[Frame, ...]:
    """Return the frames of a stack trace that are not code that FX generated: it repeats the graph, and stands in no file."""
    return tuple(frame for frame in parse_stack_trace(trace) if not is_fx_code(frame.file))


class Settings(Struct, frozen=True, kw_only=True):
    """The checked options of `graphlens.diff.compare`."""

    profile: str = "all"
    pins: tuple[tuple[str, str], ...] = ()
    severities: Mapping[Any, Any] = EMPTY
    ignore: tuple[Any, ...] = ()
    stack_trace: StackTraces = EXACT
    weights: WeightsMode = "digest"


DEFAULTS: Final = Settings()


def make_settings(
    *,
    profile: str,
    pins: Iterable[tuple[str, str]],
    severities: Mapping[Selector, Any] | None,
    ignore: Iterable[Selector] | str,
    stack_trace: StackTraces | Mapping[str, Any] | str,
    weights: str,
) -> Settings:
    """Check options and put them in one place.

    Raises
    ------
    DiffError
        An option that does not exist; the message lists those that do.
    """
    for name, value, known in (("profile", profile, PROFILES), ("weights", weights, WEIGHTS)):
        if value not in known:
            raise DiffError(f"{name}={value!r} does not exist; choose one of {', '.join(map(repr, known))}")
    selectors = (ignore,) if isinstance(ignore, str) else tuple(ignore)
    for selector in selectors:
        check_selector(selector)
    return Settings(
        profile=profile,
        pins=_pins(pins),
        severities=freeze(severities or {}),
        ignore=selectors,
        stack_trace=_stack_traces(stack_trace),
        weights=cast("WeightsMode", weights),
    )


def _pins(given: object) -> tuple[tuple[str, str], ...]:
    pins: list[Any] = [given] if isinstance(given, str) or not isinstance(given, Iterable) else list(given)
    for pin in pins:
        if not (isinstance(pin, tuple | list) and len(pin) == 2 and all(isinstance(name, str) for name in pin)):
            raise DiffError(f"pin {pin!r} is no pair of node names; give pins=[(node of a, node of b), ...]")
    return tuple((pin[0], pin[1]) for pin in pins)


def _stack_traces(given: StackTraces | Mapping[str, Any] | str) -> StackTraces:
    if isinstance(given, StackTraces):
        return given
    named = {"exact": EXACT, "no lines": StackTraces(lines=None), "user": StackTraces(library=False)}
    if isinstance(given, str):
        if given in named:
            return named[given]
        raise DiffError(
            f"stack_trace={given!r} does not exist; choose 'exact', 'no lines', 'user' or StackTraces(lines, prefixes, library)"
        )
    try:
        lines, prefixes = given.get("lines", 0), dict(given.get("prefixes", {}))
        unknown = set(given) - {"lines", "prefixes", "library"}
    except (AttributeError, TypeError, ValueError) as error:
        raise DiffError(
            f"stack_trace={given!r} is no tolerance; give {{'lines': 3, 'prefixes': {{'/src/': ''}}}}"
        ) from error
    if unknown or not (lines is None or (type(lines) is int and lines >= 0)):
        raise DiffError(
            f"stack_trace={given!r} is no tolerance; it has 'lines' (a number or None), 'prefixes' and 'library'"
        )
    return StackTraces(lines, freeze(prefixes), bool(given.get("library", True)))
