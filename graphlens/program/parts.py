"""The parts of a program around its graphs: signature, symbols, stored tensors, versions, payloads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from graphlens.program.argument import Literal
from graphlens.program.frozen import EMPTY
from graphlens.program.value import Size


class InputSpec(Struct, frozen=True, kw_only=True):
    """What one placeholder of the root graph stands for.

    `kind`: ``user_input parameter buffer constant_tensor custom_obj token`` or an unknown one, labelled.
    `argument` names the placeholder; `target` is the fully qualified name; `constant` is the value of a non-tensor
    input that was fixed at export; `path` is the place of a user input in the call, ``args[0]['ids']``.
    """

    kind: str
    argument: str
    target: str | None = None
    persistent: bool | None = None
    constant: Literal = None
    path: str | None = None


class OutputSpec(Struct, frozen=True, kw_only=True):
    """What one output of the root graph stands for.

    `kind`: ``user_output loss_output buffer_mutation parameter_mutation gradient_to_parameter gradient_to_user_input
    user_input_mutation token`` or an unknown one, labelled. `argument` names the node; `""` where it is a constant.
    """

    kind: str
    argument: str
    target: str | None = None
    constant: Literal = None
    path: str | None = None


class Range(Struct, frozen=True):
    """Bounds of a symbol, both inclusive; `None` is unbounded or unknown."""

    lower: int | float | None = None
    upper: int | float | None = None

    def __str__(self) -> str:
        low = "-inf" if self.lower is None else str(self.lower)
        return f"[{low}, {'inf' if self.upper is None else self.upper}]"


class Symbol(Struct, frozen=True, kw_only=True):
    """One free symbol of the program's shapes.

    `bound` says where it gets its value: ``graph:node.shape[0]`` as ``("", "x", "shape[0]")``.
    """

    name: str
    kind: str = "int"
    range: Range = Range()
    hint: int | float | None = None
    backed: bool | None = None
    bound: tuple[str, str, str] | None = None


class Content(Protocol):
    """Where the elements of a stored tensor can be had without keeping them."""

    def digest(self) -> str | None:
        """Digest of the resolved elements in logical order (conj, neg and strides applied); `None` if unknown."""

    def element_bytes(self) -> bytes | None:
        """The resolved elements in logical order, little endian; `None` if they cannot be had."""


class StoredTensor(Struct, frozen=True, kw_only=True):
    """A weight or constant, described, not held.

    `kind`: ``parameter buffer constant custom_obj``; `member` and `crc32` say where it lies in an archive; `storage`
    is equal for two tensors that share storage; `nbytes` is the size of that storage in bytes. `object` is equal for two
    names of one Python object, `None` where a source holds no objects.
    """

    fqn: str
    kind: str
    shape: tuple[Size, ...] | None = None
    dtype: str | None = None
    stride: tuple[Size, ...] | None = None
    storage_offset: Size | None = None
    device: str | None = None
    layout: str | None = None
    requires_grad: bool | None = None
    conj: bool | None = None
    neg: bool | None = None
    type: str | None = None
    storage: str | None = None
    object: str | None = None
    nbytes: int | None = None
    member: str | None = None
    crc32: int | None = None
    note: str | None = None
    content: Content | None = None


class ModuleSignature(Struct, frozen=True, kw_only=True):
    """One entry of the module call graph; specs are the pytree's own serialized text where there is one."""

    fqn: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    in_spec: str | None = None
    out_spec: str | None = None
    forward_arg_names: tuple[str, ...] | None = None


class Versions(Struct, frozen=True, kw_only=True):
    """Which torch and which formats; `None` where the source does not say."""

    torch: str | None = None
    schema: str | None = None
    opset: Mapping[str, int] = EMPTY
    verifiers: tuple[str, ...] = ()
    dialect: str | None = None
    archive: str | None = None


class Payload(Struct, frozen=True, kw_only=True):
    """A member of an archive that is listed and not opened (a pickle, a compiled library, a weight)."""

    member: str
    size: int
    crc32: int
    kind: str


class Notice(Struct, frozen=True, gc=False):
    """Something the reader wants seen: an unknown schema, a dangling reference, an orphan graph."""

    where: str
    message: str


class Origin(Struct, frozen=True):
    """Where a program came from: ``archive exported_program graph_module graph`` and a name for people."""

    kind: str
    name: str
