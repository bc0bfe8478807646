"""Weights and constants of live programs: described without being copied, digested by what they say."""

import gc
import tracemalloc

import pytest
import torch
from read import live_models as models
from torch import nn

from graphlens.program.digest import CHUNK_BYTES, digest_elements
from graphlens.read import read
from graphlens.read.live_content import content_of


def digest(tensor):
    return content_of(tensor).digest()


def test_tied_weights_and_views_share_a_storage():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.head = nn.Embedding(8, 4), nn.Linear(4, 8, bias=False)
            self.head.weight = self.embed.weight
            self.register_buffer("part", torch.ones(4, 4)[1:])

        def forward(self, ids):
            return self.head(self.embed(ids)) + self.part.sum()

    program = read(torch.export.export(Tied(), (torch.zeros(1, dtype=torch.int64),)))
    table = program.weights().set_index("fqn")
    assert table.loc["embed.weight", "shared_with"] == ("head.weight",)
    assert table.loc["part", "shared_with"] == ()
    assert (table.loc["part", "storage_offset"], table.loc["part", "nbytes"]) == (4, 64)
    assert table.loc["embed.weight", "kind"] == "parameter"


def test_kinds_of_what_is_stored():
    kinds = {tensor.fqn: tensor.kind for tensor in read(models.shared()).stored}
    assert kinds["enc.0.weight"] == "parameter"
    assert kinds["unsaved"] == "buffer"
    assert kinds["constant"] == "constant"


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(24.0).reshape(2, 3, 4),
        torch.arange(24.0).reshape(2, 3, 4).transpose(0, 2),
        torch.arange(24.0).reshape(4, 6)[1:, ::2],
        torch.arange(3.0).expand(4, 3),
        torch.tensor(3.5),
        torch.tensor([True, False]),
        torch.arange(6, dtype=torch.int8),
        torch.ones(0, 3),
        torch.arange(4.0, requires_grad=True),
        torch.arange(8.0)[::8],
        torch.arange(8.0).as_strided((1, 1), (7, 5), 3),
    ],
    ids=lambda tensor: f"{tensor.dtype}{tuple(tensor.shape)}",
)
def test_elements_are_the_bytes_in_logical_order(tensor):
    expected = tensor.detach().numpy().copy(order="C").tobytes()
    assert content_of(tensor).element_bytes() == expected
    name = str(tensor.dtype).removeprefix("torch.")
    assert digest(tensor) == digest_elements(name, tuple(tensor.shape), [expected])


def test_conjugate_and_negative_bits_are_resolved():
    z = torch.tensor([1 + 2j, 3 - 4j])
    assert digest(z.conj()) == digest(z.conj().resolve_conj()) != digest(z)
    imaginary = z.conj().imag
    assert imaginary.is_neg()
    assert digest(imaginary) == digest(torch.tensor([-2.0, 4.0]))


def test_position_sign_dtype_and_shape_are_seen():
    base = torch.tensor([1.0, 2.0, 0.0, 0.0])
    others = [
        torch.tensor([2.0, 1.0, 0.0, 0.0]),
        torch.tensor([-1.0, 2.0, 0.0, 0.0]),
        torch.tensor([1.0, 2.0, -0.0, 0.0]),
        base.double(),
        base.view(torch.int32),
        base.reshape(2, 2),
    ]
    assert len({digest(base), *map(digest, others)}) == 7


@pytest.mark.parametrize(
    "dtype", [torch.bfloat16, torch.float16, torch.float8_e4m3fn, torch.complex64, torch.complex128]
)
def test_dtypes_without_a_numpy_twin(dtype):
    tensor = torch.ones(3, 2).to(dtype)
    assert len(content_of(tensor).element_bytes()) == tensor.numel() * tensor.element_size()
    assert digest(tensor) == digest(tensor.clone())
    assert digest(tensor) != digest(torch.zeros(3, 2).to(dtype))


def test_a_transposed_view_digests_like_its_copy_however_it_is_cut(monkeypatch):
    from graphlens.read import live_content

    tensor = torch.randn(37, 5, 11).transpose(0, 2)
    whole = digest(tensor)
    for limit in (4, 64, 1000):
        monkeypatch.setattr(live_content, "CHUNK_BYTES", limit)
        assert digest(tensor) == whole == digest(tensor.contiguous())


def test_large_tensors_are_not_copied_whole():
    tensor = torch.zeros(16, CHUNK_BYTES // 4).t()
    content_of(tensor).digest()
    gc.collect()
    tracemalloc.start()
    content_of(tensor).digest()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < CHUNK_BYTES


def test_fake_and_meta_tensors_have_no_elements():
    from torch._subclasses.fake_tensor import FakeTensorMode

    assert content_of(torch.empty(2, device="meta")) is None
    with FakeTensorMode():
        assert content_of(torch.empty(2)) is None
    with torch.device("meta"):
        model = nn.Linear(2, 2)
    program = read(torch.export.export(model, (torch.empty(1, 2, device="meta"),)))
    weight = next(tensor for tensor in program.stored if tensor.fqn == "weight")
    assert (weight.device, weight.content) == ("meta", None)
    assert "no elements" in weight.note
    assert "f32[2, 2]" in str(program)


def test_content_follows_the_tensor_even_through_data():
    tensor = torch.zeros(3)
    content = content_of(tensor)
    before = content.digest()
    tensor.data[1] = 5
    assert content.digest() != before == digest(torch.zeros(3))
    assert content_of(tensor) is content


def test_sparse_tensors_are_digested_by_their_parts():
    dense = torch.tensor([[0.0, 1.0], [2.0, 0.0]])
    for convert in (torch.Tensor.to_sparse, torch.Tensor.to_sparse_csr):
        assert digest(convert(dense)) == digest(convert(dense.clone())) is not None
        assert digest(convert(dense)) != digest(convert(dense.t().contiguous()))
        assert content_of(convert(dense)).element_bytes() is None


def test_wrapper_subclasses_are_digested_by_their_parts():
    from torch.testing._internal.two_tensor import TwoTensor

    one = TwoTensor(torch.ones(2), torch.zeros(2))
    assert digest(one) == digest(TwoTensor(torch.ones(2), torch.zeros(2))) is not None
    assert digest(one) != digest(TwoTensor(torch.zeros(2), torch.ones(2)))


class Mine(torch.Tensor):
    pass


class Opaque(torch.Tensor):
    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        raise NotImplementedError


class Scaled(torch.Tensor):
    @staticmethod
    def __new__(cls, inner, scale):
        return torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype)

    def __init__(self, inner, scale):
        self.inner, self.scale = inner, scale

    def __tensor_flatten__(self):
        return ["inner"], {"scale": self.scale}

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        raise NotImplementedError


def per_tensor(values, scale):
    return torch._make_per_tensor_quantized_tensor(torch.tensor(values, dtype=torch.int8), scale, 0)


def per_channel(values, scale):
    elements = torch.tensor([values], dtype=torch.int8)
    return torch._make_per_channel_quantized_tensor(elements, torch.tensor([scale]), torch.tensor([0]), 0)


def of_two_lengths(value):
    return torch.nested.nested_tensor([torch.ones(2) * value, torch.ones(3)])


PAIRS = {
    "subclass": lambda: (torch.ones(2).as_subclass(Mine), torch.zeros(2).as_subclass(Mine)),
    "subclass or not": lambda: (torch.ones(2).as_subclass(Mine), torch.ones(2)),
    "context of a wrapper": lambda: (Scaled(torch.ones(2), 2.0), Scaled(torch.ones(2), 3.0)),
    "quantised elements": lambda: (per_tensor([1, 2], 0.1), per_tensor([1, 3], 0.1)),
    "quantised scale": lambda: (per_tensor([1, 2], 0.1), per_tensor([1, 2], 0.2)),
    "quantised by channel": lambda: (per_channel([1, 2], 0.1), per_channel([1, 2], 0.2)),
    "mkldnn": lambda: (torch.ones(2).to_mkldnn(), torch.zeros(2).to_mkldnn()),
    "nested": lambda: (of_two_lengths(1), of_two_lengths(2)),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", PAIRS)
def test_tensors_that_are_made_of_others_are_told_apart(name):
    (one, two), (again, _) = PAIRS[name](), PAIRS[name]()
    assert digest(one) is not None
    assert digest(one) == digest(again)
    assert digest(one) != digest(two)


def test_a_subclass_that_hides_its_elements_is_unknown():
    assert digest(torch.ones(2).as_subclass(Opaque)) is None


def test_inference_tensors():
    with torch.inference_mode():
        tensor = torch.ones(3)
    assert digest(tensor) == digest(torch.ones(3))


def test_constants_of_graph_modules_are_named_from_the_root():
    inner = models.body(torch.sin)
    inner.constant = torch.ones(3)
    with inner.graph.inserting_before():
        inner.graph.create_node("get_attr", "constant")
    gm = models.holder(lambda graph, x: graph.call_module("inner", (x,)), inner=inner)
    assert [(tensor.fqn, tensor.kind) for tensor in read(gm).stored] == [("inner.constant", "constant")]


def test_what_a_pass_left_unlifted_in_an_exported_program_is_stored_too():
    ep = torch.export.export(nn.ReLU(), (torch.ones(2),))
    gm = ep.graph_module
    gm.late = torch.full((2,), 7.0)
    with gm.graph.inserting_before(next(node for node in gm.graph.nodes if node.op == "call_function")):
        gm.graph.create_node("get_attr", "late")
    stored = {tensor.fqn: tensor for tensor in read(ep).stored}
    assert stored["late"].kind == "constant"
    assert stored["late"].content.digest() == digest(torch.full((2,), 7.0))


def test_other_attributes_are_listed_by_type():
    gm = models.body(torch.sin)
    gm.spec = torch.utils._pytree.tree_structure((1, 2))
    with gm.graph.inserting_before():
        gm.graph.create_node("get_attr", "spec")
    stored = read(gm).stored
    assert [(tensor.fqn, tensor.kind, tensor.type) for tensor in stored] == [
        ("spec", "custom_obj", "torch.utils._pytree.TreeSpec")
    ]
    gm.spec = torch.utils._pytree.tree_structure((1, 2))
    assert read(gm).stored[0].content.digest() == stored[0].content.digest()
    gm.spec = torch.utils._pytree.tree_structure([1, 2])
    assert read(gm).stored[0].content.digest() != stored[0].content.digest()
