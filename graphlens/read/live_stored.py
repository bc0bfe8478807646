"""Weights and constants of a live program, described and not held."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from msgspec.structs import replace

from graphlens.program.argument import NOT_ALL_READ
from graphlens.program.parts import StoredTensor
from graphlens.program.value import TensorValue
from graphlens.read.live_content import BytesContent, compiled_bytes, content_of
from graphlens.read.live_fingerprint import fingerprint
from graphlens.read.live_graph import Body, attribute, body_of
from graphlens.read.live_names import type_name
from graphlens.read.live_torch import script_class, storage_address
from graphlens.read.live_values import Storages, facet, tensor_value


def stored_in_program(program: torch.export.ExportedProgram, bodies: Mapping[str, Body]) -> tuple[StoredTensor, ...]:
    """Describe what an ExportedProgram stores: its state dict, its constants, and what ``get_attr`` nodes still name."""
    signature = program.graph_signature
    parameters, buffers = set(signature.parameters), set(signature.buffers)
    storages: Storages = {}
    found = [
        describe(fqn, held, "parameter" if fqn in parameters or _is_parameter(held) else "buffer", storages)
        for fqn, held in program.state_dict.items()
    ]
    found += [
        describe(fqn, held, "buffer" if fqn in buffers else "constant", storages)
        for fqn, held in program.constants.items()
    ]
    known = {*program.state_dict, *program.constants}
    unlifted = dict(_named_constants(program.graph_module, bodies))
    found += [describe(fqn, held, "constant", storages) for fqn, held in unlifted.items() if fqn not in known]
    return _numbered(found)


def stored_in_modules(bodies: Mapping[str, Body]) -> tuple[StoredTensor, ...]:
    """Describe what a GraphModule stores: parameters, buffers, and the tensors that ``get_attr`` nodes name."""
    root = next(iter(bodies.values())).owner
    if root is None:
        return ()
    storages: Storages = {}
    found: dict[str, StoredTensor] = {}
    for fqn, parameter in root.named_parameters(remove_duplicate=False):
        found[fqn] = describe(fqn, parameter, "parameter", storages)
    for fqn, buffer in root.named_buffers(remove_duplicate=False):
        found[fqn] = describe(fqn, buffer, "buffer", storages)
    for fqn, held in _named_constants(root, bodies):
        if fqn not in found:
            found[fqn] = describe(fqn, held, "constant", storages)
    return _numbered(found.values())


def _numbered(found: Iterable[StoredTensor]) -> tuple[StoredTensor, ...]:
    """Number objects by their first names, so that nothing of the process is left."""
    numbers: dict[str, str] = {}
    return tuple(
        tensor
        if tensor.object is None
        else replace(tensor, object=numbers.setdefault(tensor.object, str(len(numbers))))
        for tensor in found
    )


def _named_constants(root: torch.nn.Module, bodies: Mapping[str, Body]) -> Iterator[tuple[str, Any]]:
    """Yield what ``get_attr`` nodes of any graph name and that is no graph, by its full name where there is one."""
    prefixes = {id(module): name for name, module in root.named_modules()}
    seen: set[int] = set()
    for path, body in bodies.items():
        if body.owner is None or id(body.owner) in seen:
            continue
        seen.add(id(body.owner))
        prefix = prefixes.get(id(body.owner), path)
        for node in body.graph.nodes:
            held = attribute(body.owner, node.target) if node.op in ("get_attr", "call_module") else None
            if node.op == "call_module":
                yield from _loose_tensors(f"{prefix}.{node.target}" if prefix else str(node.target), held)
                continue
            if held is not None and (body_of(held) is None or compiled_bytes(held) is not None):
                yield f"{prefix}.{node.target}" if prefix else str(node.target), held


def _loose_tensors(prefix: str, module: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the tensors that a leaf module holds as plain attributes, neither parameters nor buffers."""
    if isinstance(module, torch.nn.Module) and body_of(module) is None:
        for name, inner in module.named_modules(prefix=prefix):
            yield from ((f"{name}.{key}", held) for key, held in vars(inner).items() if isinstance(held, torch.Tensor))


def _is_parameter(held: Any) -> bool:
    return isinstance(held, torch.nn.Parameter)


def _object(fqn: str, held: Any) -> StoredTensor:
    """Describe what is no tensor: what a backend compiled, what a script object would be pickled as, all that can be read."""
    compiled = compiled_bytes(held)
    digest = fingerprint(held) if compiled is None else ""
    whole = NOT_ALL_READ not in digest
    return StoredTensor(
        fqn=fqn,
        kind="custom_obj",
        type=script_class(held) or type_name(type(held)),
        nbytes=None if compiled is None else len(compiled),
        note=None if whole else NOT_ALL_READ,
        content=BytesContent(compiled or digest.encode()) if whole else None,
    )


def describe(fqn: str, held: Any, kind: str, storages: Storages) -> StoredTensor:
    """Describe one stored tensor or script object.

    Of parameters it is told which are one object: optimizers and `parameters()` ask for that.
    """
    if not isinstance(held, torch.Tensor):
        return _object(fqn, held)
    value: TensorValue = tensor_value(held, storages)
    content = content_of(held)
    address = facet(lambda: storage_address(held))
    return StoredTensor(
        fqn=fqn,
        kind=kind,
        shape=value.shape,
        dtype=value.dtype,
        stride=value.stride,
        storage_offset=value.storage_offset,
        device=value.device,
        layout=value.layout,
        requires_grad=value.requires_grad,
        conj=value.conj,
        neg=value.neg,
        type=value.type,
        storage=None if address is None else str(storages.setdefault(address, len(storages))),
        object=str(id(held)) if _is_parameter(held) else None,
        nbytes=facet(lambda: int(held.untyped_storage().nbytes())),
        note=None if content is not None else "a fake or meta tensor has no elements",
        content=content,
    )
