"""The signature of a live ExportedProgram: inputs, outputs, module calls, pytree specs, ranges, versions."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.utils import _pytree as pytree

from graphlens.program.argument import Literal, argument_text
from graphlens.program.expr import canonical_expr
from graphlens.program.frozen import freeze
from graphlens.program.parts import InputSpec, ModuleSignature, OutputSpec, Range, Versions
from graphlens.program.pytree import leaf_paths
from graphlens.read.live_arguments import to_argument
from graphlens.read.live_names import object_text
from graphlens.read.live_torch import spec_children, versions_written

_TREESPEC_PROTOCOL = 1


def input_specs(program: torch.export.ExportedProgram, in_spec: str | None) -> tuple[InputSpec, ...]:
    """Convert input specs; user inputs get their place in the call."""
    specs = program.graph_signature.input_specs
    paths = iter(_paths(in_spec, sum(spec.kind.name == "USER_INPUT" for spec in specs), call=True))
    return tuple(
        InputSpec(
            kind=spec.kind.name.lower(),
            argument=_name(spec.arg),
            target=spec.target,
            persistent=spec.persistent,
            constant=_constant(spec.arg),
            path=next(paths, None) if spec.kind.name == "USER_INPUT" else None,
        )
        for spec in specs
    )


def output_specs(program: torch.export.ExportedProgram, out_spec: str | None) -> tuple[OutputSpec, ...]:
    """Convert output specs; user outputs get their place in the result."""
    specs = program.graph_signature.output_specs
    user = ("USER_OUTPUT", "LOSS_OUTPUT")
    paths = iter(_paths(out_spec, sum(spec.kind.name in user for spec in specs), call=False))
    return tuple(
        OutputSpec(
            kind=spec.kind.name.lower(),
            argument=_name(spec.arg),
            target=spec.target,
            constant=_constant(spec.arg),
            path=next(paths, None) if spec.kind.name in user else None,
        )
        for spec in specs
    )


def _paths(spec: str | None, count: int, *, call: bool) -> Sequence[str]:
    paths = leaf_paths(spec, call=call) if spec is not None else None
    return paths if paths is not None and len(paths) == count else ()


def _name(argument: Any) -> str:
    """Name of an argument spec; a constant output has none."""
    name = getattr(argument, "name", "")
    return name if isinstance(name, str) else ""


def _constant(argument: Any) -> Literal:
    value = getattr(argument, "value", None)
    return value if type(value) in (bool, int, float, complex, str) else None


def module_calls(program: torch.export.ExportedProgram) -> Iterator[ModuleSignature]:
    """Convert the module call graph."""
    for entry in program.module_call_graph:
        signature = entry.signature
        if signature is None:
            yield ModuleSignature(fqn=entry.fqn)
            continue
        names = signature.forward_arg_names
        yield ModuleSignature(
            fqn=entry.fqn,
            inputs=tuple(map(_spec_text, signature.inputs)),
            outputs=tuple(map(_spec_text, signature.outputs)),
            in_spec=spec_text(signature.in_spec),
            out_spec=spec_text(signature.out_spec),
            forward_arg_names=tuple(names) if names else None,
        )


def _spec_text(argument: Any) -> str:
    """Name of the node, or the constant as it is written."""
    if hasattr(argument, "value"):
        return argument_text(to_argument(argument.value, None))
    return _name(argument)


def spec_text(spec: Any) -> str | None:
    """Serialized text of a pytree spec as a file holds it; of an unregistered class in the same form, labelled.

    `torch.utils._pytree.treespec_dumps`, protocol 1 (torch 2.1 to 2.13).
    """
    if spec is None:
        return None
    try:
        return str(pytree.treespec_dumps(spec, _TREESPEC_PROTOCOL))
    except Exception:  # noqa: BLE001 - contexts are dumped by functions that users register
        return json.dumps([_TREESPEC_PROTOCOL, _labelled(spec)])


def _labelled(spec: Any) -> dict[str, Any]:
    """Take a spec apart the way `treespec_dumps` does, each unregistered class under its own name."""
    root: dict[str, Any] = {}
    stack = [(spec, root)]
    while stack:
        top, into = stack.pop()
        children = spec_children(top)
        inner: list[dict[str, Any]] = [{} for _ in children]
        leaf = top.type is None
        into["type"] = None if leaf else _class_name(top.type)
        into["context"] = None if leaf else _context_text(top.context)
        into["children_spec"] = inner
        stack.extend(zip(children, inner, strict=True))
    return root


def _class_name(kind: Any) -> str:
    return f"{kind.__module__}.{kind.__qualname__}" if isinstance(kind, type) else object_text(kind)


def _context_text(context: Any) -> str:
    if isinstance(context, list | tuple) and all(type(key) in (str, int) or _is_names(key) for key in context):
        return json.dumps(list(context))
    if context is None:
        return "null"
    return json.dumps(f"unregistered: {argument_text(to_argument(context, None))}")


def _is_names(obj: Any) -> bool:
    return isinstance(obj, list | tuple) and all(type(name) is str for name in obj)


def ranges_of(constraints: Mapping[Any, Any]) -> Mapping[str, Range]:
    """Convert range constraints; an infinite bound is `None`, a fractional one is rounded inward as files do."""
    return freeze(
        (canonical_expr(str(expr)), Range(_bound(limits.lower, up=True), _bound(limits.upper, up=False)))
        for expr, limits in constraints.items()
    )


def _bound(limit: Any, *, up: bool) -> int | float | None:
    if str(limit) in ("oo", "-oo", "int_oo", "-int_oo", "zoo", "nan"):
        return None
    try:
        number = float(limit)
        if number == int(limit):
            return int(limit)
        return math.ceil(number) if up else math.floor(number)
    except (TypeError, ValueError, OverflowError):
        return None


def versions_of(program: torch.export.ExportedProgram) -> Versions:
    """Versions that go with a live ExportedProgram: those that this torch would write."""
    schema, opset = versions_written()
    return Versions(
        torch=str(torch.__version__),
        schema=schema,
        opset=freeze(opset),
        verifiers=tuple(str(verifier.dialect) for verifier in program.verifiers),
        dialect=str(program.verifiers[0].dialect) if program.verifiers else None,
    )
