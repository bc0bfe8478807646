"""One argparse parser behind the command line and the magic, so that a flag means the same in both."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from graphlens.errors import GraphLensError

SEVERITIES = ("wrong_result", "breaks_pass", "debug_info", "cosmetic")
"""Worst first."""

Parser = argparse.ArgumentParser


def build_parser(door: str, parser_class: type[Parser] = Parser) -> Parser:
    """Make the parser of one door: ``"cli"`` (sources are files), ``"magic"`` (names or files), ``"cell"`` (a cell's code)."""
    prog = {"cli": "graphlens", "cell": "%%graphlens"}.get(door, "%graphlens")
    parser = parser_class(prog=prog, description="The lens for PyTorch graphs.", allow_abbrev=False)
    if door == "cli":
        from graphlens.version import __version__

        parser.add_argument("--version", action="version", version=f"graphlens {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=parser_class)
    for name, help_text, add in _COMMANDS[door]:
        sub = commands.add_parser(name, help=help_text, description=help_text, allow_abbrev=False)
        add(sub, door)
        if door != "cli":
            sub.add_argument("-o", "--output", metavar="NAME", help="store the result under this name")
            sub.add_argument("--html", metavar="FILE", help="write an HTML report too")
    return parser


def reaches(worst: str | None, threshold: str) -> bool:
    """Whether severity `worst` is at or above `threshold` (``"never"`` is above all)."""
    if worst is None or threshold == "never":
        return False
    return SEVERITIES.index(worst) <= SEVERITIES.index(threshold)


def _source(parser: Parser, name: str, door: str) -> None:
    kind = "a .pt2 file" if door == "cli" else "a name, or a .pt2 file"
    parser.add_argument(name, metavar=name.upper(), help=kind)


def _output(parser: Parser, door: str, *, required: bool = False) -> None:
    if door == "cli":
        parser.add_argument("-o", "--output", metavar="FILE", required=required, help="write here instead of printing")


def _fail_on(parser: Parser, default: str) -> None:
    choices = (*SEVERITIES, "never")
    parser.add_argument(
        "--fail-on", choices=choices, default=default, help=f"exit with 1 from this severity on (default {default})"
    )


def _show(parser: Parser, door: str) -> None:
    _source(parser, "file", door)
    parser.add_argument("--model", metavar="NAME", help="which model of an archive that holds several")
    parser.add_argument(
        "--find", metavar="QUERY", help="only the nodes that a query selects, such as 'op:linear dtype:bf16'"
    )
    parser.add_argument(
        "--depth",
        type=_natural,
        metavar="N",
        help="how many levels of modules and nested graphs (default all; 1 for svg)",
    )
    parser.add_argument("--format", choices=("text", "dot", "svg", "json"), default="text")
    _output(parser, door)


def _view(parser: Parser, door: str) -> None:
    _source(parser, "source", door)
    parser.add_argument(
        "--expand", type=_natural, default=1, metavar="N", help="levels that stand open at first (default 1)"
    )


def _diff(parser: Parser, door: str) -> None:
    _source(parser, "a", door)
    _source(parser, "b", door)
    repeated: dict[str, Any] = {"action": "append", "default": []}
    parser.add_argument(
        "--profile",
        choices=("all", "pytorch"),
        default="all",
        help="all: every field (default); pytorch: the contract of PyTorch's own serialization test",
    )
    parser.add_argument(
        "--ignore", **repeated, metavar="FIELD", help="leave this field out (stack_trace, 'val.*'); may be repeated"
    )
    parser.add_argument(
        "--severity",
        **repeated,
        metavar="FIELD=SEVERITY",
        help=f"judge a field otherwise: {', '.join(SEVERITIES)}; may be repeated",
    )
    parser.add_argument(
        "--pin",
        **repeated,
        metavar="A=B",
        help="node A of the first is node B of the second ('cond.true_fn/add=cond.true_fn/add_1'); may be repeated",
    )
    parser.add_argument(
        "--stack-trace",
        choices=("exact", "no lines", "user"),
        default="exact",
        help="no lines: line numbers do not count; user: frames of torch itself do not count (default exact)",
    )
    parser.add_argument(
        "--weights",
        choices=("digest", "exact", "ignore"),
        default="digest",
        help="digest trusts sizes and checksums, exact compares bytes, ignore leaves weights out (default digest)",
    )
    if door == "cli":
        parser.add_argument("--format", choices=("text", "json", "markdown", "junit", "html"), default="text")
        _fail_on(parser, "cosmetic")
    _output(parser, door)


def diff_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return what `graphlens.diff` is to be called with besides its two sources.

    Raises
    ------
    GraphLensError
        A `--pin` or `--severity` without its ``=``.
    """
    return {
        "profile": options.profile,
        "ignore": tuple(options.ignore),
        "severities": dict(_pair("--severity", text, "FIELD=SEVERITY") for text in options.severity),
        "pins": tuple(_pair("--pin", text, "A=B") for text in options.pin),
        "stack_trace": options.stack_trace,
        "weights": options.weights,
    }


def _pair(option: str, text: str, form: str) -> tuple[str, str]:
    left, equals, right = text.rpartition("=")
    if not equals or not left or not right:
        raise GraphLensError(f"{option} {text!r} is not {form}")
    return left.strip(), right.strip()


def _roundtrip(parser: Parser, door: str) -> None:
    if door == "cli":
        parser.add_argument(
            "model", metavar="MODULE:FACTORY", help="FACTORY() gives (model, args) or (model, args, kwargs)"
        )
        _fail_on(parser, "wrong_result")
    else:
        parser.add_argument("model", metavar="MODEL", help="a name")
        parser.add_argument("args", metavar="ARG", nargs="*", help="names of the positional inputs")
    parser.add_argument("--strict", action="store_true", help="export with strict=True")
    parser.add_argument("--stages", metavar="A,B", help="stages to run, separated by commas")
    parser.add_argument("--runtimes", metavar="A,B", help="runtimes to compare, separated by commas")
    _output(parser, door)


def _numerics(parser: Parser, door: str) -> None:
    _source(parser, "a", door)
    _source(parser, "b", door)
    parser.add_argument("args", metavar="ARG", nargs="*", help="names of the inputs; k=NAME for a keyword")
    parser.add_argument("--seed", type=_natural, default=0, metavar="N", help="for random numbers (default 0)")


def _capture(parser: Parser, _door: str) -> None:
    parser.add_argument("--aot", action="store_true", help="keep AOTAutograd's graphs too")


def _report(parser: Parser, door: str) -> None:
    _source(parser, "file", door)
    _output(parser, door, required=True)


def _conformance(parser: Parser, door: str) -> None:
    parser.add_argument("--suite", choices=("hop_db", "export_db", "all"), default="all")
    parser.add_argument("--only", action="append", default=[], metavar="CASE", help="only this case; may be repeated")
    parser.add_argument("--against", metavar="FILE", help="a baseline, written before with -o FILE.json")
    _output(parser, door)


def _natural(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return number


_COMMANDS: dict[str, list[tuple[str, str, Callable[[Any, str], None]]]] = {
    "cli": [
        ("show", "Print a program: as text, DOT, SVG or JSON.", _show),
        ("diff", "Compare two programs.", _diff),
        ("roundtrip", "Export, decompose, save and load a model, and compare.", _roundtrip),
        ("report", "Write a self-contained HTML report.", _report),
        ("conformance", "Put this torch's own samples through the round trip.", _conformance),
    ],
    "magic": [
        ("view", "Show a program, diff or round trip as a widget.", _view),
        ("diff", "Compare two programs.", _diff),
        ("roundtrip", "Export, decompose, save and load a model, and compare.", _roundtrip),
        ("numerics", "Run two programs side by side and name the first node that departs.", _numerics),
    ],
    "cell": [
        ("capture", "Record what torch.compile does while the cell runs.", _capture),
    ],
}
