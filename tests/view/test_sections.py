"""Objects as sections: round trips and results of rooms that the view does not know."""

import pandas as pd
import pytest

from graphlens.program.display import Displayable
from graphlens.stages.failure import Failure
from graphlens.stages.result import RoundTrip
from graphlens.stages.rows import Finding, LeafRow, StageRow
from graphlens.view import StaticView
from graphlens.view.build import build, build_payload
from graphlens.view.builder import Builder
from graphlens.view.options import Options
from graphlens.view.sections import frame_table
from graphlens.view.table import html_table
from graphlens.view.text import text_table


def cells(payload, table):
    return [
        ["" if c < 0 else payload.strings[c] for c in row]
        for row in zip(*(column.cells for column in table.columns), strict=True)
    ]


def table_of(payload, title):
    (table,) = [table for table in payload.sections[0].tables if table.title == title]
    return table


@pytest.fixture
def trip(make):
    return RoundTrip(
        name="Nested",
        stage_rows=(
            StageRow(stage="export", status="ok", seconds=0.25, graphs=6, nodes=40),
            StageRow(stage="decompose", status="failed", error="RuntimeError: <boom>"),
            StageRow(stage="reload", status="ok", seconds=0.5, graphs=6, nodes=40, against="export"),
        ),
        leaf_rows=(
            LeafRow(runtime="exported", leaf="output[0]", status="ok", equal=True, max_abs=0.0),
            LeafRow(runtime="reloaded", leaf="output[0]", status="different", equal=False, max_abs=1.5),
        ),
        programs={"export": make.nested(), "reload": make.nested(layers=2)},
        findings=(Finding(stage="reload", field="val", kind="changed", severity="wrong_result"),),
        failures={"decompose": Failure(type="RuntimeError", cause="<boom>", trace="Traceback\n  line\x1b[0m")},
    )


def test_a_round_trip_has_its_stages_outputs_programs_and_diffs(trip):
    payload = build_payload([trip])
    (section,) = payload.sections
    assert (section.kind, section.title, section.status) == ("roundtrip", "Nested", "fail")
    assert section.verdict == trip.verdict
    assert {(view.kind, view.label) for view in section.views} == {
        ("program", "export"),
        ("diff", "export → reload"),
        ("program", "reload"),
    }
    assert [row[:2] for row in cells(payload, table_of(payload, "Stages"))] == [
        ["export", "ok"],
        ["decompose", "failed"],
        ["reload", "ok"],
    ]
    failures = cells(payload, table_of(payload, "Failures"))
    assert failures[0][:3] == ["decompose", "RuntimeError", "<boom>"]
    assert "\x1b" not in str(failures)


def test_a_worst_diff_that_is_a_wrong_result_is_shown_first(trip):
    section = build_payload([trip]).sections[0]
    worst = trip.diffs["reload"].worst
    assert (section.views[0].kind == "diff") == (worst == "wrong_result")


def test_numbers_are_typed_for_sorting(trip):
    payload = build_payload([trip])
    types = {column.name: column.type for column in table_of(payload, "Outputs").columns}
    assert (types["max_abs"], types["equal"], types["runtime"]) == ("number", "bool", "text")


def test_a_round_trip_without_programs_is_tables(trip):
    bare = RoundTrip(name="Bare", stage_rows=(StageRow(stage="export", status="failed", error="x"),))
    payload = build_payload([bare])
    assert payload.sections[0].views == []
    assert "export" in str(StaticView((bare,), Options()))
    assert "<table>" in StaticView((bare,), Options()).html


class Result(Displayable):
    """A result that the view has never heard of."""

    name = "numerics"
    ok = False
    verdict = "they part at node_7"

    def __init__(self, programs):
        self.programs = programs

    @property
    def first_parting(self):
        return pd.DataFrame({"node": ["node_7", "<b>"], "gap": [0.5, float("nan")], "n": [3, 4]})

    @property
    def empty(self):
        return pd.DataFrame()


def test_an_unknown_result_is_its_verdict_tables_and_programs(nested):
    payload = build_payload([Result({"a": nested})])
    (section,) = payload.sections
    assert (section.kind, section.title, section.status, section.verdict) == (
        "tables",
        "numerics",
        "fail",
        "they part at node_7",
    )
    assert [view.label for view in section.views] == ["a"]
    (table,) = section.tables
    assert table.title == "First parting"
    assert [(column.name, column.type) for column in table.columns] == [
        ("node", "text"),
        ("gap", "number"),
        ("n", "number"),
    ]
    assert cells(payload, table) == [["node_7", "0.5", "3"], ["<b>", "", "4"]]


def test_tables_say_how_many_rows_they_leave_out(make):
    frame = pd.DataFrame({"i": range(100)})

    class Long(Displayable):
        @property
        def rows(self):
            return frame

    built = build((Long(),))
    table, strings = built.payload.sections[0].tables[0], built.payload.strings
    html = html_table(table, strings, most=10)
    assert html.count("<tr>") == 11
    assert "The first 10 of 100 rows." in html
    assert "… 90 more rows" in text_table(table, strings, most=10)


def test_an_html_table_is_a_real_one():
    class One(Displayable):
        @property
        def rows(self):
            return pd.DataFrame({"<i>": ["<script>"], "n": [1]})

    built = build((One(),))
    html = html_table(built.payload.sections[0].tables[0], built.payload.strings)
    assert html == (
        '<table><caption>Rows</caption><thead><tr><th scope="col">&lt;i&gt;</th><th scope="col">n</th></tr></thead>'
        '<tbody><tr><td>&lt;script&gt;</td><td class="number">1</td></tr></tbody></table>'
    )


def test_cells_of_a_frame_that_are_missing_are_empty():
    frame = pd.DataFrame({"n": pd.array([1, None], dtype="Int64"), "x": [float("nan"), 2.5], "t": [None, "<b>"]})
    builder = Builder("relative", 1)
    table = frame_table(builder, "frame", frame)
    assert [[cell == -1 for cell in column.cells] for column in table.columns] == [
        [False, True],
        [True, False],
        [True, False],
    ]
