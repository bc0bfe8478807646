"""The arguments of a Python call by the names of an operator's schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from graphlens.diff.dialect.indexing import ValueOf
from graphlens.diff.dialect.words import ONLY_PYTHON, RENAMED
from graphlens.diff.opinfo import MISSING, OpInfo, Parameter
from graphlens.program.argument import Argument, Const, Ref, Seq, same_argument
from graphlens.program.graph import Node
from graphlens.program.value import TensorValue

Given = Mapping[str, Argument]


def conversion(node: Node, info: OpInfo) -> Given | None:
    """Read ``x.to(...)``, whose arguments tell by their kinds what they are."""
    found: dict[str, Argument] = {}
    flags = iter(("non_blocking", "copy"))
    for i, value in enumerate(node.args):
        if i == 0:
            name = "self"
        elif isinstance(value, Const) and value.kind in ("dtype", "device", "memory_format"):
            name = value.kind
        elif isinstance(value, bool):
            name = next(flags, "")
        else:
            name = "other" if isinstance(value, Ref) else "device"
        found[name] = value
    found |= {RENAMED.get(name, name): value for name, value in node.kwargs.items()}
    order = [*info.index, *(name for name in found if name not in info.index)]
    return {name: found[name] for name in order if name in found}


def bind(node: Node, info: OpInfo, names: tuple[str, ...], *, variadic: bool = False) -> Given | None:
    """Bind positional arguments and keywords; `None` where one has no parameter, or a parameter no argument."""
    args = _gathered(node.args, info) if variadic else node.args
    positional = names or tuple(p.name for p in info.parameters if not p.keyword_only)
    if len(args) > len(positional):
        if names or args[len(positional) :] != (False,):
            return None  # a trailing False is `inplace` of a function that is nothing but its operator
        args = args[: len(positional)]
    found: dict[str, Argument] = {}
    for name, value in (*zip(positional, args, strict=False), *node.kwargs.items()):
        quiet = ONLY_PYTHON.get(name)
        if quiet is not None and name not in info.index:
            if not any(same_argument(value, each) for each in quiet):  # type: ignore[arg-type]
                return None
            continue
        known = name if name in info.index else RENAMED.get(name, "")
        if known not in info.index or known in found:
            return None
        if value is None and not _optional(info.parameters[info.index[known]]):
            continue  # a function in Python fills it in
        found[known] = value
    if any(p.default is MISSING and p.name not in found and not _unsaid(p) for p in info.parameters):
        return None
    return {name: found[name] for name in info.index if name in found}


def _unsaid(parameter: Parameter) -> bool:
    """Whether Python's callers need not give a parameter without a default: which kernels may be used is a setting."""
    return parameter.type.endswith("?") or parameter.name == "cudnn_enabled"


def _optional(parameter: Parameter) -> bool:
    return parameter.type.endswith("?") or parameter.default is MISSING


def _gathered(args: tuple[Argument, ...], info: OpInfo) -> tuple[Argument, ...]:
    """Put sizes that were given one by one into the list that the operator takes."""
    at = next((i for i, p in enumerate(info.parameters) if _is_list(p)), None)
    if at is None or len(args) <= at or isinstance(args[at], Seq):
        return args
    end = next((i for i in range(at, len(args)) if not _is_number(args[i])), len(args))
    return (*args[:at], Seq("list", args[at:end]), *args[end:]) if end > at else args


def _is_list(parameter: Parameter) -> bool:
    return parameter.type.startswith(("SymInt[", "int["))


def _is_number(argument: Argument) -> bool:
    return (
        type(argument) is int or isinstance(argument, Ref) or (isinstance(argument, Const) and argument.kind == "sym")
    )


_ACCEPTS: Mapping[str, Callable[[Argument], bool]] = {
    "int": lambda x: type(x) is int,
    "SymInt": _is_number,
    "bool": lambda x: type(x) is bool,
    "float": lambda x: type(x) in (int, float),
    "ScalarType": lambda x: isinstance(x, Const) and x.kind == "dtype",
    "Device": lambda x: isinstance(x, str) or (isinstance(x, Const) and x.kind == "device"),
    "str": lambda x: isinstance(x, str),
    "Layout": lambda x: isinstance(x, Const) and x.kind == "layout",
}


def fits(bound: Given, info: OpInfo, value_of: ValueOf) -> bool:
    """Whether arguments are of the kinds that the parameters take, as far as that tells overloads apart."""
    for name, value in bound.items():
        if name not in info.index:
            continue  # of a conversion, whose overloads differ in what they take and not in what they do
        kind = info.parameters[info.index[name]].type
        base = kind.removesuffix("?")
        if value is None and kind.endswith("?"):
            continue
        number = isinstance(value, Ref) and (base == "SymInt" or _is_symbol(value_of, value))
        if base in _ACCEPTS and not (_ACCEPTS[base](value) or number):
            return False
        if "[" in base and not isinstance(value, Seq) and not (_is_number(value) and base[-2:-1].isdigit()):
            return False
        tensor = isinstance(value, Ref) and not _is_symbol(value_of, value)
        if base == "Tensor" and not (isinstance(value, Ref) or type(value) in (int, float, bool, complex)):
            return False
        if base == "Scalar" and tensor:
            return False
    return True


def _is_symbol(value_of: ValueOf, argument: Ref) -> bool:
    value = value_of(argument.node)
    return value is not None and not isinstance(value, TensorValue)
