"""Differences of the program level: signature, weights, ranges, guards, pytrees, versions."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diff import edits
from diff.edits import check
from diff.exports import export, nested_program
from msgspec.structs import replace

from graphlens.diff import compare
from graphlens.program.frozen import freeze
from graphlens.program.parts import ModuleSignature, Range, StoredTensor
from graphlens.read import read


def changed(row: str, kind: str = "changed") -> set[edits.Row]:
    return {("program", None, None, row, kind)}


def item(items: tuple[Any, ...], index: int, **changes: Any) -> tuple[Any, ...]:
    return tuple(replace(x, **changes) if i == index else x for i, x in enumerate(items))


def test_an_output_of_another_kind():
    program = nested_program()
    edited = replace(program, outputs=item(program.outputs, 1, kind="buffer_mutation", target="scale"))
    diff = compare(program, edited)
    assert {row.field for row in diff.rows} == {"signature.outputs[1]"}
    assert diff.worst == "wrong_result"


def test_an_output_that_is_missing():
    program = nested_program()
    output = program.graph.output
    results = output.args[0]
    nodes = [
        replace(n, args=(replace(results, items=results.items[:2]),)) if n is output else n for n in program.graph.nodes
    ]
    edited = replace(edits.with_nodes(program, "", nodes), outputs=program.outputs[:2])
    diff = compare(program, edited)
    assert {(r.field, r.kind) for r in diff.rows if r.field.startswith("signature")} == {
        ("signature.outputs[2]", "lost")
    }
    assert diff.worst == "wrong_result"
    assert not diff.proof.same


def test_two_results_that_changed_places():
    program = nested_program()
    output = program.graph.output
    results = output.args[0]
    swapped = replace(results, items=(results.items[1], results.items[0], results.items[2]))
    nodes = [replace(n, args=(swapped,)) if n is output else n for n in program.graph.nodes]
    diff = check(program, edits.with_nodes(program, "", nodes), {("", "output", "output", "args", "changed")})
    assert [(row.where, row.aspect) for row in diff.rows] == [("args[0][0]", "rewired"), ("args[0][1]", "rewired")]
    assert diff.worst == "wrong_result"


@pytest.mark.parametrize(
    ("changes", "severity"),
    [
        ({"kind": "buffer"}, "wrong_result"),
        ({"path": "kwargs['x']"}, "breaks_pass"),
        ({"constant": 1}, "wrong_result"),
        ({"persistent": False}, "breaks_pass"),
    ],
)
def test_an_input_with_another_role(changes, severity):
    program = nested_program()
    last = len(program.inputs) - 1
    edited = replace(program, inputs=item(program.inputs, last, **changes))
    diff = compare(program, edited)
    assert {(row.field, row.kind) for row in diff.rows} == {(f"signature.inputs[{last}]", "changed")}
    assert diff.worst == severity


def test_a_parameter_under_another_name():
    program = nested_program()
    at = next(i for i, spec in enumerate(program.inputs) if spec.target == "blocks.1.fc.weight")
    stored = tuple(
        replace(t, fqn="blocks.1.dense.weight") if t.fqn == "blocks.1.fc.weight" else t for t in program.stored
    )
    edited = replace(program, inputs=item(program.inputs, at, target="blocks.1.dense.weight"), stored=stored)
    diff = compare(program, edited)
    expected = {(f"signature.inputs[{at}]", "renamed"), ("weights[blocks.1.fc.weight]", "renamed")}
    assert {(row.field, row.kind) for row in diff.rows} == expected
    assert diff.worst == "breaks_pass"


@pytest.mark.parametrize("mode", ["digest", "exact"])
def test_one_element_of_one_weight(mode):
    program = nested_program()
    edited = edits.change_one_element(program, "blocks.2.fc.weight")
    diff = compare(program, edited, weights=mode)
    assert edits.roots(diff) == changed("weights[blocks.2.fc.weight]")
    assert (diff.worst, diff.rows[0].aspect) == ("wrong_result", "value")
    assert compare(program, edited, weights="ignore").ok


def test_one_element_of_a_constant():
    program = nested_program()
    check(program, edits.change_one_element(program, "lifted_tensor_0"), changed("constants[lifted_tensor_0]"))


def test_a_broken_tie():
    program = nested_program()
    fqns = [t.fqn for t in program.stored]
    assert len({t.storage for t in program.stored if t.fqn in ("tied.weight", "blocks.0.fc.weight")}) == 1
    edited = replace(program, stored=item(program.stored, fqns.index("tied.weight"), storage="alone"))
    diff = check(program, edited, changed("aliasing[tied.weight]"))
    assert diff.worst == "breaks_pass"
    assert diff.rows[0].a == "shares storage with blocks.0.fc.weight"
    assert diff.rows[0].b == "its own storage"


def test_storages_may_have_other_names():
    program = nested_program()
    renamed = tuple(replace(t, storage=f"other {t.storage}") for t in program.stored)
    check(program, replace(program, stored=renamed), set())


@pytest.mark.parametrize(
    "facet", ["stride", "storage_offset", "device", "requires_grad", "conj", "neg", "layout", "type"]
)
def test_how_a_weight_is_held(facet):
    program = nested_program()
    at = [t.fqn for t in program.stored].index("scale")
    value = edits.FACETS[facet](program.stored[at])
    edited = replace(program, stored=item(program.stored, at, **{facet: value}))
    diff = check(program, edited, changed("weights[scale]"))
    assert diff.worst == "breaks_pass"
    unknown = replace(program, stored=item(program.stored, at, **{facet: None}))
    check(program, unknown, set())


def test_a_weight_that_is_gone():
    program = nested_program()
    edited = replace(program, stored=tuple(t for t in program.stored if t.fqn != "scale"))
    assert check(program, edited, changed("weights[scale]", "lost")).worst == "wrong_result"


def test_fake_weights_are_not_called_equal_to_real_ones():
    program = nested_program()
    fake = replace(program, stored=tuple(replace(t, content=None, note="a fake tensor") for t in program.stored))
    diff = compare(fake, program)
    assert {(row.family, row.kind) for row in diff.rows} == {("weights", "added"), ("constants", "added")}
    both = compare(fake, fake)
    assert not both.rows
    other = replace(fake, stored=tuple(replace(t, note="other") for t in fake.stored))
    assert "unknown" in " ".join((*compare(fake, other).proof.assumptions, *compare(fake, other).proof.unknown))


@pytest.mark.parametrize(
    ("bounds", "direction"),
    [
        ((0, 64), "widened"),
        ((2, None), "widened"),
        ((4, 16), "narrowed"),
        ((4, 128), "shifted"),
        ((2, 64.5), "widened"),
    ],
)
def test_a_range(bounds, direction):
    program = nested_program()

    def bounded(**ranges: Range) -> Any:
        table = item(program.symbol_table, 0, range=ranges.get("s77", Range()))
        return replace(program, ranges=freeze(ranges), symbol_table=table)

    edited = bounded(s77=Range(*bounds))
    diff = compare(program, edited)
    assert edits.roots(diff) == changed("range_constraints[s77]")
    assert diff.rows[0].a == "[2, 64]"
    assert diff.rows[0].b.endswith(f"({direction})")
    gone = bounded()
    check(program, gone, changed("range_constraints[s77]", "lost"))
    check(gone, bounded(s77=Range()), set())


@pytest.mark.parametrize(
    ("changes", "row", "kind"),
    [
        ({"in_spec": "other"}, "pytree.in", "changed"),
        ({"out_spec": None}, "pytree.out", "lost"),
        ({"guards": ("L['x'].size()[0] <= 8",)}, "guards", "added"),
        ({"example_inputs": None}, "example_inputs", "lost"),
    ],
)
def test_texts_of_the_program(changes, row, kind):
    program = nested_program()
    check(program, replace(program, **changes), changed(row, kind))


def test_example_inputs_are_there_or_not_wherever_they_are():
    program = nested_program()
    check(program, replace(program, example_inputs="data/sample_inputs (12 bytes, a pickle: not opened)"), set())


@pytest.mark.parametrize(
    ("field", "version", "row"),
    [
        ("verifiers", ("ATEN",), "verifier"),
        ("schema", "9.1", "schema_version"),
        ("opset", freeze({"aten": 11}), "opset_version"),
    ],
)
def test_versions(field, version, row):
    program = nested_program()
    edited = replace(program, versions=replace(program.versions, **{field: version}))
    check(program, edited, changed(row))
    unknown = replace(program, versions=replace(program.versions, **{field: type(version)()}))
    check(program, unknown, set())


def test_the_module_call_graph():
    program = nested_program()
    entry = ModuleSignature(fqn="blocks.1", inputs=("add",), outputs=("add_1",), in_spec="*", out_spec="*")
    before = replace(program, module_calls=(*program.module_calls, entry))
    check(before, program, changed("module_call_graph[blocks.1]", "lost"))
    for changes in ({"outputs": ("mul_1",)}, {"in_spec": "other"}):
        after = replace(program, module_calls=(*program.module_calls, replace(entry, **changes)))
        check(before, after, changed("module_call_graph[blocks.1]"))


def test_module_calls_follow_renamed_nodes():
    program = nested_program()
    entry = ModuleSignature(fqn="blocks.1", inputs=("add",), outputs=("add_1",))
    before = replace(program, module_calls=(entry,))
    renamed, expected = edits.rename(before, ("", "add_1"), "another_name")
    after = replace(renamed, module_calls=(replace(entry, outputs=("another_name",)),))
    check(before, after, expected)


def test_metadata_of_a_graph():
    program = nested_program()
    graph = program.graphs["map_impl.f"]
    marked = replace(graph, meta=freeze({"nested_region_config": "x"}))
    after = replace(program, graphs=freeze({**program.graphs, "map_impl.f": marked}))
    check(after, program, {("map_impl.f", None, None, "meta[nested_region_config]", "lost")})


def test_a_stored_tensor_may_repeat_its_name():
    program = nested_program()
    twice = replace(program, stored=(*program.stored, program.stored[0]))
    check(twice, twice, set())
    check(twice, program, changed(f"weights[{program.stored[0].fqn}]", "lost"))


def test_symbols_may_be_renumbered():
    program = nested_program()

    def renamed(value):
        def size(x):
            return x.replace("s77", "s3") if isinstance(x, str) else x

        return edits.replace(value, shape=tuple(map(size, value.shape)), stride=tuple(map(size, value.stride)))

    edited = program
    for path, graph in program.graphs.items():
        nodes = []
        for node in graph.nodes:
            meta = {key: value for key, value in node.meta.items() if key != "tensor_meta"}
            nodes.append(replace(node, value=edits.map_value(node.value, renamed), meta=freeze(meta)))
        edited = edits.with_nodes(edited, path, nodes)
    edited = replace(edited, ranges=freeze({"s3": program.ranges["s77"]}))
    edited = replace(edited, symbol_table=item(program.symbol_table, 0, name="s3"))
    diff = compare(program, edited, ignore=["tensor_meta"])
    assert diff.ok, str(diff)
    assert diff.proof.rules == {"renumbered symbols": 1}
    assert "renumbered symbols (1)" in diff.verdict


def test_a_bare_graph_module_has_no_program_level():
    """Against an exported program its signature is unknown, not lost."""
    program = nested_program()
    bare = replace(
        program, inputs=(), outputs=(), ranges=freeze({}), module_calls=(), guards=(), in_spec=None, out_spec=None
    )
    bare = replace(bare, origin=replace(program.origin, kind="graph_module"), stored=())
    assert not compare(program, bare).rows


def test_stored_tensors_without_a_name_on_either_side():
    program = nested_program()
    extra = StoredTensor(fqn="unused", kind="constant", shape=(1,), dtype="int8", stride=(1,))
    check(program, replace(program, stored=(*program.stored, extra)), changed("constants[unused]", "added"))


def test_numbers_that_tracing_lifted_in_another_order_are_named_anew_only():
    def lifting(turned: bool):
        def forward(_, x):
            first = (lambda: x * torch.tensor(3.0)), (lambda: x - torch.tensor(5.0))
            one, two = (call() for call in (reversed(first) if turned else first))
            return (two, one) if turned else (one, two)

        return type("Lifting", (torch.nn.Module,), {"forward": forward})()

    diff = compare(*(read(export(lifting(turned), torch.ones(3))) for turned in (False, True)))
    assert diff.proof.same
    assert ("signature.inputs", "renamed", "cosmetic") in {(row.family, row.kind, row.severity) for row in diff.rows}
    assert not [row for row in diff.rows if row.severity in ("wrong_result", "breaks_pass")]
