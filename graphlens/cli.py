"""The command line: parse, call the public API, print.

Exit status: 0 nothing at or above ``--fail-on``, 1 something, 2 the question could not be answered.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphlens.arguments import build_parser, diff_options, reaches
from graphlens.errors import GraphLensError
from graphlens.files import write_file
from graphlens.program.line import display

if TYPE_CHECKING:
    from graphlens.diff import Diff
    from graphlens.program.program import Program


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    options = build_parser("cli").parse_args(argv)
    try:
        return _RUN[options.command](options)
    except GraphLensError as error:
        print(f"graphlens: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # the reader (`head`, say) has what it wanted; a closed stdout must not raise again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("graphlens: interrupted", file=sys.stderr)
        return 130


def _show(options: argparse.Namespace) -> int:
    from graphlens.read import read

    program = read(options.file, model=options.model)
    _emit(_render(program, options), options.output)
    return 0


def _render(program: Program, options: argparse.Namespace) -> str:
    if options.find is not None:
        return _found(program, options.find, options.format)
    if options.format == "json":
        return json.dumps(program.to_dict(), indent=1, ensure_ascii=True)
    if options.format == "text":
        from graphlens.program.listing import program_listing

        return program_listing(program, depth=options.depth)
    from graphlens.view import to_dot, to_svg

    depth = 1 if options.depth is None else options.depth
    return to_dot(program, depth=depth) if options.format == "dot" else to_svg(program, depth=depth)


def _found(program: Program, query: str, form: str) -> str:
    from graphlens.program.listing import node_line
    from graphlens.program.query import find, hint

    nodes = list(find(program, query))
    if form == "json":
        return json.dumps(
            [{"graph": path, "name": node.name, "line": node_line(node)} for path, node in nodes], indent=1
        )
    if form != "text":
        raise GraphLensError(f"--find prints nodes as text or json, not as {form}; drop --find or --format")
    lines = [f"{path + ': ' if path else ''}{node_line(node)}" for path, node in nodes]
    why = "" if nodes else hint(program, query)
    return "\n".join([*lines, f"{len(nodes)} node{'s' * (len(nodes) != 1)} found{f': {display(why)}' if why else ''}"])


def _diff(options: argparse.Namespace) -> int:
    from graphlens.api import diff

    result = diff(options.a, options.b, **diff_options(options))
    if options.format == "html" and options.output:
        print(f"wrote {result.to_html(options.output)}")
    else:
        _emit(_DIFF_FORMATS[options.format](result, options), options.output)
    if options.output:
        print(display(result.verdict))
    if reaches(result.worst, options.fail_on):
        return 1
    undecided = result.profile != "pytorch" and result.proof.level == "unknown"
    return 2 if undecided and not reaches(result.worst, "breaks_pass") else 0


def _diff_html(result: Diff) -> str:
    from graphlens.view import report_html

    return report_html(result)


_DIFF_FORMATS: dict[str, Callable[[Diff, argparse.Namespace], str]] = {
    "text": lambda result, _: result.to_text(),
    "json": lambda result, _: result.to_json(),
    "markdown": lambda result, _: result.to_markdown(),
    "junit": lambda result, options: result.to_junit(options.fail_on),
    "html": lambda result, _: _diff_html(result),
}


def _roundtrip(options: argparse.Namespace) -> int:
    from graphlens.api import report, roundtrip

    model, args, kwargs = _call_factory(options.model)
    chosen = {key: tuple(value.split(",")) for key in ("stages", "runtimes") if (value := getattr(options, key))}
    result = roundtrip(model, args, kwargs, strict=options.strict, **chosen)
    print(result)
    if options.output:
        print(f"wrote {report(result, options.output)}")
    return int(reaches(result.worst, options.fail_on) or (options.fail_on != "never" and not result.ok))


def _call_factory(text: str) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """Import ``MODULE:FACTORY`` (or ``file.py:FACTORY``) and call it."""
    module_name, colon, factory_name = text.rpartition(":")
    if not colon:
        raise GraphLensError(f"{text!r} is not MODULE:FACTORY; write for example models.py:make_decoder")
    try:
        factory = getattr(_load(module_name), factory_name)
    except (ImportError, OSError) as error:
        raise GraphLensError(f"cannot import {module_name!r}: {error}; is it on the path or in this folder?") from error
    except AttributeError as error:
        raise GraphLensError(f"{module_name!r} has no {factory_name!r}") from error
    given = factory()
    if not isinstance(given, tuple) or len(given) not in (2, 3) or not isinstance(given[1], tuple):
        raise GraphLensError(f"{text} gave {type(given).__name__}; it must give (model, args) or (model, args, kwargs)")
    model, args, *rest = given
    return model, args, dict(rest[0] or {}) if rest else {}


def _load(module_name: str) -> Any:
    if not module_name.endswith(".py"):
        sys.path.insert(0, str(Path.cwd()))
        return importlib.import_module(module_name)
    spec = importlib.util.spec_from_file_location(Path(module_name).stem, module_name)
    if spec is None or spec.loader is None:
        raise ImportError(f"{module_name} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _report(options: argparse.Namespace) -> int:
    from graphlens.api import report

    print(f"wrote {report(options.file, options.output)}")
    return 0


def _conformance(options: argparse.Namespace) -> int:
    """Run the standing check; ``-o FILE.json`` writes a baseline, any other file is an HTML page."""
    from graphlens.stages.conformance import conformance

    result = conformance(options.suite, only=options.only, against=options.against)
    print(result)
    if options.output and options.output.endswith(".json"):
        print(f"wrote {write_file(options.output, result.to_json())}")
    elif options.output:
        from graphlens.api import report

        print(f"wrote {report(result, options.output)}")
    return int(not result.ok)


def _emit(text: str, output: str | None) -> None:
    if output:
        print(f"wrote {write_file(output, text if text.endswith(chr(10)) else text + chr(10))}")
    else:
        print(text)


_RUN: dict[str, Callable[[argparse.Namespace], int]] = {
    "show": _show,
    "diff": _diff,
    "roundtrip": _roundtrip,
    "report": _report,
    "conformance": _conformance,
}
