"""Duplicates that only the source tells apart: names and order are counted anew by every tracer."""

from __future__ import annotations

import random

import pytest
from diff.edits import scramble
from diff.models import exported

from graphlens.diff import compare
from graphlens.read import read


@pytest.mark.parametrize("seed", range(3))
def test_equal_positions_of_encoder_and_decoder_are_told_by_their_source(seed):
    """Both halves of T5 count the same positions; either may stand for the other, and each has its own line."""
    a = read(exported("t5"))
    diff = compare(a, scramble(a, random.Random(seed)))
    assert diff.proof.level.startswith("identical")
    assert {row.field for row in diff.rows} <= {"name", "order"}
