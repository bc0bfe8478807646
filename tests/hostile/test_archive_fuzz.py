"""A bounded share of ``make fuzz``: mutants are read or refused in one line, never anything else."""

import random
from functools import cache

import pytest
from hostile.fuzz_archive import exercise, mutate, mutate_members, sources
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SETTINGS = settings(
    max_examples=250, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
starts = cache(sources)


@SETTINGS
@given(st.integers(0, 1 << 64), st.integers(0, 7))
def test_mutants_are_read_or_refused(seed, which):
    exercise(mutate(starts()[which], random.Random(seed)))


def test_enough_mutants_get_far():
    """Mutation must not only make files that are refused at the door."""
    rng = random.Random(0)
    results = [exercise(mutate_members(rng.choice(starts()), rng)) for _ in range(100)]
    assert results.count("read") > 25
    assert results.count("refused") > 10


def test_a_finding_is_found(monkeypatch):
    """An exception from inside a parser does not pass for a refusal."""
    from graphlens.read import archive

    def broken(*args):
        raise KeyError("inside")

    monkeypatch.setattr(archive, "build_graph", broken)
    with pytest.raises(KeyError):
        exercise(starts()[0])
