"""The `%graphlens` magic: parse, call the public API, return the result.

Names are looked up in the user's namespace, with attributes and with items of dicts and lists (`model`, `cfg.model`,
`trip.programs["export"]`); nothing is evaluated. The result is returned, so `d = %graphlens diff a b` works and a bare line shows it.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

from graphlens.arguments import build_parser, diff_options
from graphlens.errors import GraphLensError

_NAME = re.compile(r"^[^\W\d]\w*(\.[^\W\d]\w*|\[[^\[\]]+\])*$")
_STEP = re.compile(r"\.(\w+)|\[([^\[\]]+)\]")


class _HelpShown(Exception):  # noqa: N818 - not an error
    """`-h` printed the help: nothing is left to do."""


class _MagicParser(argparse.ArgumentParser):
    """An argparse parser that never exits the kernel."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}\n{self.format_usage().strip()}")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise _HelpShown(message or status)


@magics_class
class GraphlensMagics(Magics):  # type: ignore[misc]
    """`%graphlens view|diff|roundtrip|numerics`, and `%%graphlens capture` over a cell."""

    @no_var_expand  # type: ignore[untyped-decorator]
    @line_cell_magic  # type: ignore[untyped-decorator]
    def graphlens(self, line: str, cell: str | None = None) -> Any:
        """Look at programs, compare them, put a model through a round trip: `%graphlens -h` lists the commands.

        Over a cell, `%%graphlens capture` runs it and records what torch.compile does.
        """
        try:
            options = build_parser("magic" if cell is None else "cell", _MagicParser).parse_args(_words(line))
            if cell is not None:
                return _capture(options, self.shell, cell)
            result = _RUN[options.command](options, self.shell.user_ns)
        except _HelpShown:
            return None
        except GraphLensError as error:
            raise UsageError(str(error)) from error
        return _kept(result, options, self.shell)


def _kept(result: Any, options: argparse.Namespace, shell: Any) -> Any:
    """Store a result and write its report, as asked for."""
    if options.html:
        from graphlens.api import report

        print(f"wrote {report(result, options.html)}")
    if options.output:
        shell.user_ns[options.output] = result
    return result


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line, posix=os.name != "nt")
    except ValueError as error:
        raise UsageError(f"%graphlens: {error}") from error


def look_up(name: str, namespace: Mapping[str, Any]) -> Any:
    """Find a dotted name in a namespace; a path of an existing file stands for itself.

    Raises
    ------
    GraphLensError
        There is no such name; the message lists close ones and the programs in scope.
    """
    first = re.split(r"[.\[]", name, maxsplit=1)[0]
    if _NAME.match(name) and first in namespace:
        found = namespace[first]
        for step in _STEP.finditer(name, len(first)):
            found = _step(found, name[: step.start()], step[1], step[2])
        return found
    if Path(name).exists():
        return name
    raise GraphLensError(f"{name!r} is neither a name here nor a file{_hint(name, namespace)}")


def _step(found: Any, where: str, attribute: str | None, key: str | None) -> Any:
    """Take one attribute, or one item of a real dict, list or tuple."""
    if attribute is not None:
        try:
            return getattr(found, attribute)
        except AttributeError as error:
            raise GraphLensError(f"{where!r} has no attribute {attribute!r}") from error
    text = (key or "").strip("'\"")
    if isinstance(found, dict):
        by_text = {str(name): value for name, value in found.items()}
        if text in by_text:
            return by_text[text]
        raise GraphLensError(f"{where!r} has no item {text!r}; it has {', '.join(list(by_text)[:10])}")
    if isinstance(found, list | tuple) and text.lstrip("-").isdigit() and -len(found) <= int(text) < len(found):
        return found[int(text)]
    raise GraphLensError(f"{where!r} has no item {text!r}")


def _hint(name: str, namespace: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, [key for key in namespace if not key.startswith("_")])
    if close:
        return f"; did you mean {', '.join(close)}?"
    kinds = {"ExportedProgram", "GraphModule", "Program", "Diff", "RoundTrip"}
    known = [key for key, value in namespace.items() if not key.startswith("_") and type(value).__name__ in kinds]
    return f"; programs in scope: {', '.join(known[:10])}" if known else ""


def _view(options: argparse.Namespace, namespace: Mapping[str, Any]) -> Any:
    from graphlens.api import view

    return view(look_up(options.source, namespace), expand=options.expand)


def _diff(options: argparse.Namespace, namespace: Mapping[str, Any]) -> Any:
    from graphlens.api import diff

    a, b = look_up(options.a, namespace), look_up(options.b, namespace)
    return diff(a, b, **diff_options(options))


def _roundtrip(options: argparse.Namespace, namespace: Mapping[str, Any]) -> Any:
    from graphlens.api import roundtrip

    args, kwargs = _inputs(options.args, namespace)
    chosen = {key: tuple(value.split(",")) for key in ("stages", "runtimes") if (value := getattr(options, key))}
    return roundtrip(look_up(options.model, namespace), args, kwargs, strict=options.strict, **chosen)


def _inputs(texts: list[str], namespace: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Look up the inputs of a call: ``x`` is positional, ``mask=m`` a keyword."""
    args = tuple(look_up(text, namespace) for text in texts if "=" not in text)
    pairs = (text.partition("=") for text in texts if "=" in text)
    return args, {key: look_up(name, namespace) for key, _, name in pairs}


def _numerics(options: argparse.Namespace, namespace: Mapping[str, Any]) -> Any:
    from graphlens.api import numerics

    args, kwargs = _inputs(options.args, namespace)
    return numerics(look_up(options.a, namespace), look_up(options.b, namespace), args, kwargs, seed=options.seed)


def _capture(options: argparse.Namespace, shell: Any, cell: str) -> Any:
    """Run a cell as the shell would and record what is compiled; what the cell raises is raised, and shown once."""
    from graphlens.api import capture

    with capture(aot=options.aot) as cap, _tracebacks_later(shell):
        done = shell.run_cell(cell)
    _kept(cap, options, shell)
    done.raise_error()
    return cap


@contextmanager
def _tracebacks_later(shell: Any) -> Iterator[None]:
    """Keep the shell from showing an error that is going to be raised."""
    names = ("showtraceback", "showsyntaxerror", "showindentationerror")
    before = {name: vars(shell)[name] for name in names if name in vars(shell)}
    try:
        for name in names:
            setattr(shell, name, lambda *_args, **_kwargs: None)
        yield
    finally:
        for name in names:
            delattr(shell, name)
        for name, value in before.items():
            setattr(shell, name, value)


_RUN = {"view": _view, "diff": _diff, "roundtrip": _roundtrip, "numerics": _numerics}


def register(ipython: Any) -> None:
    """Register the magics and complete names after `%graphlens`."""
    ipython.register_magics(GraphlensMagics)
    ipython.set_hook("complete_command", _complete, str_key="%graphlens")


def unregister(ipython: Any) -> None:
    """Remove the magics."""
    for kind in ("line", "cell"):
        ipython.magics_manager.magics[kind].pop("graphlens", None)
    ipython.magics_manager.registry.pop("GraphlensMagics", None)


def _complete(shell: Any, event: Any) -> list[str]:
    words = event.line.split()
    if len(words) < 2 or (len(words) == 2 and not event.line.endswith(" ")):
        return list(_RUN)
    return [name for name in shell.user_ns if not name.startswith("_")]
