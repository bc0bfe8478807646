"""Corner by corner: a path gives what reading the object that torch loads from it gives."""

import io
import logging
from functools import cache

import pytest
import torch
from hostile.archive_parts import members, packed, program_member
from read.archive_equality import differences
from read.archive_zoo import CASES

from graphlens.program.argument import Ref
from graphlens.program.digest import digest_elements
from graphlens.program.value import ConstValue
from graphlens.read import read


@cache
def saved(name: str) -> bytes:
    buffer = io.BytesIO()
    torch.export.save(CASES[name](), buffer)
    return buffer.getvalue()


@cache
def archived(name: str):
    return read(io.BytesIO(saved(name)))


@pytest.mark.parametrize("name", CASES)
def test_archive_and_loaded_object_agree(name, caplog):
    caplog.set_level(logging.CRITICAL)
    loaded = read(torch.export.load(io.BytesIO(saved(name))))
    assert list(differences(archived(name), loaded)) == []
    assert dict(archived(name).meta) == dict(loaded.meta)
    assert not archived(name).notices
    contents = [tensor.content for tensor in archived(name).stored]
    assert all(content is not None and content.digest() for content in contents)


def test_a_change_anywhere_is_a_difference():
    """The comparison above is not blind: each of these edits of one side shows."""
    loaded = read(torch.export.load(io.BytesIO(saved("control_flow"))))
    parts = members(saved("control_flow"))
    model = program_member(parts)
    edits = [
        (b'"other", "arg": {"as_int": 2}', b'"other", "arg": {"as_int": 3}'),
        (b"torch.ops.aten.sum.default", b"torch.ops.aten.max.default"),
        (b'"stack_trace": "File', b'"stack_trace": "Fine'),
        (b'"torch_fn": "', b'"torch_fn": "!'),
        (b'"dtype": 7, "sizes": [{"as_int": 4}', b'"dtype": 6, "sizes": [{"as_int": 4}'),
        (
            b'"user_output": {"arg": {"as_tensor": {"name": "getitem_',
            b'"user_output": {"arg": {"as_tensor": {"name": "xetitem_',
        ),
        (b'{"as_graph": {"name": "true_graph_0"', b'{"as_graph": {"name": "other_graph_0"'),
    ]
    for old, new in edits:
        assert old in parts[model], old
        changed = packed({**parts, model: parts[model].replace(old, new, 1)})
        assert list(differences(read(io.BytesIO(changed)), loaded)), old


def test_results_that_nobody_uses_have_nodes():
    graph = archived("decomposed").graph
    parent = next(node for node in graph.nodes if node.target == "aten.native_layer_norm.default")
    taken = [graph[user] for user in graph.users[parent.name]]
    assert [node.args[1] for node in taken] == [0, 1, 2]
    assert [node.name for node in taken][1:] == ["native_layer_norm_unused_1", "native_layer_norm_unused_2"]
    assert all(node.value == item for node, item in zip(taken, parent.value.items, strict=True))
    assert all(node.stack_trace == parent.stack_trace for node in taken)


def test_nested_graphs_have_paths_roles_and_nodes():
    program = archived("control_flow")
    assert list(program.graphs)[:4] == ["", "cond.true_fn", "cond.true_fn/cond.true_fn", "cond.true_fn/cond.false_fn"]
    assert {"while_loop.cond_fn", "while_loop.body_fn"} <= set(program.graphs)
    call = program.graph["cond"]
    assert [(sub.role, sub.where, sub.attribute) for sub in call.subgraphs] == [
        ("true_fn", "args[1]", "true_graph_0"),
        ("false_fn", "args[2]", "false_graph_0"),
    ]
    held = program.graph[call.args[1].node]
    assert (held.op, held.target) == ("get_attr", "true_graph_0")
    assert program.graph.index[held.name] < program.graph.index["cond"]
    assert "scan.combine_fn" in archived("scan_and_map").graphs
    assert "map_impl.f" in archived("scan_and_map").graphs


def test_a_body_with_two_callers_is_one_object():
    graphs = archived("nested_region").graphs
    bodies = [graph for path, graph in graphs.items() if path.endswith(".subgraph")]
    assert len(bodies) == 2
    assert bodies[0] is bodies[1]


def test_calls_without_results():
    program = archived("vmapped")
    unused = [node for node in program.graph.nodes if node.name.endswith("_unused")]
    assert unused
    assert all(node.value == ConstValue(None) for node in unused)
    assert program.graph.output.args[0].items == (Ref(program.graph.nodes[-2].name),) or len(program.graph) > 3


def test_storage_that_tensors_share():
    stored = {tensor.fqn: tensor for tensor in archived("tied_and_views").stored}
    assert stored["w"].storage == stored["v"].storage
    assert stored["a"].storage == stored["b"].storage == stored["c"].storage
    assert stored["a"].storage != stored["d"].storage
    assert stored["a"].content.digest() != stored["b"].content.digest()
    assert len(stored["d"].content.element_bytes()) == 24
    assert stored["c"].storage_offset == 5
    assert stored["b"].stride == (1, 6)


def test_what_the_file_says_and_torch_drops_is_kept():
    values = [node.value for node in archived("several_results").graph.nodes if node.target == "_operator.getitem"]
    offsets = {value.storage_offset for value in values}
    assert {1, 3} <= offsets
    assert all(value.layout == "strided" for value in values)


def test_minus_zero_is_not_zero():
    digest = {t.fqn: t.content.digest() for t in archived("dtypes").stored}["z"]
    assert digest == digest_elements("float32", (), [torch.tensor(-0.0).numpy().tobytes()])
    assert digest != digest_elements("float32", (), [torch.tensor(0.0).numpy().tobytes()])


def test_symbols_have_ranges_hints_and_places():
    table = {symbol.name: symbol for symbol in archived("guards").symbol_table}
    (symbol,) = table.values()
    assert (symbol.range.lower, symbol.range.upper, symbol.hint, symbol.backed) == (2, 32, 4, True)
    assert symbol.bound == ("", "x", "shape[0]")
    unbacked = {s.name: s for s in archived("no_results").symbol_table}
    assert unbacked["u0"].backed is False
    assert unbacked["u0"].bound[2] == ""


def test_classes_and_operators_that_this_process_does_not_know(tmp_path):
    """In a process without torch, so without the dataclass and the custom operators, both archives open."""
    import subprocess
    import sys

    for name in ("unregistered_output", "custom_op", "effect_tokens", "mutable_custom_op"):
        (tmp_path / f"{name}.pt2").write_bytes(saved(name))
    code = (
        "import sys; from graphlens.read import read; from pathlib import Path\n"
        "for path in sorted(Path(sys.argv[1]).glob('*.pt2')):\n"
        "    program = read(path); print(path.stem, [node.target for node in program.graph.nodes], program.out_spec)\n"
        "assert 'torch' not in sys.modules"
    )
    out = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True).stdout
    assert "somewhere.else.Unregistered" in out
    assert "graphlens_zoo.pieces.default" in out
    assert "higher_order.with_effects" in out
    assert "higher_order.auto_functionalized_v2" in out
