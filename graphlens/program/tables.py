"""Parts of a Program as tidy DataFrames: fixed columns, one row per thing, `None` where the source does not say.

Sizes are numbers, or the text of a symbolic expression; shapes and strides are tuples of sizes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from graphlens.program.frames import frame_text, user_frame
from graphlens.program.symbols import symbol_users, symbolic_parts
from graphlens.program.value import (
    ConstValue,
    OpaqueValue,
    SymValue,
    TensorValue,
    Value,
    value_leaves,
    value_text,
)

if TYPE_CHECKING:
    import pandas as pd

    from graphlens.program.program import Program

NODE_COLUMNS = ("graph", "name", "op", "target", "module", "value", "dtype", "shape", "source", "users")
VALUE_COLUMNS = (
    "graph", "node", "path", "kind", "type", "dtype", "shape", "stride", "storage_offset", "device", "layout",
    "requires_grad", "conj", "neg", "storage", "value",
)  # fmt: skip
SYMBOL_COLUMNS = ("name", "kind", "expression", "lower", "upper", "hint", "backed", "bound", "users")
WEIGHT_COLUMNS = (
    "fqn", "kind", "dtype", "shape", "stride", "storage_offset", "device", "layout", "requires_grad", "conj", "neg",
    "type", "nbytes", "storage", "shared_with", "member", "crc32", "note",
)  # fmt: skip
SIGNATURE_COLUMNS = (
    "direction", "index", "kind", "argument", "target", "path", "persistent", "constant", "value",
)  # fmt: skip


def nodes_table(program: Program) -> pd.DataFrame:
    """One row per node of every graph.

    `dtype` and `shape` are those of a single tensor; of a node with several, with none or with a number they are
    `None` and `value` has the text. `source` is the user's line, `users` the number of nodes that use this one.
    """
    rows = []
    for path, graph in program.graphs.items():
        users = graph.users
        for node in graph.nodes:
            tensor = node.value if isinstance(node.value, TensorValue) else None
            rows.append((
                path, node.name, node.op, node.target, node.module, value_text(node.value),
                tensor.dtype if tensor else None, tensor.shape if tensor else None,
                frame_text(user_frame(node.stack_trace)), len(users[node.name]),
            ))  # fmt: skip
    return _frame(rows, NODE_COLUMNS)


def values_table(program: Program) -> pd.DataFrame:
    """One row per leaf of every node's value; `path` is its place in a tuple, list or dict, ``[0]['k']``.

    `kind` is ``tensor``, ``SymInt``, ``SymFloat``, ``SymBool``, ``constant`` or ``opaque``; a node without a recorded
    value has no row. `storage` numbers the storages of one graph: equal numbers alias.
    """
    rows = [
        (path, node.name, *_value_row(part, leaf))
        for path, node in program.walk()
        if node.value is not None
        for part, leaf in value_leaves(node.value)
    ]
    return _frame(rows, VALUE_COLUMNS)


def _value_row(part: str, leaf: Value | None) -> tuple[Any, ...]:
    if isinstance(leaf, TensorValue):
        return (
            part, "tensor", leaf.type, leaf.dtype, leaf.shape, leaf.stride, leaf.storage_offset, leaf.device,
            leaf.layout, leaf.requires_grad, leaf.conj, leaf.neg, leaf.storage, value_text(leaf),
        )  # fmt: skip
    kind, type_ = "constant", "NoneType"
    if isinstance(leaf, SymValue):
        kind = type_ = leaf.kind
    elif isinstance(leaf, OpaqueValue):
        kind, type_ = "opaque", leaf.type
    elif isinstance(leaf, ConstValue):
        type_ = type(leaf.value).__name__
    return (part, kind, type_, *(None,) * 10, value_text(leaf) if leaf is not None else "None")


def symbols_table(program: Program) -> pd.DataFrame:
    """One row per free symbol, then one per compound expression that sizes or ranges mention (`kind` ``derived``).

    `lower` and `upper` are inclusive and `None` where there is no bound; `hint` is the example value; `bound` reads
    ``node.shape[0]`` (``path:node.shape[0]`` in a nested graph) and says where the symbol gets its value; `users` is
    the tuple of nodes whose values mention it.
    """
    users = {
        name: tuple(_place(path, node.name) for path, node in nodes)
        for name, nodes in symbol_users(program.graphs).items()
    }
    rows = [
        (s.name, s.kind, s.name, s.range.lower, s.range.upper, s.hint, s.backed, _bound(s.bound), users.get(s.name, ()))
        for s in program.symbol_table
    ]
    known = {row[0] for row in rows}
    derived: dict[str, dict[str, None]] = {expr: {} for expr in program.ranges if expr not in known}
    for path, node in program.walk():
        for _, expr, _ in symbolic_parts(node.value):
            if expr not in known:
                derived.setdefault(expr, {})[_place(path, node.name)] = None
    for expr, places in derived.items():
        limits = program.ranges.get(expr)
        low, high = (limits.lower, limits.upper) if limits else (None, None)
        rows.append((expr, "derived", expr, low, high, None, None, "", tuple(places)))
    return _frame(rows, SYMBOL_COLUMNS)


def _place(path: str, text: str) -> str:
    return f"{path}:{text}" if path else text


def _bound(bound: tuple[str, str, str] | None) -> str:
    if bound is None:
        return ""
    path, node, part = bound
    joined = node if not part else node + part if part.startswith("[") else f"{node}.{part}"
    return _place(path, joined)


def weights_table(program: Program) -> pd.DataFrame:
    """One row per stored weight, buffer, constant or script object.

    `nbytes` is the size of the storage; `shared_with` the names that share it (tied weights, views); `member` and
    `crc32` say where it lies in an archive.
    """
    sharing: dict[str, list[str]] = {}
    for tensor in program.stored:
        if tensor.storage is not None:
            sharing.setdefault(tensor.storage, []).append(tensor.fqn)
    rows = [
        (
            t.fqn, t.kind, t.dtype, t.shape, t.stride, t.storage_offset, t.device, t.layout, t.requires_grad, t.conj,
            t.neg, t.type, t.nbytes, t.storage,
            tuple(name for name in sharing.get(t.storage or "", ()) if name != t.fqn),
            t.member, t.crc32, t.note,
        )
        for t in program.stored
    ]  # fmt: skip
    return _frame(rows, WEIGHT_COLUMNS)


def signature_table(program: Program) -> pd.DataFrame:
    """One row per input and output of the root graph; of a graph without a signature, per placeholder and result."""
    graph = program.graph
    values = {node.name: node.value for node in graph.nodes}
    rows: list[tuple[Any, ...]] = [
        ("input", i, s.kind, s.argument, s.target, s.path, s.persistent, s.constant, value_text(values.get(s.argument)))
        for i, s in enumerate(program.inputs)
    ]
    if not program.inputs:
        rows += [
            ("input", i, "placeholder", node.name, node.target, None, None, None, value_text(node.value))
            for i, node in enumerate(graph.placeholders)
        ]
    rows += [
        ("output", i, s.kind, s.argument, s.target, s.path, None, s.constant, value_text(values.get(s.argument)))
        for i, s in enumerate(program.outputs)
    ]
    if not program.outputs and graph.output is not None:
        rows += [
            ("output", i, "result", name, None, None, None, None, value_text(values.get(name)))
            for i, name in enumerate(graph.output.inputs)
        ]
    return _frame(rows, SIGNATURE_COLUMNS)


def _frame(rows: Iterable[tuple[Any, ...]], columns: tuple[str, ...]) -> pd.DataFrame:
    import pandas as pd

    # numbers stay whole and absent ones `None`: pandas would make 3.0 and NaN of them
    return pd.DataFrame(list(rows), columns=list(columns), dtype=object)
