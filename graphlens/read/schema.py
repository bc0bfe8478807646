"""The JSON of `torch.export.save` as types, and strict decoding that still reads what is newer than these types.

Field names are those of `torch/_export/serde/schema.py` (schema 7.3 of torch 2.5 to 8.20 of torch 2.13). Unions such as
`Argument` stay raw bytes here: most of them repeat, and each distinct one is decoded once. Annotations are objects in
this module, not text, so that nobody has to evaluate them.
"""

from typing import TypeAlias

from msgspec import Raw, Struct

Float: TypeAlias = float | str
"""A float; not-a-number and the infinities are written as text (torch 2.6 and later)."""


ABSENT = Raw()
"""A union member that is not there."""


class _Known(Struct, forbid_unknown_fields=True, gc=False):
    """Strict: an unknown field makes decoding fail, and the slow way takes over and keeps it."""


class Device(_Known):
    type: str
    index: int | None = None


class SymExprHint(_Known):
    as_int: int | None = None
    as_bool: bool | None = None
    as_float: Float | None = None


class SymExpr(_Known):
    expr_str: str
    hint: SymExprHint | None = None


class SymInt(_Known):
    as_expr: SymExpr | None = None
    as_int: int | None = None


class SymFloat(_Known):
    as_expr: SymExpr | None = None
    as_float: Float | None = None


class SymBool(_Known):
    as_expr: SymExpr | None = None
    as_bool: bool | None = None


class TensorMeta(_Known):
    dtype: int
    sizes: list[SymInt]
    requires_grad: bool
    device: Device
    strides: list[SymInt]
    storage_offset: SymInt
    layout: int


class SymArgument(_Known):
    """`SymIntArgument`, `SymFloatArgument` and `SymBoolArgument`, which differ in their constant."""

    as_name: str | None = None
    as_int: int | None = None
    as_float: Float | None = None
    as_bool: bool | None = None


class Named(_Known):
    """`TensorArgument` and `TokenArgument`."""

    name: str


class OptionalTensor(_Known):
    as_tensor: Named | None = None
    as_none: bool | list[int] | None = None


class CustomObj(_Known):
    name: str
    class_fqn: str


class Complex(_Known):
    real: Float
    imag: Float


class NamedArgument(_Known):
    name: str
    arg: Raw
    kind: int | None = None


class Node(_Known):
    target: str
    inputs: list[NamedArgument]
    outputs: list[Raw]
    metadata: dict[str, Raw]
    is_hop_single_tensor_return: bool | None = None
    name: str | None = None


class Graph(_Known):
    inputs: list[Raw]
    outputs: list[Raw]
    nodes: list[Node]
    tensor_values: dict[str, Raw]
    sym_int_values: dict[str, Raw]
    sym_bool_values: dict[str, Raw]
    is_single_tensor_return: bool = False
    custom_obj_values: dict[str, Raw] = {}
    sym_float_values: dict[str, Raw] = {}


class GraphArgument(_Known):
    name: str
    graph: Graph


class Spec(_Known):
    """The body of every `InputSpec` and `OutputSpec` member: which fields there are depends on the kind."""

    arg: Raw = ABSENT
    name: str | None = None
    value: Raw = ABSENT
    parameter_name: str | None = None
    buffer_name: str | None = None
    persistent: bool | None = None
    tensor_constant_name: str | None = None
    custom_obj_name: str | None = None
    user_input_name: str | None = None


class GraphSignature(_Known):
    input_specs: list[dict[str, Spec]]
    output_specs: list[dict[str, Spec]]


class ModuleCallSignature(_Known):
    inputs: list[Raw]
    outputs: list[Raw]
    in_spec: str
    out_spec: str
    forward_arg_names: list[str] | None = None


class ModuleCallEntry(_Known):
    fqn: str
    signature: ModuleCallSignature | None = None


class NamedTupleDef(_Known):
    field_names: list[str]


class GraphModule(_Known):
    graph: Graph
    signature: GraphSignature
    module_call_graph: list[ModuleCallEntry]
    metadata: dict[str, str] = {}
    treespec_namedtuple_fields: dict[str, NamedTupleDef] = {}


class RangeConstraint(_Known):
    min_val: int | Float | None
    max_val: int | Float | None


class SchemaVersion(_Known):
    major: int
    minor: int


class ExportedProgram(_Known):
    graph_module: GraphModule
    opset_version: dict[str, int]
    range_constraints: dict[str, RangeConstraint]
    schema_version: SchemaVersion
    verifiers: list[str] = []
    torch_version: str = "<=2.4"
    guards_code: list[str] = []


class PayloadMeta(_Known):
    """`tensor_meta` is a `TensorMeta` or null."""

    path_name: str
    is_param: bool
    use_pickle: bool
    tensor_meta: Raw = ABSENT


class PayloadConfig(_Known):
    config: dict[str, PayloadMeta]
