"""Two values of one leaf: bits, NaN, signs of zero, facets, layouts; and the state of a module put back."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from graphlens.stages.failure import failure_of
from graphlens.stages.leaves import compare_leaf
from graphlens.stages.state import changes, restore, snapshot
from graphlens.stages.tree import clone_inputs, realize

FLOATS = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2]


@given(st.lists(st.floats(width=32), min_size=1, max_size=8))
def test_a_tensor_equals_itself(numbers):
    tensor = torch.tensor(numbers)
    assert compare_leaf(tensor, tensor.clone()).equal


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=8), st.integers(0, 7))
def test_one_changed_bit_is_seen(numbers, at):
    tensor = torch.tensor(numbers)
    other = tensor.clone()
    bits = other.view(torch.int32)
    bits[at % len(numbers)] ^= 1
    assert not compare_leaf(tensor, other).equal


@pytest.mark.parametrize("dtype", FLOATS)
def test_all_floating_types(dtype):
    a = torch.tensor([1.0, float("nan"), 0.5]).to(dtype)
    assert compare_leaf(a, a.clone()).equal
    assert not compare_leaf(a, torch.tensor([1.0, float("nan"), 0.25]).to(dtype)).equal


def test_signs_of_zero_differ():
    found = compare_leaf(torch.tensor([0.0]), torch.tensor([-0.0]))
    assert not found.equal
    assert "only in the sign of zero" in found.why
    assert not compare_leaf(0.0, -0.0).equal


def test_how_far_apart():
    found = compare_leaf(torch.tensor([1.0, 2.0, float("nan")]), torch.tensor([1.0, 2.5, 3.0]))
    assert (found.max_abs, found.max_rel) == (0.5, 0.25)
    assert "2 of 3 elements differ" in found.why
    assert "1 NaN on one side only" in found.why


def test_bits_of_views_are_resolved():
    a = torch.tensor([1 + 2j]).conj()
    assert compare_leaf(a, a.resolve_conj()).equal
    assert not compare_leaf(a, a.resolve_conj().conj()).equal
    assert compare_leaf(a.imag, a.imag.resolve_neg()).equal


@pytest.mark.parametrize(
    ("a", "b", "why"),
    [
        (torch.ones(2), torch.ones(3), "shape [3], not [2]"),
        (torch.ones(2), torch.ones(2).double(), "dtype float64, not float32"),
        (torch.ones(2), torch.ones(2, device="meta"), "device meta, not cpu"),
        (torch.eye(2), torch.eye(2).to_sparse(), "layout sparse_coo, not strided"),
        (1, True, "bool, not int"),
        (1, 1.0, "float, not int"),
        (None, 0, "int, not NoneType"),
        ("a", "b", "'b', not 'a'"),
    ],
)
def test_facets_and_types(a, b, why):
    found = compare_leaf(a, b)
    assert not found.equal
    assert found.why == why


def test_other_leaves():
    assert compare_leaf(None, None).equal
    assert compare_leaf(math.nan, math.nan).equal
    assert compare_leaf(2**70, 2**70).equal
    assert not compare_leaf(2**70, 2**70 + 1).equal
    assert compare_leaf(torch.eye(2).to_sparse(), torch.eye(2).to_sparse()).equal
    assert compare_leaf(torch.empty(0), torch.empty(0)).equal


def test_inputs_are_cloned_with_their_sharing():
    base = torch.arange(6.0)
    (a, b), _ = clone_inputs((base[:3], base[2:]), {})
    a[2] = 9
    assert b[0] == 9
    assert base[2] == 2
    x = torch.ones(2)
    (one, two), _ = clone_inputs((x, x), {})
    assert one is two
    assert one is not x


def test_hollow_inputs_become_the_same_real_ones_each_time():
    meta = torch.empty(2, 3, device="meta").t()
    one, two = realize(meta), realize(meta)
    assert torch.equal(one, two)
    assert (one.shape, one.stride(), one.device.type) == (meta.shape, meta.stride(), "cpu")


class Stateful(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))
        self.register_buffer("seen", torch.zeros(2))
        self.plain, self.calls = torch.zeros(2), 0


def test_state_is_seen_and_put_back():
    model = Stateful()
    before = snapshot(model)
    objects = (model.weight, model.seen, model.plain)
    with torch.no_grad():
        model.weight.add_(1)
    model.seen = model.seen + 1
    model.plain.add_(1)
    model.calls = 5
    model.fresh = 1
    assert set(changes(before)) == {"state weight", "state seen", "state plain"}
    assert restore(before) == ()
    now = (model.weight, model.seen, model.plain)
    assert all(one is other for one, other in zip(now, objects, strict=True))
    assert model.weight.tolist() == [1, 1]
    assert model.seen.tolist() == model.plain.tolist() == [0, 0]
    assert model.calls == 0
    assert not hasattr(model, "fresh")
    assert changes(before) == {}


def test_a_parameter_too_large_to_copy_is_named(monkeypatch):
    import graphlens.stages.state as state

    monkeypatch.setattr(state, "CLONE_LIMIT", 0)
    model = Stateful()
    before = snapshot(model)
    with torch.no_grad():
        model.weight.add_(1)
    assert set(changes(before)) == {"state weight"}
    assert restore(before) == ("weight",)


def test_failures_in_one_line():
    try:
        raise ValueError("first\n\nsecond paragraph")
    except ValueError as error:
        failure = failure_of(error)
    assert (failure.type, failure.cause) == ("ValueError", "first")
    assert failure.where.startswith("test_leaves.py:")
    assert 'raise ValueError("first' in failure.where
    assert "second paragraph" in failure.trace


def test_a_failure_without_words_tells_its_cause():
    try:
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise RuntimeError from error
    except RuntimeError as error:
        failure = failure_of(error)
    assert failure.cause == "'inner'"


def test_very_long_messages_are_cut():
    assert len(failure_of(ValueError("x" * 5000)).cause) == 300
