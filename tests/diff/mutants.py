"""Every field of a program, changed one at a time by reflection: nobody has to remember a field for it to be tried."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from diff import edits
from diff.exports import nested_program
from msgspec import Struct
from msgspec.structs import fields, replace

from graphlens.program.argument import Const, Map, Opaque, Ref, Seq, Slice
from graphlens.program.frozen import freeze
from graphlens.program.graph import Graph, ModuleCall, Node, Provenance
from graphlens.program.parts import Notice, Payload
from graphlens.program.program import Program
from graphlens.program.value import ConstValue, ContainerValue, OpaqueValue, SymValue

EVERYTHING = Seq(
    "list",
    (
        Ref("linear_3"),
        Const("dtype", "float16"),
        Slice(0, 7, 2),
        Map((("k", 1.5), (3, True))),
        Opaque("mylib.Thing", "red"),
        "text",
        Seq("tuple", (2, 1j)),
        Const("sym", "s77 + 1"),
    ),
)
METADATA = {
    "source_fn_stack": (("sin", "torch.sin"),),
    "torch_fn": ("sin_1", "builtin.sin"),
    "from_node": (Provenance("a", "t", "p", ("create",), 7, (Provenance("b", "u", "q", ("replace",), 8),)),),
    "nn_module_stack": (ModuleCall("k", "blocks.0", "Block"), ModuleCall("k2", "blocks.0.fc", "Linear")),
    "custom": Map((("id", 3),)),
    "private": Seq("tuple", (1, Const("dtype", "int8"), Opaque("T", "t"), Slice(1, 2, None))),
    "stack_trace": 'File "a.py", line 1, in f\n    x',
    "seq_nr": 3,
    "example_value": ConstValue(4),
}


@cache
def full_program() -> Program:
    """A program that has something in every field that the model has."""
    program, _ = edits.insert_after(nested_program(), ("", "linear_3"), "mylib.op.default")
    value = ContainerValue(
        "dict",
        (
            SymValue("SymInt", "s77 + 1", 4),
            ConstValue(2),
            OpaqueValue("mylib.Thing", "blue"),
            ContainerValue("tuple", ()),
        ),
        ("a", "b", "c", "d"),
    )
    program = edits.edit_node(
        program, ("", "inserted"), kwargs=freeze({"extra": EVERYTHING}), value=value, code="code[1]"
    )
    program = edits.with_meta(program, ("map_impl.f", "sin"), **METADATA)
    body = program.graphs["cond.true_fn"]
    graphs = {**program.graphs, "cond.true_fn": Graph(body.nodes, freeze({"note": Seq("list", (1,))}))}
    inputs = tuple(replace(s, persistent=True) if s.kind == "buffer" else s for s in program.inputs)
    inputs = (*inputs[:-1], replace(inputs[-1], constant=3))
    outputs = (*program.outputs[:2], replace(program.outputs[2], kind="buffer_mutation", target="scale", constant=1))
    calls = (
        *program.module_calls[:-1],
        replace(program.module_calls[-1], inputs=("x",), outputs=("sin",), in_spec="s"),
    )
    stored = (*program.stored[:-1], replace(program.stored[-1], member="w", crc32=9, note="n"))
    return replace(
        program, graphs=freeze(graphs), inputs=inputs, outputs=outputs, module_calls=calls, stored=stored,
        guards=("L['x'].size(0) <= 64",), schemas=freeze({"mylib.op.default": "mylib::op(Tensor x, *, Any extra) -> Tensor"}),
        sources=freeze({"a.py": freeze({1: "x"})}), payloads=(Payload(member="m", size=1, crc32=2, kind="k"),), notices=(Notice("w", "m"),),
        meta=freeze({"custom": Map((("id", 1),))}), versions=replace(program.versions, archive="v0"),
    )  # fmt: skip


def mutants(obj: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the kind of place that was changed, and the object with that change."""
    if isinstance(obj, Struct):
        name = f"{path}{type(obj).__name__}" + (f"({obj.op})" if isinstance(obj, Node) else "")
        for field in fields(obj):
            yield from _within(obj, f"{name}.{field.name}", field.name)
    elif isinstance(obj, Mapping):
        items = list(obj.items())
        for i, (key, held) in enumerate(items):
            label = f"{path}[{key}]" if path.endswith("meta") else path
            for where, new in mutants(held, f"{label}/"):
                yield where, freeze([*items[:i], (key, new), *items[i + 1 :]])
            yield f"{label} less", freeze([*items[:i], *items[i + 1 :]])
            if isinstance(key, str):
                yield f"{label} key", freeze([*items[:i], (f"{key}_x", held), *items[i + 1 :]])
    elif isinstance(obj, tuple):
        pair_of_map = path.endswith("Map.items/")
        for i, item in enumerate(obj):
            for where, new in mutants(item, f"{path}/" if path.endswith("Map.items") else path):
                yield where, (*obj[:i], new, *obj[i + 1 :])
            if not pair_of_map:
                yield f"{path} less", (*obj[:i], *obj[i + 1 :])
        if not pair_of_map and len(obj) > 1 and obj[0] != obj[-1]:
            yield f"{path} order", (*obj[1:], obj[0])
    elif obj is not None and obj != "":
        yield path, _other(obj)


def _within(obj: Struct, path: str, field: str) -> Iterator[tuple[str, Any]]:
    if field == "content":
        yield path, replace(obj, content=edits.Bytes(b"other"))
        return
    for where, new in mutants(getattr(obj, field), path):
        yield where, replace(obj, **{field: new})


def _other(leaf: Any) -> Any:
    if isinstance(leaf, bool):
        return not leaf
    if isinstance(leaf, int | float | complex):
        return leaf + 1
    return f"{leaf}_x" if isinstance(leaf, str) else leaf


__all__ = ["Node", "full_program", "mutants"]
