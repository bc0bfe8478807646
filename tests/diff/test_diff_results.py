"""What a diff gives: tables, text, Markdown, JUnit, JSON, words, and the options that decide what counts."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from diff import edits
from diff.exports import nested_program
from msgspec.structs import replace

from graphlens.diff import Diff, StackTraces, compare, compare_many
from graphlens.diff.rows import SEVERITIES
from graphlens.diff.severity import ANY, TABLE, rule_for
from graphlens.errors import DiffError
from graphlens.program.argument import Const, Map, Ref, Seq
from graphlens.program.frozen import freeze

ARCHIVES = Path(__file__).parents[1] / "data" / "archives"
MISMATCHES = ["graph", "node_a", "node_b", "target", "module", "source", "field", "kind", "severity", "cause", "a", "b"]
NODES = ["graph", "node_a", "node_b", "target_a", "target_b", "match", "confidence", "fields"]
PATTERNS = [
    "pattern", "count", "regions", "changed", "only_a", "only_b", "rewired", "severity", "example_a", "example_b",
]  # fmt: skip


def all_layers():
    """The same two edits in each of three equal layers, and one more elsewhere."""
    program = nested_program()
    edited = program
    for suffix in ("", "_1", "_2"):
        edited, _ = edits.change_literal(edited, ("", f"mul{suffix}"))
        edited = edits.with_meta(edited, ("", f"sin{suffix}"), stack_trace=None)
    edited, _ = edits.change_target(edited, ("map_impl.f", "cos"))
    return program, edited


def test_the_columns_are_those_of_the_design():
    diff = compare(*all_layers())
    assert list(diff.mismatches.columns) == MISMATCHES
    assert list(diff.nodes.columns) == NODES
    assert list(diff.patterns.columns) == PATTERNS
    assert len(diff.mismatches) == len(diff.rows) == 7
    empty = compare(nested_program(), nested_program())
    assert list(empty.mismatches.columns) == MISMATCHES
    assert list(empty.patterns.columns) == PATTERNS
    assert list(empty.summary().columns) == ["by", "value", "rows", "roots", "nodes"]


def test_a_row_says_where_it_is():
    row = next(row for row in compare(*all_layers()).rows if row.node_a == "mul_1")
    assert (row.graph, row.node_b, row.target, row.module) == ("", "mul_1", "aten.mul.Tensor", "blocks.1")
    assert (row.field, row.kind, row.severity, row.cause) == ("args", "changed", "wrong_result", "root")
    assert (row.a, row.b, row.where, row.value_a, row.value_b) == ("2.0", "3.0", "args[1]", 2.0, 3.0)
    assert row.source.startswith("exports.py:")


def test_nodes_has_every_node_of_both_sides_once():
    program = nested_program()
    edited, _ = edits.insert_after(program, ("cond.false_fn", "neg"))
    nodes = compare(program, edited).nodes
    for side, whole in (("node_a", program), ("node_b", edited)):
        names = [name for text in nodes[side] for name in text.split(", ") if name]
        assert sorted(names) == sorted(node.name for _, node in whole.walk())
    row = nodes[nodes.node_b == "inserted"].iloc[0]
    assert (row.graph, row.node_a, row.target_b, row.match) == ("cond.false_fn", "", "aten.erf.default", "only_b")
    assert row.fields == ("target",)
    assert ((nodes.confidence > 0) & (nodes.confidence <= 1)).all()


def test_patterns_are_edits_with_their_regions():
    diff = compare(*all_layers())
    table = diff.patterns
    assert list(table["count"]) == [3, 1, 3]
    assert list(table.severity) == ["wrong_result", "wrong_result", "debug_info"]
    assert table.regions[0] == ("blocks.0", "blocks.1", "blocks.2")
    assert table.regions[1] == ("map_impl.f",)
    assert "args[1] of aten.mul.Tensor changed: 2.0 → 3.0" in table.pattern[0]
    assert "stack_trace" in table.pattern[2]


def test_one_edit_in_all_layers_is_said_so():
    program = nested_program()
    edited = program
    for suffix in ("", "_1", "_2"):
        edited, _ = edits.change_literal(edited, ("", f"mul{suffix}"))
    assert "(1 edit, in 3 regions)" in compare(program, edited).verdict


def test_other_numbers_in_each_layer_are_other_edits():
    program = nested_program()
    edited = program
    for i, suffix in enumerate(("", "_1", "_2")):
        node = edits.node_at(program, ("", f"mul{suffix}"))
        edited = edits.edit_node(edited, ("", node.name), args=(node.args[0], 5.0 + i))
    assert list(compare(program, edited).patterns["count"]) == [1, 1, 1]


def test_summary_and_by_module():
    diff = compare(*all_layers())
    summary = diff.summary().set_index(["by", "value"])
    assert summary.loc[("severity", "wrong_result"), "rows"] == 4
    assert summary.loc[("field", "stack_trace"), "rows"] == 3
    assert summary.loc[("kind", "lost"), "roots"] == 3
    assert summary.loc[("module", "blocks.1"), "nodes"] == 2
    modules = diff.by_module().set_index("module")
    assert modules.loc["blocks.0", "wrong_result"] == 1
    assert modules.loc["blocks.0", "debug_info"] == 1
    assert modules["rows"].sum() == len(diff.rows)


def test_only_keeps_the_rows_of_a_field():
    diff = compare(*all_layers())
    traces = diff.only("stack_trace")
    assert {row.field for row in traces.rows} == {"stack_trace"}
    assert traces.worst == "debug_info"
    assert "4 rows ignored" in traces.verdict
    assert not traces.ok
    assert diff.only("torch_fn").ok
    assert len(diff.only("stack_trace", ("args", "changed")).rows) == 6
    with pytest.raises(DiffError, match="selects no rows"):
        diff.only(3)


def test_text_is_folded_over_layers():
    text = str(compare(*all_layers()))
    assert "stack_trace lost on 3 nodes in blocks.0..2, for example sin (blocks.0, exports.py:" in text
    assert text.splitlines()[0] == compare(*all_layers()).verdict
    assert len(text.splitlines()) < 10


def test_the_verdict_counts_and_names_the_worst():
    verdict = compare(*all_layers()).verdict
    assert verdict.startswith("different: 4 wrong_result, 3 debug_info; the first is args[1] changed on mul (blocks.0")
    program = nested_program()
    lost = edits.with_meta(program, ("", "sin"), stack_trace=None)
    assert "the computation itself is proved identical" in compare(program, lost).verdict


def test_explain_says_why_and_what():
    diff = compare(*all_layers())
    text = diff.explain("mul_1")
    assert "matched: " in text
    assert "wrong_result: args[1] changed" in text
    assert "the function is called on something else" in text
    assert "no difference" in diff.explain("add_1")
    assert "aten.cosh.default" in diff.explain("map_impl.f:cos")
    assert diff.explain(("map_impl.f", "cos")) == diff.explain("map_impl.f:cos")
    assert diff.explain("map_impl.f/cos") == diff.explain("map_impl.f:cos")
    with pytest.raises(DiffError, match="no node 'nope'"):
        diff.explain("nope")
    with pytest.raises(DiffError, match=r"did you mean mul_1"):
        diff.explain("mull_1")
    edited, _ = edits.insert_after(nested_program(), ("map_impl.f", "sin"))
    assert "no partner" in compare(nested_program(), edited).explain("map_impl.f:inserted")


def test_json_round_trip(tmp_path):
    a, b = all_layers()
    diff = compare(a, b, severities={"stack_trace": "cosmetic"}, ignore=[("torch_fn", "changed")])
    path = tmp_path / "diff.json"
    text = diff.to_json(path)
    assert json.loads(path.read_text()) == json.loads(text) == diff.to_dict()
    back = Diff.from_json(text)
    assert (back.verdict, back.ok, back.worst, back.proof) == (diff.verdict, diff.ok, diff.worst, diff.proof)
    assert str(back) == str(diff)
    assert back.mismatches.equals(diff.mismatches)
    assert back.nodes.equals(diff.nodes)
    assert back.patterns.equals(diff.patterns)
    assert back.settings == diff.settings
    assert back.quality == diff.quality
    assert Diff.from_json(path).to_dict() == diff.to_dict()
    with pytest.raises(DiffError, match="read back without its programs"):
        back.explain("mul")
    assert Diff.from_json(text, a=a, b=b).explain("mul") == diff.explain("mul")
    with pytest.raises(DiffError, match="not the program that was compared"):
        Diff.from_json(text, a=b, b=a)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": "graphlens.diff", "version": 99}',
        "\x00",
        '{"format": "graphlens.diff", "version": 1}',
    ],
)
def test_what_is_no_diff_is_refused_in_one_line(text, tmp_path):
    with pytest.raises(DiffError) as caught:
        Diff.from_json(text)
    assert "\n" not in str(caught.value)
    with pytest.raises(DiffError, match="cannot read"):
        Diff.from_json(tmp_path / "absent.json")


def test_json_has_no_number_that_json_lacks():
    program, place = nested_program(), ("map_impl.f", "mul_1")
    odd = Seq("list", (float("nan"), float("inf"), 1 + 2j, Const("dtype", "float32"), Map((("k", Ref("cos")),))))
    edited = edits.edit_node(program, place, args=(Ref("cos"), odd))
    data = compare(program, edited).to_dict()
    text = json.dumps(data, allow_nan=False)
    assert "nan" in text
    assert repr(Diff.from_json(text).rows[0].value_b) == repr(odd)


def test_junit():
    diff = compare(*all_layers())
    suite = ET.fromstring(diff.to_junit())
    assert int(suite.get("tests")) == len(suite.findall("testcase"))
    assert int(suite.get("failures")) == len(suite.findall(".//failure")) == 4
    mild = ET.fromstring(diff.to_junit(fail_on="wrong_result"))
    assert {case.get("name") for case in mild.findall("testcase") if case.find("failure") is None} == {"stack_trace"}
    same = ET.fromstring(compare(nested_program(), nested_program()).to_junit())
    assert same.findall(".//failure") == []
    with pytest.raises(DiffError, match="is not a severity"):
        diff.to_junit(fail_on="awful")


def test_markdown():
    text = compare(*all_layers()).to_markdown()
    assert text.startswith("❌ **different**: 4 wrong_result")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows[:5]}) == 1
    assert compare(nested_program(), nested_program()).to_markdown().startswith("✅ **identical")


HOSTILE = "a\x1b[31m|`<script>alert(1)</script>`\r\n# x\u202e@here [l](http://e.com) \x00 ]]>"


def hostile():
    program = nested_program()
    place = ("map_impl.f", "cos")
    a = edits.with_meta(
        program, place, stack_trace=f'File "{HOSTILE}", line 1, in f\n    x', custom=Map(((HOSTILE, HOSTILE),))
    )
    b, _ = edits.change_target(a, place)
    b = edits.with_meta(edits.edit_node(b, place, target=HOSTILE), place, custom=None, **{HOSTILE: HOSTILE})
    stored = tuple(replace(t, fqn=HOSTILE, dtype=HOSTILE) if t.fqn == "scale" else t for t in b.stored)
    return a, replace(b, stored=stored)


def test_hostile_text_moves_no_cursor():
    diff = compare(*hostile())
    for text in (str(diff), diff.verdict and str(diff.only("custom")), diff.explain(("map_impl.f", "cos"))):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
        assert HOSTILE not in text
    assert "\\x1b[31m" in str(diff)


def test_hostile_text_is_only_text_in_markdown():
    text = compare(*hostile()).to_markdown()
    assert "<script" not in text
    assert "[l](" not in text
    assert not re.search(r"(?<!\\)`", text)
    assert not re.search(r"http:|@here", text)
    assert "\x1b" not in text
    assert "&lt;script&gt;" in text
    tables = [line for line in text.splitlines() if line.startswith(("| wrong", "| breaks"))]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in tables} == {4}


def test_hostile_text_is_well_formed_xml_and_json():
    diff = compare(*hostile())
    suite = ET.fromstring(diff.to_junit())
    assert "<script>" in html.unescape(ET.tostring(suite, encoding="unicode"))
    assert Diff.from_json(diff.to_json()).mismatches.equals(diff.mismatches)


def test_own_severities():
    a, b = all_layers()
    assert compare(a, b, severities={"args": "cosmetic", "target": "debug_info"}).worst == "debug_info"
    diff = compare(a, b, severities={("stack_trace", "lost"): "wrong_result", "a*": "cosmetic"})
    assert {row.severity for row in diff.rows if row.field == "stack_trace"} == {"wrong_result"}
    assert {row.severity for row in diff.rows if row.field == "args"} == {"cosmetic"}
    weights = edits.change_one_element(a, "blocks.0.fc.weight")
    assert compare(a, weights, severities={"weights[blocks.0.*]": "cosmetic"}).worst == "cosmetic"
    assert compare(a, weights, severities={"weights": "debug_info"}).worst == "debug_info"


def test_ignored_rows_are_counted():
    a, b = all_layers()
    diff = compare(a, b, ignore="stack_trace")
    assert diff.ignored == 3
    assert "3 rows ignored" in diff.verdict
    quiet = compare(a, b, ignore=["stack_trace", ("args", "changed"), "target"])
    assert quiet.ok
    assert quiet.worst is None
    assert quiet.verdict.startswith("no difference left after ignoring 7 rows")


def test_stack_traces_within_a_tolerance():
    program, place = nested_program(), ("", "sin")
    trace = (
        'File "/home/a/model.py", line {}, in forward\n    x.sin()\nFile "torch/nn/functional.py", line {}, in f\n    y'
    )
    a = edits.with_meta(program, place, stack_trace=trace.format(10, 100))
    moved = edits.with_meta(program, place, stack_trace=trace.format(12, 100))
    elsewhere = edits.with_meta(program, place, stack_trace=trace.format(10, 100).replace("/home/a", "/build"))
    library = edits.with_meta(program, place, stack_trace=trace.format(10, 101))
    blank = edits.with_meta(program, place, stack_trace="  " + trace.format(10, 100))
    for other in (moved, elsewhere, library):
        assert compare(a, other).worst == "debug_info"
    assert compare(a, blank).worst == "cosmetic"
    assert compare(a, moved, stack_trace="no lines").ok
    assert compare(a, moved, stack_trace={"lines": 2}).ok
    assert not compare(a, moved, stack_trace={"lines": 1}).ok
    assert compare(a, elsewhere, stack_trace=StackTraces(prefixes=freeze({"/home/a": "", "/build": ""}))).ok
    assert compare(a, library, stack_trace="user").ok
    assert not compare(a, moved, stack_trace="user").ok


def test_what_depends_on_the_process_is_no_difference():
    program, place = nested_program(), ("", "sin")
    from graphlens.program.graph import ModuleCall, Provenance

    def made(number: int):
        trace = f'File "<eval_with_key>.{number}", line 3, in forward\n    x'
        source = Provenance("n", "t", "p", ("create",), number, (Provenance("m", "t", "p", ("create",), number + 1),))
        calls = (ModuleCall(f"{140000000000 + number}@1", "m", "M"),)
        marked = edits.with_meta(program, place, stack_trace=trace, from_node=(source,), nn_module_stack=calls)
        return edits.with_meta(edits.with_meta(marked, ("", "mul"), seq_nr=number + 7), ("", "add"), seq_nr=number + 9)

    assert compare(made(1), made(2)).ok
    again = edits.with_meta(made(2), ("", "mul"), seq_nr=50)
    assert {row.field for row in compare(made(1), again).rows} == {"seq_nr"}
    calls = (ModuleCall("140000000002@2", "m", "M"),)
    assert not compare(made(1), edits.with_meta(made(2), place, nn_module_stack=calls)).ok


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"profile": "nope"}, "profile='nope' does not exist"),
        ({"weights": "nope"}, "weights='nope' does not exist"),
        ({"stack_trace": "nope"}, "stack_trace='nope' does not exist"),
        ({"stack_trace": {"line": 3}}, "is no tolerance"),
        ({"severities": {"args": "awful"}}, "'awful' is not a severity"),
        ({"severities": {3: "cosmetic"}}, "selects no rows"),
        ({"ignore": [3]}, "selects no rows"),
    ],
)
def test_options_that_do_not_exist(options, message):
    with pytest.raises(DiffError, match=re.escape(message)) as caught:
        compare(nested_program(), nested_program(), **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("selector", ["stack_tarce", "val.shap", "arg", ("kwarg", "changed"), ("args", "chnged")])
def test_a_misspelt_field_is_no_field_without_differences(selector):
    diff = compare(*all_layers())
    for ask in (
        lambda: diff.only(selector),
        lambda: compare(*all_layers(), ignore=[selector]),
        lambda: compare(*all_layers(), severities={selector: "cosmetic"}),
    ):
        with pytest.raises(DiffError, match=r"did you mean|is no kind") as caught:
            ask()
        assert "\n" not in str(caught.value)
    named = [edits.with_meta(nested_program(), ("", "sin"), stack_tarce=i) for i in (1, 2)]
    assert len(compare(*named).only("stack_tarce").rows) == 1
    assert compare(*named, ignore=["stack_tarce", "some_private_*", "val.*"]).ok


def test_the_severity_table_is_whole():
    assert {rule.severity for rule in TABLE.values()} == set(SEVERITIES)
    assert all(rule.why and not rule.why.endswith(".") for rule in TABLE.values())
    assert (ANY, ANY, ANY) in TABLE
    assert rule_for("val.conj", "changed").severity == "wrong_result"
    assert rule_for("kwargs", "changed", "literal") == rule_for("args", "changed", "literal")
    assert rule_for("weights[a.b]", "changed", "value").severity == "wrong_result"
    assert rule_for("some_private_key", "lost").severity == "debug_info"
    assert rule_for("debug_handle", "lost").issue == "pytorch#141640"
    assert not rule_for("debug_handle", "changed").issue
    for (field, _, _), rule in TABLE.items():
        assert rule.issue == "" or re.fullmatch(r"[\w/]+#\d+", rule.issue), field


def test_a_field_that_nothing_knows_is_refused_with_those_there_are():
    program = nested_program()
    edited, _ = edits.change_literal(program, ("", "mul_1"))
    diff = compare(program, edited)
    with pytest.raises(DiffError, match="there is no field 'colour'; this diff has rows of args"):
        diff.only("colour")
    with pytest.raises(DiffError, match="no field 'colour'"):
        diff.only("args", ("colour", "lost"))
    for known in ("stack_trace", "val.shape", "weights[tied.weight]", "weights", "val.*", "torch_fn", "custom"):
        assert not diff.only(known).rows
    marked = edits.with_meta(program, ("", "sin"), colour="red")
    assert compare(program, marked).only("colour").rows
    assert not compare(marked, marked).only("colour").rows


def test_programs_that_depart_alike_are_told_together():
    program = nested_program()
    odd, _ = edits.change_literal(program, ("", "mul_1"))
    other, _ = edits.delete(program, ("", "sin"))
    many = compare_many([program, program, odd, odd, odd, other, program])
    assert "4 of 6 programs depart from rank0: rank2..5; rank2..4 first at wrong_result: args[1]" in many.verdict
    assert "; rank5 first at wrong_result" in many.verdict
    assert [line.partition(":")[0] for line in str(many).splitlines()[1:]] == [
        "  rank1, rank6",
        "  rank2..4",
        "  rank5",
    ]
    names = ["left", "right", "third", "fourth"]
    assert "depart from left: right, third, fourth" in compare_many([program, odd, odd, odd], names=names).verdict


def test_many_programs():
    program = nested_program()
    odd, _ = edits.change_literal(program, ("", "mul_1"))
    many = compare_many([program, program, odd, odd], names=["r0", "r1", "r2", "r3"])
    assert not many.ok
    assert many.departing == ("r2", "r3")
    assert many.worst == "wrong_result"
    assert many.verdict.startswith(
        "2 of 3 programs depart from r0: r2, r3; r2, r3 first at wrong_result: args[1] changed on mul_1"
    )
    assert str(many).splitlines()[1:] == [
        f"  {who}: {many.diffs[one].verdict}" for who, one in (("r1", "r1"), ("r2, r3", "r2"))
    ]
    table = many.table
    assert list(table.columns) == [
        "graph",
        "node",
        "target",
        "module",
        "field",
        "severity",
        "departs",
        "r0",
        "r1",
        "r2",
        "r3",
    ]
    assert list(table.iloc[0])[-5:] == [("r2", "r3"), "2.0", "2.0", "3.0", "3.0"]
    json.dumps(many.to_dict(), allow_nan=False)
    same = compare_many({"x": program, "y": program})
    assert same.ok
    assert same.verdict.startswith("all 2 programs are the same: identical")
    assert many.diffs["r2"] is many.diffs["r3"]
    with pytest.raises(DiffError, match="0 programs given; compare at least two"):
        compare_many([])
    stages = compare_many([program, odd, odd], against="previous")
    assert stages.departing == ("rank1",)
    for arguments in ([program], [program, program]):
        with pytest.raises(DiffError):
            compare_many(arguments, names=["a", "a"])
    with pytest.raises(DiffError, match="against='nope'"):
        compare_many([program, odd], against="nope")


SCRIPT = """
import sys
from graphlens.read import read
from graphlens.diff import compare
a, b = map(read, sys.argv[1:])
diff = compare(a, b)
for text in (str(diff), diff.to_markdown(), diff.to_junit(), diff.to_json()):
    assert text
assert "torch" not in sys.modules, "torch"
assert "pandas" not in sys.modules, "pandas"
assert len(diff.mismatches) == len(diff.rows)
print("done")
"""


def test_a_diff_of_archives_needs_neither_torch_nor_pandas():
    paths = [str(ARCHIVES / release / "decoder_static.pt2") for release in ("torch-2.13.0", "torch-2.9.1")]
    done = subprocess.run([sys.executable, "-c", SCRIPT, *paths], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "done", done.stderr


def test_equal_in_every_process():
    script = SCRIPT.split("for text")[0] + "print(diff.to_json())"
    paths = [str(ARCHIVES / release / "decoder_decomposed.pt2") for release in ("torch-2.13.0", "torch-2.5.1")]
    texts = {
        subprocess.run(
            [sys.executable, "-c", script, *paths],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(texts) == 1


def test_a_severity_for_a_field_that_nothing_has_is_refused():
    for options in ({"severities": {("nope", "changed"): "cosmetic"}}, {"ignore": ["nope"]}):
        with pytest.raises(DiffError, match="there is no field 'nope', and no node of either program"):
            compare(*all_layers(), **options)
    assert compare(*all_layers(), severities={"weights[any]": "cosmetic", "meta[x]": "cosmetic", "nope*": "cosmetic"})


def test_generated_code_names_no_counter_and_follows_from_its_node():
    """FX writes code of its own for a nested graph: its number is the process's, its text says the node once more."""
    trace = 'File "model.py", line 4, in forward\n    y\n  File "<eval_with_key>.{}", line 7, in forward\n    mul = sin * {}'

    def made(number: int, factor: float, *, literal: bool):
        program = edits.with_meta(nested_program(), ("", "mul"), stack_trace=trace.format(number, factor))
        node = edits.node_at(program, ("", "mul"))
        return edits.edit_node(program, ("", "mul"), args=(node.args[0], factor)) if literal else program

    diff = compare(made(3, 1.5, literal=True), made(8, 2.5, literal=True))
    row = next(row for row in diff.rows if row.field == "stack_trace")
    assert (row.cause, row.inherited_from, row.severity) == ("inherited", "mul", "cosmetic")
    assert (row.a, row.b) == ("mul = sin * 1.5", "mul = sin * 2.5")
    lone = compare(made(3, 1.5, literal=False), made(8, 2.5, literal=False))
    assert [(r.field, r.cause, r.severity) for r in lone.rows] == [("stack_trace", "root", "cosmetic")]
    for text in (str(diff), str(lone), diff.to_markdown(), diff.to_junit(), diff.explain("mul")):
        assert "eval_with_key>.3" not in text
        assert "eval_with_key>.8" not in text
