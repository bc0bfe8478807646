r"""The search language of the command line and the viewer: words, regular expressions, and ``field:value``.

Terms are separated by spaces and all must hold; ``-term`` must not. A term is a word (found anywhere in name, target,
module or value, ignoring case), ``/regex/`` (Python syntax, case ignored by the engine's flag so that ``\S`` stays
``\S``), a ``"quoted phrase"``, or ``field:value`` with the fields of `FIELDS`; any other field is looked up in the node's
metadata. `js/src/query.ts` speaks the same language.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeAlias

from graphlens.errors import GraphLensError
from graphlens.program.argument import argument_text
from graphlens.program.frames import frame_text, parse_stack_trace, user_frame
from graphlens.program.graph import Node
from graphlens.program.program import Program
from graphlens.program.value import SHORT_DTYPES, TensorValue, value_leaves, value_text

Test: TypeAlias = Callable[[str, Node], bool]

_PATTERN_SIGN = re.compile(r"[\[\](){}*+?|^$\\]|^/|/$")
_OWN_SIGNS = ("shape", "value", "arg", "source", "type")
"""Fields whose texts are full of brackets."""
_FIELD = re.compile(r"^([A-Za-z_][A-Za-z0-9_.]*):(.+)$", re.DOTALL)


def find(program: Program, query: str) -> Iterator[tuple[str, Node]]:
    """Yield `(graph path, node)` for every node that a query selects, in the program's order.

    Raises
    ------
    GraphLensError
        The query cannot be parsed: an unclosed quote or bracket, a broken regular expression, a field without a value.
    """
    test = compile_query(query)
    return ((path, node) for path, node in program.walk() if test(path, node))


def compile_query(query: str) -> Test:
    """Turn a query into a test of `(graph path, node)`; the empty query selects everything."""
    tests = [_term(term) for term in _split(query)]
    return lambda path, node: all(test(path, node) for test in tests)


def hint(program: Program, query: str) -> str:
    """Say why a query that found nothing may be another than was meant; ``""`` where nothing speaks for it."""
    for term in map(_positive, _split(query)):
        field = _FIELD.match(term)
        name, value = (field[1].lower(), field[2]) if field else ("", term)
        if name and name not in FIELDS and not any(_has(node, name) for _, node in program.walk()):
            return f"{name!r} is no field, and no node has such metadata; fields are {', '.join(FIELDS)}"
        if name not in _OWN_SIGNS and not _is_regex(value) and _PATTERN_SIGN.search(value):
            return f"{term!r} is looked for as it is written; a regular expression stands between slashes, {name and name + ':'}/…/"
    return ""


def _positive(term: str) -> str:
    return term[1:] if len(term) > 1 and term.startswith("-") else term


def _has(node: Node, key: str) -> bool:
    return any(name.lower() == key for name in node.meta)


def _split(query: str) -> list[str]:
    lexer = shlex.shlex(query, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters, lexer.escape, lexer.quotes = True, "", "", '"'
    try:
        return list(lexer)
    except ValueError as error:
        raise GraphLensError(f"query {query!r}: {error}; close the quote") from error


def _term(term: str) -> Test:
    if len(term) > 1 and term.startswith("-"):
        inner = _term(term[1:])
        return lambda path, node: not inner(path, node)
    if term[:-1].lower() in FIELDS and term.endswith(":"):
        raise GraphLensError(f"query: {term!r} has no value; write it behind the colon, without a blank")
    if _is_regex(term):
        pattern = _regex(term[1:-1])
        return lambda path, node: any(pattern.search(text) for text in _texts(path, node))
    field = _FIELD.match(term)
    if field:
        return _field_test(field[1].lower(), field[2])
    word = term.lower()
    return lambda path, node: any(word in text.lower() for text in _texts(path, node))


def _regex(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text, re.IGNORECASE)
    except re.error as error:
        raise GraphLensError(f"query: /{text}/ is no regular expression: {error}") from error


def _texts(path: str, node: Node) -> tuple[str, ...]:
    return (node.name, node.target, node.module, value_text(node.value), path)


def _field_test(field: str, value: str) -> Test:
    wanted = value.lower()
    if field == "shape" and not _is_regex(value) and value.startswith("[") != value.endswith("]"):
        raise GraphLensError(f"query: shape:{value} is no shape; write shape:[2,*,64], or one size")
    if _is_regex(value):
        matches: Callable[[str], bool] = partial(_searched, _regex(value[1:-1]))
    elif field in ("shape", "dtype"):
        matches = partial(_same_shape if field == "shape" else _same_dtype, wanted)
    else:
        matches = partial(_contained, wanted)
    texts = FIELDS.get(field) or partial(_metadata, field)
    return lambda path, node: any(matches(text) for text in texts(path, node))


def _is_regex(text: str) -> bool:
    return len(text) > 2 and text.startswith("/") and text.endswith("/")


def _searched(pattern: re.Pattern[str], text: str) -> bool:
    return pattern.search(text) is not None


def _contained(wanted: str, text: str) -> bool:
    return wanted in text.lower()


def _same_dtype(wanted: str, text: str) -> bool:
    return wanted.removeprefix("torch.") in (text, SHORT_DTYPES.get(text, text))


def _same_shape(wanted: str, text: str) -> bool:
    """A bare number or symbol is one of the sizes; a list is the whole shape, with ``*`` for any size."""
    sizes = [size.strip() for size in text.lower().split(";")] if text else []
    if not wanted.startswith("["):
        return wanted in sizes
    pattern = [size.strip() for size in wanted.strip("[]").split(",")] if wanted.strip("[]") else []
    return len(sizes) == len(pattern) and all(p in ("*", s) for p, s in zip(pattern, sizes, strict=True))


def _tensors(node: Node) -> Iterator[TensorValue]:
    return (leaf for _, leaf in value_leaves(node.value) if isinstance(leaf, TensorValue))


def _metadata(key: str, _path: str, node: Node) -> Iterator[str]:
    for name, value in node.meta.items():
        if name.lower() == key:
            yield (
                value
                if isinstance(value, str)
                else argument_text(value)
                if not isinstance(value, tuple)
                else str(value)
            )


def _source(_path: str, node: Node) -> Iterator[str]:
    frame = user_frame(node.stack_trace)
    if frame is not None:
        yield frame_text(frame)
    for other in parse_stack_trace(node.stack_trace or ""):
        yield f"{other.file}:{other.line} {other.function} {other.text}"


FIELDS: dict[str, Callable[[str, Node], Iterator[str]]] = {
    "name": lambda _path, node: iter((node.name,)),
    "op": lambda _path, node: iter((node.op, node.target)),
    "target": lambda _path, node: iter((node.target,)),
    "module": lambda _path, node: iter(call.call for call in node.module_stack),
    "type": lambda _path, node: iter(call.type for call in node.module_stack),
    "graph": lambda path, _node: iter((path or "root",)),
    "shape": lambda _path, node: (";".join(map(str, value.shape)) for value in _tensors(node)),
    "dtype": lambda _path, node: (value.dtype for value in _tensors(node)),
    "device": lambda _path, node: (value.device or "" for value in _tensors(node)),
    "value": lambda _path, node: iter((value_text(node.value),)),
    "arg": lambda _path, node: (argument_text(argument) for argument in (*node.args, *node.kwargs.values())),
    "source": _source,
}
"""Field name to the texts of a node that it looks at."""
