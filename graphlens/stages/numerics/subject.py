"""What can be run side by side: a captured program with its weights, and the value of each of its placeholders."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from msgspec import Struct
from torch import fx
from torch.utils import _pytree as pytree

from graphlens.errors import StageError
from graphlens.program.program import Program
from graphlens.stages.numerics.writes import written_leaves
from graphlens.stages.tree import clone_inputs, is_hollow, realize

_SMALL = 1 << 18
"""Elements of a buffer up to which it is copied in any case: kernels have written where no schema says so."""


class Subject(Struct, frozen=True, kw_only=True):
    """One side: what was given, its graphs as data, and the module whose graph is run."""

    source: Any
    program: Program
    module: Any

    @property
    def exported(self) -> bool:
        """Whether it is an ExportedProgram, whose weights are placeholders."""
        return isinstance(self.source, torch.export.ExportedProgram)


def subject_of(source: Any, side: str) -> Subject:
    """Make a subject of an ExportedProgram, a GraphModule or a ``.pt2`` (which is loaded, for it is to be run).

    Raises
    ------
    StageError
        It cannot be run: a Program is data, a plain module has no graph.
    """
    from graphlens.read import read

    if isinstance(source, str | os.PathLike) or callable(getattr(source, "read", None)):
        source = torch.export.load(source)
    if isinstance(source, torch.export.ExportedProgram):
        return Subject(source=source, program=read(source), module=source.graph_module)
    if isinstance(source, torch.nn.Module) and isinstance(getattr(source, "graph", None), fx.Graph):
        return Subject(source=source, program=read(source), module=source)
    raise StageError(f"{side} is a {type(source).__name__} and cannot be run; {_advice(source)}")


def _advice(source: Any) -> str:
    if isinstance(source, Program):
        return "give the ExportedProgram, GraphModule or .pt2 that it was read from"
    if isinstance(source, torch.nn.Module):
        return "export it with torch.export.export(module, args) first"
    return "give an ExportedProgram, a GraphModule or the path of a .pt2"


def example_inputs(*subjects: Subject) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """The example inputs of the first program that has some; none otherwise."""
    for subject in subjects:
        found = getattr(subject.source, "example_inputs", None)
        if found:
            return tuple(found[0]), dict(found[1])
    return (), {}


def placeholder_values(subject: Subject, args: tuple[Any, ...], kwargs: Mapping[str, Any], side: str) -> dict[str, Any]:
    """Bind one call to the placeholders of the root graph, by node name.

    Inputs are copies; a weight is the program's own tensor unless the graph may write to it, or it is a small buffer. Nothing requires a gradient, so
    that a run keeps nothing for a backward pass. Fake inputs are made real.

    Raises
    ------
    StageError
        The inputs do not fit the program, or its weights have no elements.
    """
    args, kwargs = clone_inputs(*realize((args, dict(kwargs))))
    nodes = [node for node in subject.module.graph.nodes if node.op == "placeholder"]
    try:
        flat = list(_flat_values(subject, nodes, args, kwargs))
    except (ValueError, TypeError, KeyError, RuntimeError, AssertionError) as error:
        raise StageError(f"the inputs do not fit {side}: {_first_line(error)}") from error
    if len(flat) != len(nodes):
        raise StageError(
            f"the inputs do not fit {side}: it has {len(nodes)} placeholders, and {len(flat)} values are given"
        )
    written = written_leaves(subject.module)
    values = {}
    for node, (value, own) in zip(nodes, flat, strict=True):
        if is_hollow(value):
            raise StageError(f"{side} has no elements for {node.name}: its weights are fake or on the meta device")
        small = (
            own
            and isinstance(value, torch.Tensor)
            and not isinstance(value, torch.nn.Parameter)
            and value.numel() <= _SMALL
        )
        values[node.name] = settled(value, copy=own and (small or node.name in written))
    return values


def settled(value: Any, *, copy: bool) -> Any:
    """Return tensors without gradient, copied where asked for; anything else as it is."""
    if not isinstance(value, torch.Tensor):
        return value
    value = value.detach()
    return value.clone() if copy else value


def _flat_values(
    subject: Subject, nodes: list[fx.Node], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Iterator[tuple[Any, bool]]:
    """Yield `(value, whether it is the program's own)` for each placeholder in order."""
    if subject.exported:
        flat = iter(_flat_call(subject.source.call_spec.in_spec, args, kwargs))
        for spec in subject.source.graph_signature.input_specs:
            kind = spec.kind.name
            if kind == "USER_INPUT":
                yield next(flat), False
            elif kind == "TOKEN":
                yield torch.empty(0), True
            else:
                yield _stored(subject.source, spec), True
        if next(flat, None) is not None:
            raise ValueError("more inputs than the program has")
        return
    codegen = subject.module.graph._codegen  # noqa: SLF001 - where FX keeps a graph's calling convention (torch 1.12 to 2.13)
    in_spec = getattr(getattr(codegen, "pytree_info", None), "in_spec", None)
    if in_spec is not None:
        values = _flat_call(in_spec, args, kwargs) if in_spec.num_children == 2 else pytree.tree_leaves(args)
        yield from ((value, False) for value in values)
        return
    rest = iter(args)
    for node in nodes:
        default = node.args[0] if node.args else _MISSING
        value = kwargs.get(str(node.target), _MISSING)
        value = next(rest, default) if value is _MISSING else value
        if value is _MISSING:
            raise ValueError(f"no value for {node.target}")
        yield value, False
    if next(rest, _MISSING) is not _MISSING:
        raise ValueError(f"it takes {len(nodes)} inputs, and {len(args)} are given")


_MISSING = object()


def _flat_call(in_spec: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Any]:
    """Flatten a call the way `ExportedProgram.__call__` does (`reorder_kwargs`, torch 2.3 to 2.13).

    Constraints on the inputs are not checked: a run shows what they do.
    """
    from torch.export._tree_utils import reorder_kwargs

    ordered = reorder_kwargs(dict(kwargs), in_spec) if in_spec is not None and kwargs else dict(kwargs)
    flat: list[Any]
    flat, spec = pytree.tree_flatten((args, ordered))
    if in_spec is not None and spec.num_leaves != in_spec.num_leaves:
        raise ValueError(f"the program was captured for {in_spec.num_leaves} inputs, and {spec.num_leaves} are given")
    return flat


def _stored(program: Any, spec: Any) -> Any:
    for table in (program.state_dict, program.constants, program.graph_module.state_dict()):
        if spec.target in table and not (spec.persistent is False and table is program.state_dict):
            return table[spec.target]
    raise KeyError(f"the program has no {spec.target}")


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__
