"""The signature of an archived program: inputs, outputs, module calls, ranges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Raw

from graphlens.program.argument import Argument, Literal, Opaque, Ref, argument_text
from graphlens.program.frozen import EMPTY, FrozenDict, freeze
from graphlens.program.parts import InputSpec, ModuleSignature, OutputSpec, Range
from graphlens.program.pytree import leaf_paths
from graphlens.program.roles import Where
from graphlens.read import schema
from graphlens.read.archive_arguments import to_argument, union
from graphlens.read.archive_decode import Reading, decode
from graphlens.read.archive_graph import value_name
from graphlens.read.archive_values import canonical
from graphlens.read.limits import brief

_KINDS = {"constant_input": "user_input", "tensor_constant": "constant_tensor"}
_KNOWN = {
    "user_input", "parameter", "buffer", "tensor_constant", "custom_obj", "token", "constant_input", "user_output",
    "loss_output", "buffer_mutation", "gradient_to_parameter", "gradient_to_user_input", "user_input_mutation",
    "parameter_mutation",
}  # fmt: skip
_USER_OUTPUTS = ("user_output", "loss_output")


class _Outside:
    """The scope of arguments outside any graph: constants only."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.refs: dict[str, Ref] = {}

    def undefined(self, name: str) -> Argument:
        return Opaque("value", name)

    def nested_graph(self, raw: Raw, where: Where) -> Argument:
        return Opaque("graph", f"{len(bytes(raw))} bytes of JSON at {where[0]}")


def input_specs(signature: schema.GraphSignature, in_spec: str | None, reading: Reading) -> tuple[InputSpec, ...]:
    """Convert input specs; user inputs get their place in the call."""
    found = [_spec(i, part, "input_specs", reading) for i, part in enumerate(signature.input_specs)]
    users = sum(kind == "user_input" for kind, *_ in found)
    paths = iter(_paths(in_spec, users, call=True))
    return tuple(
        InputSpec(
            kind=kind,
            argument=name,
            target=_target(spec),
            persistent=spec.persistent,
            constant=constant,
            path=next(paths, None) if kind == "user_input" else None,
        )
        for kind, name, constant, spec in found
    )


def output_specs(signature: schema.GraphSignature, out_spec: str | None, reading: Reading) -> tuple[OutputSpec, ...]:
    """Convert output specs; user outputs get their place in the result."""
    found = [_spec(i, part, "output_specs", reading) for i, part in enumerate(signature.output_specs)]
    users = sum(kind in _USER_OUTPUTS for kind, *_ in found)
    paths = iter(_paths(out_spec, users, call=False))
    return tuple(
        OutputSpec(
            kind=kind,
            argument=name,
            target=_target(spec),
            constant=constant,
            path=next(paths, None) if kind in _USER_OUTPUTS else None,
        )
        for kind, name, constant, spec in found
    )


def _paths(spec: str | None, count: int, *, call: bool) -> Sequence[str]:
    paths = leaf_paths(spec, call=call) if spec else None
    return paths if paths is not None and len(paths) == count else ()


def _spec(
    index: int, part: dict[str, schema.Spec], field: str, reading: Reading
) -> tuple[str, str, Literal, schema.Spec]:
    """Return kind, argument name and constant of one spec."""
    reading.graph, reading.node, reading.item = f"$.graph_module.signature.{field}[{index}]", -1, ""
    if len(part) != 1:
        raise reading.error(f"a union with {len(part)} members instead of one: {brief(', '.join(part))}")
    member, spec = next(iter(part.items()))
    if member not in _KNOWN:
        reading.notice(
            f"signature kind {brief(member)}", "", f"a kind of signature entry that is not known: {brief(member)}"
        )
    kind = _KINDS.get(member, member)
    if member == "constant_input":
        return kind, spec.name or "", _constant(spec.value, reading), spec
    if spec.arg == schema.ABSENT:
        return kind, "", None, spec
    if member in ("user_input", "user_output"):
        name = value_name(spec.arg, reading)
        if name is not None:
            return kind, name, None, spec
        constant = to_argument(spec.arg, _Outside(reading), 0)
        return kind, "", constant if isinstance(constant, bool | int | float | complex | str) else None, spec
    if member == "custom_obj":
        return kind, decode(spec.arg, schema.CustomObj, reading, ".arg").name, None, spec
    if member in _KNOWN:
        return kind, decode(spec.arg, schema.Named, reading, ".arg").name, None, spec
    return kind, "", None, spec


def _constant(raw: Raw, reading: Reading) -> Literal:
    """Return a `ConstantValue`, which is written like the literals among arguments."""
    if raw == schema.ABSENT:
        return None
    value = to_argument(raw, _Outside(reading), 0)
    return value if isinstance(value, bool | int | float | complex | str) else None


def _target(spec: schema.Spec) -> str | None:
    return (
        spec.parameter_name
        or spec.buffer_name
        or spec.tensor_constant_name
        or spec.custom_obj_name
        or spec.user_input_name
    )


def module_calls(entries: Sequence[schema.ModuleCallEntry], reading: Reading) -> Iterator[ModuleSignature]:
    """Convert the module call graph."""
    for i, entry in enumerate(entries):
        reading.graph, reading.node, reading.item = f"$.graph_module.module_call_graph[{i}]", -1, "signature"
        signature = entry.signature
        if signature is None:
            yield ModuleSignature(fqn=entry.fqn)
            continue
        names = signature.forward_arg_names
        yield ModuleSignature(
            fqn=entry.fqn,
            inputs=tuple(_argument_text(raw, reading) for raw in signature.inputs),
            outputs=tuple(_argument_text(raw, reading) for raw in signature.outputs),
            in_spec=signature.in_spec,
            out_spec=signature.out_spec,
            forward_arg_names=tuple(names) if names else None,
        )


def _argument_text(raw: Raw, reading: Reading) -> str:
    """Return the name of a node, or the constant as it is written."""
    if union(raw, reading)[0] != "as_custom_obj":
        name = value_name(raw, reading)
        if name is not None:
            return name
    return argument_text(to_argument(raw, _Outside(reading), 0))


def ranges(constraints: dict[str, schema.RangeConstraint]) -> FrozenDict[str, Range]:
    """Convert range constraints; a bound that is missing or infinite is `None`."""
    if not constraints:
        return EMPTY
    return freeze((canonical(name), Range(_bound(c.min_val), _bound(c.max_val))) for name, c in constraints.items())


def _bound(limit: int | schema.Float | None) -> int | float | None:
    if isinstance(limit, str) or limit is None or limit - limit != 0:
        return None
    return int(limit) if limit == int(limit) else limit
