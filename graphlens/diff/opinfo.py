"""What torch's operator registry says about an operator, without torch: schema, aliases, writes, randomness.

The table is written by ``tools/make_opinfo.py`` from the registry of one torch release. An operator that it does not
hold (a custom one, a newer one) has no `OpInfo` unless the program brings the schema along; whoever asks then has to
assume the worst.
"""

from __future__ import annotations

import ast
import gzip
import re
from collections.abc import Mapping
from functools import cache, cached_property, lru_cache
from importlib.resources import files
from typing import Final

import msgspec
from msgspec import Struct

from graphlens.program.argument import Argument, Const, Seq


class Missing(Struct, frozen=True, gc=False):
    """Stands where a parameter has no default."""


MISSING: Final = Missing()
_LONGEST_DEFAULT = 200
_LONGEST_SCHEMA = 100_000


class Parameter(Struct, frozen=True):
    """One parameter of a schema. `alias` is its alias set (``a`` in ``Tensor(a!)``), `writes` whether it is mutated."""

    name: str
    type: str
    default: Argument | Missing = MISSING
    keyword_only: bool = False
    alias: str = ""
    writes: bool = False


class OpInfo(Struct, frozen=True, dict=True):
    """One operator: its parameters, which of them the results may share storage with, and the registry's flags.

    `flags` are letters: ``s`` draws random numbers, ``m`` may alias or mutate without saying so in the schema,
    ``e`` has an effect besides its results, ``d`` its result depends on data. `builtin` tells torch's own operators.
    """

    parameters: tuple[Parameter, ...]
    aliased: tuple[int, ...]
    written: tuple[int, ...]
    flags: str = ""
    builtin: bool = True

    @cached_property
    def index(self) -> Mapping[str, int]:
        """Position of each parameter by name."""
        return {parameter.name: i for i, parameter in enumerate(self.parameters)}


class _Table(Struct):
    torch: str
    ops: dict[str, tuple[str, str]]


@lru_cache(maxsize=1)
def _table() -> _Table:
    raw = files("graphlens.diff").joinpath("opinfo.json.gz").read_bytes()
    return msgspec.json.decode(gzip.decompress(raw), type=_Table)


def table_version() -> str:
    """Return the torch release whose registry the table describes."""
    return _table().torch


def operators() -> tuple[str, ...]:
    """Return the targets that the table holds, sorted."""
    return tuple(_table().ops)


@cache
def packets() -> frozenset[str]:
    """Return the names of the operators that the table holds, without their overloads."""
    return frozenset(target.rpartition(".")[0] for target in _table().ops)


@cache
def lookup(target: str) -> OpInfo | None:
    """Return what the table knows about a target such as ``aten.add.Tensor``; `None` if it does not hold it."""
    entry = _table().ops.get(target)
    return parse_schema(entry[0], entry[1]) if entry else None


@lru_cache(maxsize=4096)
def lookup_schema(schema: str) -> OpInfo | None:
    """Return what a schema text says (``myns::op(Tensor x) -> Tensor``); `None` if it cannot be parsed."""
    start = schema.find("(")
    if start < 0 or len(schema) > _LONGEST_SCHEMA:
        return None
    try:
        return parse_schema(schema[start:], "", builtin=False)
    except (ValueError, SyntaxError):
        return None


def find(target: str, schemas: Mapping[str, str]) -> OpInfo | None:
    """Look a target up in the table, then among the schemas that a program brought along."""
    known = lookup(target)
    if known is None and target in schemas:
        return lookup_schema(schemas[target])
    return known


_ALIAS = re.compile(r"\(([a-z*](?:\|[a-z])*)(!?)(?:\s*->\s*([a-z*|]+))?\)")
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"')


def parse_schema(schema: str, flags: str = "", *, builtin: bool = True) -> OpInfo:
    """Parse ``(Tensor(a!) self, Tensor other, *, Scalar alpha=1) -> Tensor(a!)``.

    Raises
    ------
    ValueError
        If the text is no schema.
    """
    end = _closing(schema, 0)
    parameters: list[Parameter] = []
    keyword_only = False
    for text in _split(schema[1:end]):
        if text == "*":
            keyword_only = True
        elif text and text != "...":
            parameters.append(_parameter(text, keyword_only=keyword_only))
    returned = {name for found in _ALIAS.finditer(schema[end + 1 :]) for name in found[1].split("|")}
    aliased = tuple(
        i
        for i, parameter in enumerate(parameters)
        if parameter.alias and (parameter.alias == "*" or parameter.alias in returned)
    )
    written = tuple(i for i, parameter in enumerate(parameters) if parameter.writes)
    if not written and schema[end + 1 :].replace(" ", "") == "->()" and "e" not in flags:
        flags += "e"  # it gives nothing and writes nothing, so it is there for an effect
    return OpInfo(tuple(parameters), aliased, written, flags, builtin)


def _parameter(text: str, *, keyword_only: bool) -> Parameter:
    declaration, default = text, ""
    masked = _QUOTED.sub(lambda found: "_" * len(found[0]), text)
    equal = masked.find("=")
    if equal >= 0:
        declaration, default = text[:equal], text[equal + 1 :].strip()
    kind, _, name = declaration.strip().rpartition(" ")
    if not kind:
        raise ValueError(f"no parameter: {text!r}")
    alias = _ALIAS.search(kind)
    return Parameter(
        name,
        _ALIAS.sub("", kind),
        _default(default) if default else MISSING,
        keyword_only,
        alias[1].partition("|")[0] if alias else "",
        bool(alias and alias[2]),
    )


def _default(text: str) -> Argument | Missing:
    named: dict[str, Argument] = {"None": None, "True": True, "False": False}
    if text in named:
        return named[text]
    if len(text) > _LONGEST_DEFAULT:  # schemas of custom operators come from archives
        return Const("type", text)
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return Const("type", text)
    if isinstance(value, list):
        return Seq("list", tuple(value))
    return value if isinstance(value, int | float | complex | str) else Const("type", text)


def _closing(text: str, start: int) -> int:
    depth = 0
    for i, char in enumerate(_QUOTED.sub(lambda found: "_" * len(found[0]), text)):
        if i >= start:
            depth += (char == "(") - (char == ")")
            if depth == 0:
                return i
    raise ValueError(f"unbalanced schema: {text!r}")


def _split(text: str) -> list[str]:
    """Split at the commas outside brackets and quotes."""
    masked = _QUOTED.sub(lambda found: "_" * len(found[0]), text)
    parts, depth, start = [], 0, 0
    for i, char in enumerate(masked):
        depth += (char in "([") - (char in ")]")
        if char == "," and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    return [*parts, text[start:].strip()]
