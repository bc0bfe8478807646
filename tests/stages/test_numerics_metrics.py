import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlens.stages.numerics import sums
from graphlens.stages.numerics.metrics import difference

FLOATS = [torch.float64, torch.float32, torch.float16, torch.bfloat16]


def order(value, dtype):
    """Number of a floating-point value among those of its dtype, from its bits alone."""
    bits = {8: torch.int64, 4: torch.int32, 2: torch.int16}[torch.tensor([], dtype=dtype).element_size()]
    number = int(torch.tensor([value], dtype=dtype).view(bits))
    return number if number >= 0 else -(number & (2 ** (8 * torch.tensor([], dtype=dtype).element_size() - 1) - 1))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(FLOATS),
    st.lists(st.tuples(*[st.floats(-100, 100, width=16)] * 2), min_size=1, max_size=40),
    st.integers(1, 12),
)
def test_errors_of_any_two_vectors(dtype, pairs, piece):
    a = torch.tensor([x for x, _ in pairs], dtype=dtype)
    b = torch.tensor([y for _, y in pairs], dtype=dtype)
    before = sums.PIECE
    sums.PIECE = piece
    try:
        found = difference(a, b)
    finally:
        sums.PIECE = before
    x, y = a.double(), b.double()
    error = (y - x).abs()
    bits = sum(not (p == q and math.copysign(1, p) == math.copysign(1, q)) for p, q in zip(x.tolist(), y.tolist()))
    assert found.equal == (bits == 0)
    assert found.differ == bits
    assert found.max_abs == pytest.approx(float(error.max()))
    assert found.mean_abs == pytest.approx(float(error.mean()))
    assert found.max_ulp == max(abs(order(p, dtype) - order(q, dtype)) for p, q in zip(a.tolist(), b.tolist()))
    if bits and float(x.norm()):
        assert found.rms_rel == pytest.approx(float(error.norm() / x.norm()))
        if float(y.norm()):
            assert found.cosine == pytest.approx(float(torch.dot(x, y) / x.norm() / y.norm()), abs=1e-12)
    if bits and float(error.max()):
        assert float(error[int(found.worst.strip("[]"))]) == float(error.max())


def test_nan_is_nan_whatever_its_bits():
    quiet = torch.tensor([0x7FC00000, 0x3F800000], dtype=torch.int32).view(torch.float32)
    other = torch.tensor([0x7FC00001, 0x3F800000], dtype=torch.int32).view(torch.float32)
    assert difference(quiet, other).equal
    assert difference(torch.tensor([math.nan]), torch.tensor([1.0])).nan == 1


def test_sign_of_zero_and_of_infinity():
    found = difference(torch.tensor([0.0, 1.0]), torch.tensor([-0.0, 1.0]))
    assert (found.equal, found.differ, found.max_abs, found.max_ulp) == (False, 1, 0.0, 0)
    found = difference(torch.tensor([math.inf, 1.0]), torch.tensor([-math.inf, 2.0]))
    assert (found.inf, found.max_abs) == (1, 1.0)
    assert difference(torch.tensor([math.inf]), torch.tensor([math.inf])).equal


def test_strides_views_and_pieces_do_not_matter(monkeypatch):
    base = torch.randn(40, 50)
    other = base.clone()
    other[17, 31] += 1
    whole = difference(base, other)
    monkeypatch.setattr(sums, "PIECE", 7)
    for a, b in ((base, other), (base.T, other.T), (base.T.contiguous().T, other)):
        found = difference(a, b)
        assert (found.differ, found.max_abs) == (1, whole.max_abs)
        assert found.rms_rel == pytest.approx(whole.rms_rel)
    assert difference(base, other).worst == "[17, 31]"
    assert difference(base.T, other.T).worst == "[31, 17]"


def test_integers_beyond_double_precision():
    found = difference(torch.tensor([2**62 + 1]), torch.tensor([2**62]))
    assert (found.equal, found.differ, found.max_abs) == (False, 1, 1.0)
    assert difference(torch.tensor([True, False]), torch.tensor([True, True])).differ == 1


def test_dtype_shape_and_type_are_notes():
    x = torch.randn(4)
    assert difference(x, x.double()).note == "dtype float64, not float32"
    assert not difference(x, x.double()).equal
    assert difference(x, x[:3]).note == "shape [3], not [4]"
    assert difference(x, None).note == "NoneType, not Tensor"
    assert difference(3, 3.0).note == "float, not int"
    assert difference(1, True).note == "bool, not int"
    assert difference((x, x), (x,)).note == "1 values, not 2"


def test_containers_and_plain_values():
    x = torch.randn(4)
    assert difference((x, [1, None]), [x, (1, None)]).equal
    found = difference({"k": (x, x)}, {"k": (x, x + 1)})
    assert found.worst.startswith("['k'][1][")
    assert found.numel == 8
    assert difference("a", "b").note == "'b', not 'a'"
    assert difference(torch.float32, torch.float32).equal
    strange = difference(object(), object())
    assert not strange.comparable
    assert not strange.equal


def test_complex_conj_sparse_quantized_and_empty():
    z = torch.randn(3, dtype=torch.complex64)
    assert difference(z.conj(), z.conj().resolve_conj()).equal
    assert difference(z, z + 0.1j).max_abs == pytest.approx(0.1, rel=1e-5)
    assert difference(z, z * math.nan).nan == 3
    eye = torch.eye(3)
    assert difference(eye.to_sparse(), eye.to_sparse()).equal
    assert difference(eye.to_sparse(), 2 * eye.to_sparse()).max_abs == 1
    quantized = torch.quantize_per_tensor(eye, 0.1, 0, torch.qint8)
    assert difference(quantized, quantized).equal
    assert difference(torch.zeros(0), torch.zeros(0)).equal
    assert difference(torch.tensor(2.0), torch.tensor(2.5)).worst == ""


def test_eight_bit_floats():
    a = torch.tensor([1.0, -2.0]).to(torch.float8_e4m3fn)
    b = torch.tensor([1.125, -2.0]).to(torch.float8_e4m3fn)
    assert difference(a, a.clone()).equal
    assert difference(a, b).max_abs == 0.125
