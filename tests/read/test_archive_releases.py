"""Archives of every release: four as their torch wrote them, the others made from those by the history of the schema."""

import io
import json
import logging
import re
from collections import Counter
from pathlib import Path

import msgspec
import pytest
import torch
from hostile.archive_parts import edited, graph_of, members, packed, program_member
from read.archive_equality import differences

from graphlens.program.argument import Const, Opaque, Ref, Seq
from graphlens.program.expr import rename_symbols
from graphlens.program.frames import parse_stack_trace
from graphlens.program.program import Program
from graphlens.program.value import TensorValue
from graphlens.read import read

ARCHIVES = Path(__file__).parents[1] / "data" / "archives"
CASES = sorted(path.stem for path in (ARCHIVES / "torch-2.13.0").glob("*.pt2"))


def program(release: str, case: str) -> Program:
    return read(ARCHIVES / f"torch-{release}" / f"{case}.pt2")


@pytest.mark.parametrize("path", sorted(ARCHIVES.glob("*/*.pt2")), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_archive_opens_whole(path):
    found = read(path)
    assert not found.notices
    assert found.versions.torch.partition("+")[0] == path.parent.name.removeprefix("torch-")
    assert found.versions.schema == {"torch-2.5.1": "7.3", "torch-2.9.1": "8.14"}.get(path.parent.name, "8.20")
    assert len(found.inputs) == len(found.graph.placeholders)
    assert len(found.outputs) == len(found.graph.output.args[0].items)
    assert [spec.argument for spec in found.inputs] == [node.name for node in found.graph.placeholders]
    for _, node in found.walk():
        assert not any(isinstance(argument, Opaque) for argument in node.args)
        assert node.op != "call_function" or node.stack_trace
    old = path.parent.name == "torch-2.5.1"
    assert all((tensor.content is None) == old for tensor in found.stored)
    assert {payload.kind for payload in found.payloads} >= {"example inputs"}


@pytest.mark.parametrize(
    "path",
    [path for release in ("2.9.1", "2.15.0") for path in sorted((ARCHIVES / f"torch-{release}").glob("*.pt2"))],
    ids=lambda path: f"{path.parent.name}/{path.stem}",
)
def test_what_this_torch_can_load_agrees(path, caplog):
    """Those of 2.13.0 itself are in `test_live_archive.py`; those of 2.5.1 this torch refuses."""
    caplog.set_level(logging.CRITICAL)
    assert list(differences(read(path), read(torch.export.load(path)))) == []


def ops(found: Program) -> Counter:
    return Counter((path, node.target) for path, node in found.walk() if node.op == "call_function")


def comparable(node):
    """A node without the lines of torch's own files and the addresses of graphs."""
    frames = parse_stack_trace(node.stack_trace or "")
    meta = {key: value for key, value in node.meta.items() if key not in ("stack_trace", "from_node")}
    meta["frames"] = [frame for frame in frames if "site-packages" not in frame.file]
    meta["from_node"] = re.sub(r"graph_id=\d+", "", repr(node.meta.get("from_node")))
    return msgspec.structs.replace(node, meta=meta)


@pytest.mark.parametrize("case", CASES)
def test_2_13_and_2_15_write_the_same(case):
    a, b = program("2.13.0", case), program("2.15.0", case)
    assert [(path, comparable(node)) for path, node in a.walk()] == [
        (path, comparable(node)) for path, node in b.walk()
    ]
    assert (a.inputs, a.outputs, a.ranges, a.module_calls) == (b.inputs, b.outputs, b.ranges, b.module_calls)


CHANGED_SINCE_2_9 = {
    # in names and arguments: several results were named after the whole operator, `chunk_default`, for 2.9 does not
    # write names; `layer_norm` passes on its defaults from 2.10 on. In operators: the size assertion became implicit
    "unbacked": ({("", "aten.sym_constrain_range_for_size.default"): 1}, {}),
}
CHANGED_SINCE_2_5 = {
    # what 2.5 exported is functional and decomposed for inference; from 2.6 on it is the training dialect
    "decoder_static": (
        {("", "aten.split.Tensor"): 3, ("", "aten.view.default"): 3},
        {("", "aten.chunk.default"): 3, ("", "aten.reshape.default"): 3}),
    "decoder_dynamic": (
        {("", "aten.split.Tensor"): 3, ("", "aten.view.default"): 3},
        {("", "aten.chunk.default"): 3, ("", "aten.reshape.default"): 3}),
    "training_conv": (
        {("", "aten._native_batch_norm_legit_functional.default"): 1, ("", "_operator.getitem"): 5, ("", "aten.add.Tensor"): 1},
        {("", "aten.batch_norm.default"): 1, ("", "aten.add_.Tensor"): 1}),
    "unbacked": (
        {("", "aten._to_copy.default"): 1},
        {("", "aten.to.dtype"): 1, ("", "aten._assert_tensor_metadata.default"): 1}),
}  # fmt: skip


@pytest.mark.parametrize("case", [case for case in CASES if case not in ("nested_control_flow", "decoder_decomposed")])
def test_2_9_and_2_13_differ_in_what_torch_changed(case):
    a, b = ops(program("2.9.1", case)), ops(program("2.13.0", case))
    gone, new = CHANGED_SINCE_2_9.get(case, ({}, {}))
    assert (a - b, b - a) == (Counter(gone), Counter(new))


@pytest.mark.parametrize("case", [*sorted(CHANGED_SINCE_2_5), "pytree"])
def test_2_5_and_2_9_differ_in_what_torch_changed(case):
    a, b = ops(program("2.5.1", case)), ops(program("2.9.1", case))
    gone, new = CHANGED_SINCE_2_5.get(case, ({}, {}))
    assert ((a - b), (b - a)) == (Counter(gone), Counter(new))


def test_sizes_are_the_same_expressions_in_both_notations():
    """2.5 writes `4*s0`, 2.9 and later `Mul(Integer(4), Symbol('s23', …))`; the symbols have other names."""
    a, b = program("2.5.1", "decoder_dynamic"), program("2.13.0", "decoder_dynamic")
    ids_a, ids_b = (next(n for n in p.graph.placeholders if n.name == "ids").value.shape for p in (a, b))
    renamed = dict(zip(map(str, ids_b), map(str, ids_a), strict=True))
    values = [{n.name: n.value for n in p.graph.nodes if isinstance(n.value, TensorValue)} for p in (a, b)]
    compared = 0
    for name in (
        values[0].keys()
        & values[1].keys()
        & {f"{op}{i}" for op in ("linear", "add", "gelu") for i in ("", "_1", "_2", "_5")}
    ):
        shape = tuple(rename_symbols(s, renamed) if isinstance(s, str) else s for s in values[1][name].shape)
        assert values[0][name].shape == shape, name
        compared += any(isinstance(size, str) for size in shape)
    assert compared > 5
    assert {s.name: (s.range.lower, s.range.upper) for s in a.symbol_table} == {"s0": (2, 64), "s1": (2, 128)}


def test_the_old_zip_has_descriptions_and_no_contents():
    found = program("2.5.1", "training_conv")
    stored = {tensor.fqn: tensor for tensor in found.stored}
    weight = stored["conv.weight"]
    assert (weight.kind, weight.shape, weight.dtype, weight.type) == ("parameter", (3, 3, 3, 3), "float32", "Parameter")
    assert weight.content is None
    assert "serialized_state_dict.pt" in weight.note
    assert {p.member: p.kind for p in found.payloads} == {
        "serialized_state_dict.pt": "pickled state dict",
        "serialized_constants.pt": "pickled constants",
        "serialized_example_inputs.pt": "example inputs",
    }
    assert found.versions.archive == "export zip 7.3"
    assert found.example_inputs.startswith("serialized_example_inputs.pt")


# ---- releases without a fixture, made from those that have one --------------------------------------------------------


def without_kinds(tree):
    """As torch 2.6 wrote (schema 8.2 to 8.4): arguments have no kind, nodes no name; the loader goes by the schema."""
    tree["schema_version"]["minor"] = 4
    stack = [graph_of(tree)]
    while stack:
        graph = stack.pop()
        graph.pop("sym_float_values", None)
        for node in graph["nodes"]:
            node.pop("name", None)
            for given in node["inputs"]:
                given.pop("kind", None)
                if "as_graph" in given["arg"]:
                    stack.append(given["arg"]["as_graph"]["graph"])


@pytest.mark.parametrize("case", CASES)
def test_archives_of_2_6_agree_with_what_torch_loads(case, caplog):
    caplog.set_level(logging.CRITICAL)
    source = edited(ARCHIVES / "torch-2.13.0" / f"{case}.pt2", without_kinds)
    found = read(source)
    source.seek(0)
    assert not found.notices
    assert list(differences(found, read(torch.export.load(source)))) == []


def to_old_zip(tree, parts):
    """Put a program of the PT2 archive into the zip of torch 2.5 to 2.7."""
    version = tree["schema_version"]
    return io.BytesIO(
        packed({
            "serialized_exported_program.json": json.dumps(tree).encode(),
            "serialized_state_dict.pt": b"", "serialized_constants.pt": b"", "serialized_example_inputs.pt": b"",
            "version": f"{version['major']}.{version['minor']}".encode(), "extra_files/note.txt": b"hello",
        })
    )  # fmt: skip


@pytest.mark.parametrize("case", ["pytree", "unbacked"])
def test_the_zip_of_2_7_agrees_with_what_torch_loads(case, caplog):
    """Programs without weights, so that the pickles can be left out."""
    caplog.set_level(logging.CRITICAL)
    parts = members(ARCHIVES / "torch-2.13.0" / f"{case}.pt2")
    tree = json.loads(parts[program_member(parts)])
    source = to_old_zip(tree, parts)
    found = read(source)
    source.seek(0)
    assert list(differences(found, read(torch.export.load(source)))) == []
    assert {p.member: p.kind for p in found.payloads}["extra_files/note.txt"] == "extra"


def to_schema_3(tree):
    """As torch 2.2 wrote: tagged unions, plain offsets, one dialect; see `graphlens.read.archive_upgrade`."""
    without_kinds(tree)
    tree["schema_version"] = {"major": 3, "minor": 1}
    tree["dialect"] = tree.pop("verifiers")[0]
    del tree["torch_version"]
    tree.pop("guards_code", None)
    tree["graph_module"].pop("metadata")
    tree["graph_module"].pop("treespec_namedtuple_fields", None)

    def tagged(item):
        if isinstance(item, list):
            return [tagged(part) for part in item]
        if not isinstance(item, dict):
            return item
        item = {key: tagged(value) for key, value in item.items()}
        if "sizes" in item:
            item["storage_offset"] = item["storage_offset"]["$value"]
        unions = {
            "user_input",
            "parameter",
            "buffer",
            "tensor_constant",
            "user_output",
            "buffer_mutation",
            "constant_input",
        }
        (key, *more) = item or (None,)
        if not more and key is not None and (key.startswith("as_") or key in unions):
            return {"$type": key, "$value": item[key]}
        return item

    graph_module = tagged(tree["graph_module"])
    tree["graph_module"] = graph_module


@pytest.mark.parametrize("case", ["training_conv", "decoder_static", "unbacked"])
def test_archives_of_2_2_are_the_same_program(case):
    source = ARCHIVES / "torch-2.5.1" / f"{case}.pt2"
    old, new = read(edited(source, to_schema_3)), read(source)
    assert old.graphs == new.graphs
    assert (old.inputs, old.outputs, old.ranges, old.stored) == (new.inputs, new.outputs, new.ranges, new.stored)
    assert old.versions.schema == "3.1"
    assert old.versions.dialect == new.versions.dialect
    assert old.versions.torch == "<=2.4"
    assert not old.notices


def test_optional_tensors_and_script_objects_of_2_2():
    def edit(tree):
        node = graph_of(tree)["nodes"][0]
        node["inputs"].append(
            {"name": "extra", "arg": {"as_optional_tensors": [{"as_tensor": {"name": "x"}}, {"as_none": []}]}}
        )
        to_schema_3(tree)
        graph_of(tree)["nodes"][0]["inputs"][-1]["arg"]["$value"][0]["$value"] = "x"
        graph_of(tree)["nodes"][0]["inputs"].append(
            {"name": "o", "arg": {"$type": "as_custom_obj", "$value": {"name": "lifted"}}}
        )

    first = next(
        n for n in read(edited(ARCHIVES / "torch-2.5.1" / "unbacked.pt2", edit)).graph.nodes if n.op == "call_function"
    )
    assert {**dict(zip(first.arg_names, first.args, strict=True)), **first.kwargs} == {
        "self": Ref("x"), "extra": Seq("list", (Ref("x"), None)), "o": Opaque("", ""),
    }  # fmt: skip


def test_dtypes_of_every_release():
    def edit(tree):
        for i, node in enumerate(graph_of(tree)["nodes"][:2]):
            node["inputs"][-1]["arg"] = {"as_scalar_type": (14, 33)[i]}

    found = read(edited(ARCHIVES / "torch-2.13.0" / "dtypes.pt2", edit))
    constants = [a for n in found.graph.nodes for a in (*n.args, *n.kwargs.values()) if isinstance(a, Const)]
    assert {Const("dtype", "float8_e4m3fn"), Const("dtype", "float8_e8m0fnu")} <= set(constants)
