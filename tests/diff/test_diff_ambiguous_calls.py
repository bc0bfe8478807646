"""The nested graphs of a call that may have become any of several: they are on both sides, and nobody knows which they are."""

from __future__ import annotations

import importlib

import pytest
from diff.exports import nested_program
from diff.law import every_node_once
from msgspec.structs import replace

from graphlens.diff.alignment import Ambiguous, bodies_of_ambiguous
from graphlens.diff.comparison import judge_alignment
from graphlens.diff.settings import make_settings
from graphlens.diff.verify import verify

CALL = "cond"


@pytest.fixture(scope="module")
def unclear():
    """The nested program with itself, its `cond` taken for ambiguous."""
    program = nested_program()
    alignment = importlib.import_module("graphlens.diff.align").align(program, program)
    root, *bodies = alignment.graphs
    inside = tuple(path for path in program.graphs if path.startswith(f"{CALL}."))
    root = replace(
        root,
        pairs=tuple(pair for pair in root.pairs if pair.a != CALL),
        ambiguous=(*root.ambiguous, Ambiguous(a=(CALL,), b=(CALL,), reason="alike")),
    )
    kept = tuple(graph for graph in bodies if graph.path_a not in inside)
    alignment = replace(alignment, graphs=(root, *kept), only_a=inside, only_b=inside)
    assert len(inside) > 2, "the test needs a body inside a body"
    settings = make_settings(profile="all", pins=(), severities=None, ignore=(), stack_trace="exact", weights="digest")
    return judge_alignment(program, program, alignment, verify(program, program, alignment), settings), inside


def test_bodies_are_told_to_belong_to_the_call(unclear):
    diff, inside = unclear
    assert bodies_of_ambiguous(diff.alignment) == (dict.fromkeys(inside, CALL), dict.fromkeys(inside, CALL))
    rows = [row for row in diff.rows if row.graph in inside]
    assert {(row.kind, row.cause, row.inherited_from, row.severity) for row in rows} == {
        ("ambiguous", "inherited", CALL, "breaks_pass")
    }
    assert not [row for row in diff.rows if row.kind in ("only_a", "only_b")]
    assert sum(row.kind == "ambiguous" and row.cause == "root" for row in diff.rows) == 1


def test_tables_and_counts_say_the_same(unclear):
    diff, inside = unclear
    size = sum(len(diff.a.graphs[path]) for path in inside)
    assert {row.match for row in diff.node_rows if row.graph in inside} == {"ambiguous"}
    assert (diff.quality.only_a, diff.quality.only_b, diff.quality.ambiguous) == (0, 0, 2 * size + 2)
    every_node_once(diff)


def test_a_node_inside_says_whose_it_is(unclear):
    diff, inside = unclear
    node = diff.a.graphs[inside[0]].nodes[0].name
    assert diff.explain((inside[0], node)).endswith(f"which belongs to {CALL}: that call is ambiguous")


def test_they_are_drawn_as_ambiguous(unclear):
    diff, inside = unclear
    data = importlib.import_module("graphlens.view.build").build_payload([diff])
    strings, shown = data.strings, data.diffs[0]
    keys = [strings[key].lstrip("+") for key in shown.scene.boxes.key]
    status = {status for key, status in zip(keys, shown.status, strict=True) if key.rpartition("/")[0] in inside}
    assert status == {"ambiguous"}


def test_a_graph_of_a_call_that_is_gone_is_not_ambiguous(unclear):
    diff, _ = unclear
    alignment = replace(diff.alignment, graphs=tuple(replace(g, ambiguous=()) for g in diff.alignment.graphs))
    assert bodies_of_ambiguous(alignment) == ({}, {})
