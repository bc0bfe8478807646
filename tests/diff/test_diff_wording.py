"""What a person reads: removed modules told as such, like rows folded, numbers as ranges."""

from __future__ import annotations

import random
import re

import pytest
from diff import edits
from diff.exports import nested_program
from diff.synthetic import decoder, names_for, program
from msgspec.structs import replace

from graphlens.diff import Diff, compare
from graphlens.diff.folds import fold, modules_text
from graphlens.diff.layers_text import numbered
from graphlens.diff.modules import LoneModule, lone_modules
from graphlens.diff.rows import Mismatch
from graphlens.diff.verdict import roots
from graphlens.program.argument import Seq


def layers(count: int):
    drafts = decoder(count, 2)
    names = names_for(len(drafts), "n", random.Random(0))
    return program(drafts, list(range(len(drafts))), names)


@pytest.fixture(scope="module")
def removed():
    return compare(layers(4), layers(2))


def test_removed_layers_are_told_as_modules(removed):
    a, b = layers(4), layers(2)
    gone = [row for row in removed.rows if row.field == "target" and row.kind == "only_a" and row.module]
    assert {row.module.split(".")[1] for row in gone} == {"2", "3"}
    assert [(m.module, m.side, m.nodes) for m in removed.lone_modules] == [
        (f"layers.{i}", "a", sum(row.module.startswith(f"layers.{i}") for row in gone)) for i in (2, 3)
    ]
    weights = {row.field for row in removed.rows if row.family == "weights"}
    assert sum(module.weights for module in removed.lone_modules) == len(weights)
    said = f"modules layers.2..3 are only in a ({len(gone)} nodes"
    assert said in removed.verdict
    assert sum(said in line for line in str(removed).splitlines()) == 2
    assert said in removed.to_markdown()
    assert "nodes only in a" not in str(removed)
    assert "modules layers.2..3 are only in b" in compare(b, a).verdict


def test_every_root_is_told_in_one_line_of_the_text(removed):
    told = [row for one in fold(roots(removed.rows), removed.lone_modules) for row in one.rows]
    assert sorted(map(id, told)) == sorted(map(id, roots(removed.rows)))


def test_removed_modules_are_kept_in_json(removed):
    back = Diff.from_json(removed.to_json())
    assert back.lone_modules == removed.lone_modules
    assert (str(back), back.verdict) == (str(removed), removed.verdict)


def test_a_module_that_lost_some_nodes_is_not_gone():
    original = nested_program()
    edited, _ = edits.delete(original, ("", "sin"))
    diff = compare(original, edited)
    assert diff.lone_modules == ()
    assert "sin (blocks.0" in diff.verdict


def test_a_module_whose_nodes_were_all_exchanged_is_not_gone():
    """Both sides have unmatched nodes under the name: it was rewritten."""
    original = nested_program()
    a = [node for node in original.graphs[""].nodes if node.module.startswith("blocks.1")]

    def row(name: str, kind: str) -> Mismatch:
        sides = (name, None) if kind == "only_a" else (None, name)
        return Mismatch(
            graph="", node_a=sides[0], node_b=sides[1], target="", module="", source="", field="target", kind=kind,
            severity="wrong_result", cause="root", a="", b="",
        )  # fmt: skip

    only_a = [row(node.name, "only_a") for node in a]
    assert [m.module for m in lone_modules(only_a, original, original)] == ["blocks.1"]
    both = [*only_a, *(row(node.name, "only_b") for node in a)]
    assert lone_modules(both, original, original) == ()


def test_other_differences_are_told_beside_a_removed_module():
    a, b = layers(3), layers(2)
    name = next(n.name for n in b.graphs[""].nodes if n.module == "layers.0.attn" and edits.has_literal(n))
    edited, _ = edits.change_literal(b, ("", name))
    verdict = compare(a, edited).verdict
    assert "module layers.2 is only in a (" in verdict
    assert "; the first other is args[" in verdict


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["layers.5", "layers.6", "layers.7"], "modules layers.5..7 are only in a (6 nodes, 3 weights)"),
        (["layers.5.mlp", "layers.7.mlp"], "modules layers.5,7.mlp are only in a (4 nodes, 2 weights)"),
        (["dropout"], "module dropout is only in a (2 nodes, 1 weight)"),
    ],
)
def test_modules_in_words(names, expected):
    found = [LoneModule(module=n, fqn=n, side="a", nodes=2, weights=1, inside=(n,)) for n in names]
    assert modules_text(found) == expected


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ([f"layers.{i}.attn.q" for i in range(28)], "layers.0..27"),
        (["h.0", "h.2", "h.3", "norm"], "h.0,2..3, norm"),
        (["a", "b", "c", "d", "e"], "a, b, c and 2 more"),
        (["layers.140000000000000"], "layers.140000000000000"),
        ([], ""),
    ],
)
def test_many_paths_in_short(paths, expected):
    assert numbered(paths) == expected


def test_items_of_the_program_level_are_folded():
    original = nested_program()
    lost = replace(original, module_calls=())
    line = next(text for text in str(compare(original, lost)).splitlines() if text.startswith("  breaks_pass"))
    told = f"module_call_graph lost: {len(original.module_calls)} in blocks, blocks.0..2, tied, for example blocks: () -> ()"
    assert line == f"  breaks_pass  {told}"
    fewer = replace(original, inputs=original.inputs[:-2])
    assert "signature.inputs[14..15] lost, for example 14: constant_tensor lifted_tensor_0" in str(
        compare(original, fewer)
    )


def test_stack_traces_show_where_they_part():
    program_a, place = nested_program(), ("", "sin")
    trace = 'File "/home/a/model.py", line 10, in forward\n    x\nFile "site-packages/torch/nn/functional.py", line {}, in f\n    y'
    a = edits.with_meta(program_a, place, stack_trace=trace.format(100))
    b = edits.with_meta(program_a, place, stack_trace=trace.format(101))
    assert [(row.a, row.b) for row in compare(a, b).rows] == [("functional.py:100", "functional.py:101")]
    shorter = edits.with_meta(program_a, place, stack_trace=trace.format(100).rpartition('File "site')[0])
    assert [(row.a, row.b) for row in compare(a, shorter).rows] == [("functional.py:100", "no more frames")]


def test_a_line_speaks_of_one_argument_of_one_function_only():
    """Arguments that were lost in different places of different functions are different lines."""
    original = nested_program()
    edited = edits.edit_node(original, ("", "sin"), args=())
    node = edits.node_at(original, ("", "mul"))
    edited = edits.edit_node(edited, ("", "mul"), args=node.args[:1])
    lines = [line for line in str(compare(original, edited)).splitlines() if line.startswith("  ")]
    assert any("args[0] lost on sin " in line for line in lines)
    assert any("args[1] lost on mul " in line for line in lines)


@pytest.mark.parametrize("at", [0, 500, 999])
def test_of_long_literals_the_place_is_shown_where_they_part(at):
    program = nested_program()
    place = edits.calls(program)[0]
    node = edits.node_at(program, place)
    numbers = tuple(range(1000, 2000))
    sides = [
        edits.edit_node(program, place, args=(*node.args, Seq("list", items)))
        for items in (numbers, (*numbers[:at], 77, *numbers[at + 1 :]))
    ]
    diff = compare(*sides)
    (row,) = [row for row in diff.rows if row.family == "args"]
    pattern = next(p.pattern for p in diff.pattern_rows if node.target in p.pattern)
    for a, b in ((row.a, row.b), diff.verdict.split(": ")[-1].split(" → "), pattern.split(": ")[-1].split(" → ")):
        assert str(numbers[at]) in a
        assert re.search(r"\b77\b", b)


def test_names_of_any_length_leave_lines_that_can_be_read():
    program = nested_program()
    place = edits.calls(program, lambda node: node.target == "aten.sin.default")[0]
    long, _ = edits.rename(program, place, "n" * 10_000)
    edited, _ = edits.change_target(long, (place[0], "n" * 10_000))
    diff = compare(program, edited)
    assert diff.rows
    for text in (str(diff), diff.to_markdown(), diff.verdict, diff.to_junit()):
        assert max(map(len, text.splitlines())) < 2_000


def test_edits_of_debug_information_are_not_told_twice():
    program = nested_program()
    bare = program
    for place in edits.calls(program):
        bare = edits.with_meta(bare, place, stack_trace=None)
    diff = compare(program, bare)
    assert {row.severity for row in diff.rows} == {"debug_info"}
    assert any(pattern.count > 1 for pattern in diff.pattern_rows)
    assert "edits that repeat" not in str(diff)
    assert "Edits that repeat" not in diff.to_markdown()
