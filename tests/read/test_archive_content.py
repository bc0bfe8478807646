"""Elements of stored tensors, read from the file on demand and never kept."""

import io
import json

import numpy as np
import pytest
from hostile.archive_parts import DTYPES, members, packed

from graphlens.program.digest import digest_elements
from graphlens.read import archive_content, read

FLOAT32, BFLOAT16, COMPLEX64, INT8, INT64 = 7, 13, 10, 2, 5
NAMES = {FLOAT32: "float32", BFLOAT16: "bfloat16", COMPLEX64: "complex64", INT8: "int8", INT64: "int64"}


def archive(storage: bytes, dtype: int, shape, stride, offset=0, order=b"little"):
    """An archive with one weight."""
    parts = members(DTYPES)
    ints = lambda numbers: [{"as_int": n} for n in numbers]
    meta = {
        "dtype": dtype, "sizes": ints(shape), "requires_grad": False, "device": {"type": "cpu", "index": None},
        "strides": ints(stride), "storage_offset": {"as_int": offset}, "layout": 7,
    }  # fmt: skip
    table = {"config": {"h": {"path_name": "weight_0", "is_param": False, "use_pickle": False, "tensor_meta": meta}}}
    parts["dtypes/data/weights/model_weights_config.json"] = json.dumps(table).encode()
    parts["dtypes/data/weights/weight_0"] = storage
    parts["dtypes/byteorder"] = order
    return read(io.BytesIO(packed(parts))).stored[0]


VIEWS = [
    ((4, 6), (6, 1), 0), ((6, 4), (1, 6), 0), ((2, 3), (12, 2), 1), ((3, 2), (0, 1), 5), ((), (), 7), ((5,), (4,), 3),
    ((2, 1, 3), (6, 99, 1), 0), ((0, 3), (3, 1), 0), ((2, 2, 3), (1, 12, 4), 0), ((24,), (1,), 0), ((1,), (0,), 23),
]  # fmt: skip


@pytest.mark.parametrize("chunk", [1 << 22, 24, 8])
@pytest.mark.parametrize("span", [1 << 28, 40])
@pytest.mark.parametrize(("shape", "stride", "offset"), VIEWS)
def test_any_view_reads_in_logical_order(monkeypatch, shape, stride, offset, chunk, span):
    monkeypatch.setattr(archive_content, "_CHUNK_BYTES", chunk)
    monkeypatch.setattr(archive_content, "_SPAN_BYTES", span)
    values = np.arange(24, dtype="<f4") - 7
    stored = archive(values.tobytes(), FLOAT32, shape, stride, offset)
    view = np.lib.stride_tricks.as_strided(values[offset:], shape, [4 * s for s in stride])
    assert stored.content.element_bytes() == np.ascontiguousarray(view).tobytes()
    assert stored.content.digest() == digest_elements("float32", shape, [np.ascontiguousarray(view).tobytes()])


@pytest.mark.parametrize(
    ("dtype", "item"), [(FLOAT32, "f4"), (COMPLEX64, "c8"), (INT8, "i1"), (INT64, "i8"), (BFLOAT16, "u2")]
)
@pytest.mark.parametrize(("shape", "stride"), [((3, 4), (4, 1)), ((4, 3), (1, 4))])
def test_a_big_endian_archive_has_the_same_digests(dtype, item, shape, stride):
    values = np.arange(12, dtype=f"<{item}") + 1
    little = archive(values.tobytes(), dtype, shape, stride)
    big = archive(values.astype(f">{item}").tobytes(), dtype, shape, stride, order=b"big")
    assert big.content.digest() == little.content.digest()
    assert big.content.element_bytes() == little.content.element_bytes()


def test_digests_see_position_sign_shape_and_dtype():
    values = np.array([1.0, 2.0, 0.0, 4.0], dtype="<f4")
    other = values[::-1].copy()
    minus = np.array([1.0, 2.0, -0.0, 4.0], dtype="<f4")
    digests = {
        archive(values.tobytes(), FLOAT32, (4,), (1,)).content.digest(),
        archive(values.tobytes(), FLOAT32, (2, 2), (2, 1)).content.digest(),
        archive(values.tobytes(), FLOAT32, (2, 2), (1, 2)).content.digest(),
        archive(other.tobytes(), FLOAT32, (4,), (1,)).content.digest(),
        archive(minus.tobytes(), FLOAT32, (4,), (1,)).content.digest(),
        archive(values.tobytes(), INT64, (2,), (1,)).content.digest(),
    }
    assert len(digests) == 6


def test_a_path_is_opened_only_when_elements_are_asked_for(tmp_path):
    path = tmp_path / "weights.pt2"
    path.write_bytes(DTYPES.read_bytes())
    stored = {tensor.fqn: tensor for tensor in read(path).stored}
    expected = {tensor.fqn: tensor.content.digest() for tensor in read(DTYPES).stored}
    assert {fqn: tensor.content.digest() for fqn, tensor in stored.items()} == expected
    assert np.frombuffer(stored["q"].content.element_bytes(), dtype="i1").tolist() == [1] * 6
    assert stored["view_of_h"].content.element_bytes() == np.full(4, 0x3F80, dtype="<u2").tobytes()
    assert (stored["view_of_h"].kind, stored["h"].kind) == ("constant", "buffer")
    assert (stored["h"].member, stored["h"].nbytes) == ("dtypes/data/weights/weight_0", 12)


def test_a_closed_file_object_gives_an_error_of_ours():
    from graphlens.errors import ArchiveError

    file = io.BytesIO(DTYPES.read_bytes())
    content = read(file).stored[0].content
    assert content.digest()
    file.close()
    with pytest.raises(ArchiveError, match="cannot be read any more"):
        content.digest()


def test_what_fake_tensors_left_is_said():
    stored = archive(b"", FLOAT32, (2, 3), (3, 1))
    assert stored.content is None
    assert "fake tensors" in stored.note
    assert archive(b"", FLOAT32, (0, 3), (3, 1)).content.element_bytes() == b""
