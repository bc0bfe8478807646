"""Every known edit in the root and in every nested body, one level down and two: each gives its rows and no other root."""

from __future__ import annotations

from typing import Any

import pytest
from diff import edits
from diff.edits import check, roots
from diff.matrix import EDITS, METADATA, everywhere, metadata
from diff.rooms import ROOMS, rooms

from graphlens.diff import Diff, compare

CELLS = [(name, path) for name, edit in EDITS.items() for path in edit.rooms if not name.startswith("val.")]


def judged(diff: Diff, name: str, expected: set[edits.Row]) -> None:
    """The rows, the worst severity and the proof; what follows from an edit says so."""
    edit = EDITS[name]
    assert roots(diff) == expected, str(diff)
    assert (diff.worst, diff.proof.same) == (edit.worst, edit.same), str(diff)
    touched = {node for _, *pair, _, _ in expected for node in pair}
    for row in diff.rows:
        if row.cause == "inherited":
            assert row.inherited_from in touched, row
            assert row.field in ("args", "name", "order", "kwargs"), row


def test_the_program_has_every_kind_of_body():
    assert set(rooms().graphs) == set(ROOMS)
    check(rooms(), rooms(), set())


@pytest.mark.parametrize(("name", "path"), CELLS)
def test_an_edit_in_one_graph(name, path):
    edited, expected = EDITS[name].make(rooms(), path)
    assert expected
    judged(compare(rooms(), edited), name, expected)


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_in_every_graph_at_once(name):
    edited, expected = everywhere(rooms(), EDITS[name])
    assert len({path for path, *_ in expected}) == len(EDITS[name].rooms)
    judged(check(rooms(), edited, expected), name, expected)


@pytest.mark.parametrize("sides", [("old", "new"), ("old", ""), ("", "old")], ids=["changed", "lost", "added"])
@pytest.mark.parametrize("path", ROOMS)
def test_every_key_of_metadata(path: str, sides: Any):
    a, b, expected = metadata(rooms(), path, sides)
    assert len(expected) == len(METADATA)
    diff = compare(a, b)
    assert roots(diff) == expected, str(diff)
    assert diff.proof.same
    assert diff.worst != "wrong_result"
