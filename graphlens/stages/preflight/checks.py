"""The checks, each a function from an ExportedProgram to problems. Checked on torch 2.13."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree

from graphlens.program.frames import frame_text, user_frame
from graphlens.stages.failure import failure_of
from graphlens.stages.preflight.result import CHANGE, LOAD, NEEDS, SAVE, Problem
from graphlens.stages.tree import is_hollow

_COPY = "keep a contiguous copy: tensor.clone(memory_format=torch.contiguous_format)"


def nodes_that_cannot_be_saved(program: ExportedProgram) -> Iterator[Problem]:
    """Give each node to torch's own serializer."""
    try:
        from torch._export.serde.serialize import GraphModuleSerializer
    except ImportError:
        return
    serializer = GraphModuleSerializer(program.graph_signature, program.module_call_graph)
    for node in program.graph.nodes:
        try:
            getattr(serializer, f"handle_{node.op}")(node)
        except Exception as error:  # noqa: BLE001 - whatever torch raises is what save would raise
            failure = failure_of(error)
            advice = failure.hint or "change what the op is given, or keep the program in memory"
            yield Problem(_place(node), SAVE, f"{failure.type}: {failure.cause}", advice)


def graph_is_valid(program: ExportedProgram) -> Iterator[Problem]:
    """Run the verifier that save runs first."""
    try:
        program.validate()
    except Exception as error:  # noqa: BLE001
        failure = failure_of(error)
        yield Problem(
            failure.node or "program", SAVE, f"{failure.type}: {failure.cause}", failure.hint or "repair the graph"
        )


def containers_are_registered(program: ExportedProgram) -> Iterator[Problem]:
    """Write the structures of inputs and outputs as save does, and list the classes that a loader must know."""
    spec = program.call_spec
    for where, tree in (("inputs", spec.in_spec), ("outputs", spec.out_spec)):
        if tree is None:
            continue
        try:
            pytree.treespec_dumps(tree)
        except Exception as error:  # noqa: BLE001
            failure = failure_of(error)
            advice = "register the class with a serialized_type_name (torch.export.register_dataclass does)"
            yield Problem(where, SAVE, f"{failure.type}: {failure.cause}", advice)
            continue
        for kind in sorted(_classes(tree), key=str):
            yield Problem(
                where,
                NEEDS,
                f"{kind.__module__}.{kind.__qualname__} is one of their containers",
                "register the class there too, before torch.export.load",
            )


def _classes(tree: Any) -> set[type]:
    found, stack = set(), [tree]
    while stack:
        top = stack.pop()
        stack.extend(top.children() if callable(getattr(top, "children", None)) else getattr(top, "children_specs", ()))
        if isinstance(top.type, type) and top.type.__module__ not in ("builtins", "collections"):
            found.add(top.type)
    return found


def outputs_can_be_loaded(program: ExportedProgram) -> Iterator[Problem]:
    """A string among the outputs is saved, and the loader refuses it."""
    for i, spec in enumerate(program.graph_signature.output_specs):
        if isinstance(getattr(spec.arg, "value", None), str):
            yield Problem(
                f"output {i}",
                LOAD,
                f"the string {spec.arg.value!r:.40} has no place in a loaded graph",
                "return tensors and numbers",
            )


def ops_can_be_loaded(program: ExportedProgram) -> Iterator[Problem]:
    """Triton kernels are saved without what makes them."""
    for module in program.graph_module.modules():
        for node in module.graph.nodes if isinstance(module, torch.fx.GraphModule) else ():
            if "triton_kernel_wrapper" in str(node.target):
                advice = "compile with AOTInductor, whose package holds the kernels"
                yield Problem(_place(node), LOAD, "torch can write a Triton kernel and cannot read it", advice)


def ops_have_results(program: ExportedProgram) -> Iterator[Problem]:
    """A higher-order op without results comes back without a value, which the loader's verifier refuses."""
    for node in program.graph.nodes:
        hop = isinstance(node.target, torch._ops.HigherOrderOperator)  # noqa: SLF001 - torch has no public name for this type
        if hop and node.meta.get("val") == ():
            reason = "its graph returns nothing (autocast around no_grad does that) and it is loaded without a value"
            yield Problem(
                _place(node), LOAD, reason, "restructure the context managers so that the outer one has results"
            )


def tensors_come_back(program: ExportedProgram) -> Iterator[Problem]:
    """Look at each weight and constant for what save forgets."""
    held = {**program.state_dict, **program.constants}
    for name, tensor in held.items():
        if isinstance(tensor, torch.Tensor):
            yield from (Problem(name, *found) for found in _tensor_problems(tensor))
    yield from _shared(held)


def _tensor_problems(tensor: torch.Tensor) -> Iterator[tuple[str, str, str]]:
    if is_hollow(tensor):
        yield CHANGE, "it is fake and has no elements; it is loaded as zeros", "load the real weights before saving"
        return
    if tensor.layout != torch.strided:
        yield (
            SAVE,
            f"{str(tensor.layout).removeprefix('torch.')} tensors have no storage to write",
            "hold its indices and values as buffers",
        )
        return
    if tensor.is_conj() or tensor.is_neg():
        bit = "conjugate" if tensor.is_conj() else "negative"
        yield (
            CHANGE,
            f"its {bit} bit is not written, so other values are loaded",
            "call tensor.resolve_conj().resolve_neg() before exporting",
        )
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter):
        kind = f"{type(tensor).__module__}.{type(tensor).__qualname__}"
        yield (
            NEEDS,
            f"the subclass {kind} is pickled, and unpickled without restriction",
            "load such files only from those you trust",
        )
    if tensor.device.type != "cpu" and not tensor.is_contiguous() and tensor._base is not None:  # noqa: SLF001
        yield CHANGE, "its storage is compacted when it is moved to the CPU, its strides and offset are not", _COPY


def _shared(held: Mapping[str, Any]) -> Iterator[Problem]:
    """Tensors on one storage: a buffer that hangs on a parameter, and views as another dtype."""
    groups: dict[Any, list[str]] = {}
    for name, tensor in held.items():
        if (
            isinstance(tensor, torch.Tensor)
            and tensor.layout == torch.strided
            and not is_hollow(tensor)
            and tensor.numel()
        ):
            groups.setdefault((tensor.device, tensor.untyped_storage().data_ptr()), []).append(name)
    for names in groups.values():
        parameters = [name for name in names if held[name].requires_grad]
        for name in names:
            if parameters and not held[name].requires_grad:
                reason = (
                    f"it shares memory with the parameter {parameters[0]} and is loaded as a view that requires grad"
                )
                yield Problem(name, CHANGE, reason, "give the buffer memory of its own")
        if len({held[name].dtype for name in names}) > 1:
            yield Problem(
                " and ".join(names),
                CHANGE,
                "views of one memory as several dtypes are loaded as copies",
                "keep one of them, and view it in forward",
            )


def _place(node: torch.fx.Node) -> str:
    line = frame_text(user_frame(node.meta.get("stack_trace")))
    return f"{node.name} ({line})" if line else node.name


CHECKS: tuple[Callable[[ExportedProgram], Iterator[Problem]], ...] = (
    graph_is_valid,
    nodes_that_cannot_be_saved,
    containers_are_registered,
    outputs_can_be_loaded,
    ops_can_be_loaded,
    ops_have_results,
    tensors_come_back,
)
