"""Every subject of PyTorch's own serialization tests goes through the round trip (test/export/test_serialize.py)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn
from torch.export import Dim

from graphlens.stages import RoundTrip, roundtrip


class Subject(NamedTuple):
    model: Callable[..., Any] | nn.Module
    args: tuple = ()
    kwargs: dict | None = None
    dynamic: Any = None
    strict: bool = False
    expect: dict[str, str] = {}
    """Runtime or stage that fails on this torch, and a word of the cause."""


class Of(nn.Module):
    """A module around a function, with whatever state the subject needs."""

    def __init__(self, function: Callable[..., Any], **state: Any) -> None:
        super().__init__()
        self.function = function
        for name, value in state.items():
            if isinstance(value, nn.Parameter | nn.Module):
                setattr(self, name, value)
            elif isinstance(value, torch.Tensor) and name.startswith("buffer"):
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(self, *args, **kwargs)


SUBJECTS: dict[str, Callable[[], Subject]] = {}


def subject(make: Callable[[], Subject]) -> Callable[[], Subject]:
    SUBJECTS[make.__name__] = make
    return make


@pytest.fixture(scope="module", autouse=True)
def custom_ops():
    lib = torch.library.Library("graphlens_subjects", "FRAGMENT")
    lib.define(
        "write(Tensor(a!) x, Tensor[] y, Tensor(b!) z, SymInt w, Tensor n) -> Tensor", tags=torch.Tag.pt2_compliant_tag
    )
    lib.define("pair(Tensor x, Tensor y) -> (Tensor, Tensor[])", tags=torch.Tag.pt2_compliant_tag)
    lib.define("maybe(Tensor x, Tensor? y, int[2]? sizes=None) -> Tensor", tags=torch.Tag.pt2_compliant_tag)

    def write(x, y, z, w, n):
        x.add_(y[0] + w)
        z.add_(y[1] + n)
        return n + n

    for key in ("CPU", "Meta"):
        lib.impl("write", write, key)
        lib.impl("pair", lambda x, y: (y.clone(), [x.clone()]), key)
        lib.impl("maybe", lambda x, y, sizes=None: x.clone() if y is None else x + y, key)
    yield
    lib._destroy()


@subject
def autograd_context() -> Subject:
    def forward(_, x):
        with torch.enable_grad():
            y = x + x
        with torch.no_grad():
            z = y * 2
        return y, z

    return Subject(Of(forward), (torch.ones(10),))


@subject
def example_inputs_with_kwargs() -> Subject:
    return Subject(
        Of(lambda _, x, scale=None, *, shift: x * scale + shift),
        (torch.randn(3),),
        {"scale": torch.tensor(2.0), "shift": torch.ones(3)},
    )


@subject
def layers_split_over_modules() -> Subject:
    layers = nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.ReLU(), nn.Linear(3, 2)))
    return Subject(layers, (torch.randn(2, 3),))


@subject
def names_with_brackets() -> Subject:
    block = nn.Module()
    block.add_module("a[(:,;b", nn.Linear(3, 3))
    block.forward = lambda x: getattr(block, "a[(:,;b")(x)
    return Subject(
        Of(lambda self, x: getattr(self.inner, "a[(:,;b")(x), inner=block), (torch.randn(2, 3),), expect={"reload": ""}
    )


@subject
def parameter_mutation() -> Subject:
    def forward(self, x):
        with torch.no_grad():
            self.weight.add_(1)
        return x * self.weight

    return Subject(
        Of(forward, weight=nn.Parameter(torch.ones(3))), (torch.randn(3),), expect={"decomposed": "leaf Variable"}
    )


@subject
def buffer_mutation() -> Subject:
    def forward(self, x):
        self.buffer.add_(x.sum())
        return x * self.buffer

    return Subject(Of(forward, buffer=torch.zeros(3)), (torch.randn(3),))


@subject
def input_mutation() -> Subject:
    return Subject(Of(lambda _, x, y: (x.mul_(2), y + x)), (torch.randn(3), torch.randn(3)))


@subject
def constant_and_none_outputs() -> Subject:
    return Subject(Of(lambda _, x: (x + 1, None, 7, True, 2.5)), (torch.randn(3),))


@subject
def several_and_unused_returns() -> Subject:
    return Subject(Of(lambda _, x: (torch.ops.aten.var_mean.correction(x, [1])[0], x.topk(2)[1])), (torch.randn(4, 4),))


@subject
def symbolic_int() -> Subject:
    return Subject(
        Of(lambda _, x: (x.shape[0] + x.shape[1] + x[0], x.shape[0])),
        (torch.ones(3, 5),),
        dynamic=({0: Dim("a"), 1: Dim("b")},) and (({0: Dim("a"), 1: Dim("b")},),),
    )


@subject
def symbolic_float() -> Subject:
    return Subject(Of(lambda _, x: x * (x.shape[0] / 3)), (torch.ones(4, 5),), dynamic=(({0: Dim("a")},),))


@subject
def symbolic_bool() -> Subject:
    return Subject(
        Of(lambda _, x: torch.sym_ite(x.shape[0] == 5, x.shape[0], x.shape[1]) + x),
        (torch.ones(4, 6),),
        dynamic=(({0: Dim("a"), 1: Dim("b")},),),
    )


@subject
def infinite_range() -> Subject:
    def forward(_, x):
        n = x.item()
        torch._check(n >= 2)
        return torch.ones(n, 5).sum()

    return Subject(Of(forward), (torch.tensor(3),))


@subject
def rational_range() -> Subject:
    return Subject(
        Of(lambda _, x: x.view(x.shape[0] // 2, 2) + 1),
        (torch.ones(8),),
        dynamic=(({0: 2 * Dim("half", min=2, max=64)},),),
    )


@subject
def list_returns() -> Subject:
    return Subject(Of(lambda _, x: torch.split(x, 2)), (torch.arange(10.0).reshape(5, 2),))


@subject
def non_finite_scalars() -> Subject:
    return Subject(
        Of(lambda _, x: (x.masked_fill(x > 0, -math.inf), x + math.inf, torch.full((2,), math.nan))),
        (torch.tensor([1.0, -1.0]),),
    )


@subject
def keyword_defaults() -> Subject:
    return Subject(
        Of(lambda _, x, v: torch.searchsorted(x, v, side="right", right=True)), (torch.arange(4.0), torch.randn(3, 2))
    )


@subject
def empty_constants() -> Subject:
    return Subject(Of(lambda self, x: x + self.buffer.sum(), buffer=torch.empty(0)), (torch.randn(3),))


@subject
def empty_state_dict() -> Subject:
    return Subject(Of(lambda _, x: x * 2), (torch.randn(3),))


@subject
def tied_weights() -> Subject:
    one = nn.Linear(3, 3)
    return Subject(Of(lambda self, x: self.a(self.b(x)), a=one, b=one), (torch.randn(2, 3),))


@subject
def partial_views() -> Subject:
    base = torch.arange(12.0)
    return Subject(
        Of(lambda self, x: x + self.buffer_a + self.buffer_b, buffer_a=base[2:5], buffer_b=base[4:7]), (torch.randn(3),)
    )


@subject
def storage_offset() -> Subject:
    return Subject(
        Of(lambda self, x: x @ self.buffer, buffer=torch.arange(20.0).reshape(4, 5)[1:, 2:]), (torch.randn(2, 3),)
    )


@subject
def slices_1d() -> Subject:
    return Subject(Of(lambda self, x: x[1:3] + self.buffer, buffer=torch.arange(9.0)[1::4][:2]), (torch.randn(4),))


@subject
def slices_2d() -> Subject:
    return Subject(
        Of(lambda self, x: x[:, ::2] + self.buffer, buffer=torch.arange(16.0).reshape(4, 4)[::2, 1:3]),
        (torch.randn(2, 4),),
    )


@subject
def int8_weights() -> Subject:
    return Subject(
        Of(lambda self, x: x @ self.buffer.to(x.dtype), buffer=torch.randint(-128, 127, (3, 3), dtype=torch.int8)),
        (torch.randn(2, 3),),
    )


@subject
def complex_constant() -> Subject:
    return Subject(Of(lambda self, x: x * self.buffer, buffer=torch.randn(3, dtype=torch.complex64)), (torch.randn(3),))


@subject
def optional_tuples() -> Subject:
    def forward(_, x, y):
        x = torch.ops.graphlens_subjects.maybe(x, None)
        return torch.ops.graphlens_subjects.maybe(x, y, [1, 2])

    return Subject(Of(forward), (torch.randn(3), torch.randn(3)))


@subject
def optional_tensors_in_a_list() -> Subject:
    return Subject(
        Of(lambda _, x: torch.ops.aten.index.Tensor(x, [None, None, torch.tensor([1, 3])])), (torch.rand(4, 4, 4),)
    )


@subject
def tensor_and_list_of_a_custom_op() -> Subject:
    def forward(_, x, y):
        a, b = torch.ops.graphlens_subjects.pair(x, y)
        return a + b[0]

    return Subject(Of(forward), (torch.randn(3), torch.randn(3)))


@subject
def auto_functionalize() -> Subject:
    def forward(_, x, y, z, n):
        x, z = x.clone(), z.clone()
        return torch.ops.graphlens_subjects.write(x, y, z, 2, n), x, z

    return Subject(Of(forward), (torch.randn(3), [torch.randn(3), torch.randn(3)], torch.randn(3), torch.randn(3)))


@subject
def unbacked_bindings() -> Subject:
    def forward(_, x):
        y = x.nonzero()
        torch._check(y.shape[0] >= 1)
        return y.sum(), y.shape[0]

    return Subject(Of(forward), (torch.tensor([0.0, 1.0, 2.0]),))


@subject
def symbol_closed_over_by_cond() -> Subject:
    def forward(_, x):
        n = x.shape[0]
        return torch.cond(x.sum() > 0, lambda v: v * n, lambda v: v - n, (x,))

    return Subject(Of(forward), (torch.randn(4, 2),), dynamic=(({0: Dim("n")},),))


@subject
def none_inputs() -> Subject:
    return Subject(Of(lambda _, x, y=None, z=None: x + 1 if y is None else x + y), (torch.randn(3), None), {"z": None})


@subject
def tensor_constants_in_forward() -> Subject:
    return Subject(
        Of(
            lambda self, x: x + self.a + torch.tensor(3) + torch.cat([x, torch.tensor([1, 1])]).sum(), a=torch.tensor(3)
        ),
        (torch.tensor([1, 1]),),
    )


@subject
def dynamic_shapes() -> Subject:
    def forward(_, a, b, c):
        d = (torch.matmul(a, b) + c) / 2
        e = d.view(d.shape[0] * d.shape[1])
        return torch.cat([e, e])

    n = Dim("n")
    return Subject(
        Of(forward), (torch.randn(2, 4), torch.randn(4, 7), torch.randn(2, 7)), dynamic=(({0: n}, None, {0: n}),)
    )


@subject
def conditions_nested() -> Subject:
    def forward(_, x):
        def inner(v):
            return torch.cond(v.sum() > 1, lambda w: w + 1, lambda w: w - 1, (v,))

        return torch.cond(x[0] > 4, inner, lambda v: v * 2, (x,))

    return Subject(Of(forward), (torch.tensor([5.0, 1.0]),))


@subject
def while_loop() -> Subject:
    from torch._higher_order_ops.while_loop import while_loop as loop

    return Subject(
        Of(lambda _, i, x: loop(lambda i, x: i < 3, lambda i, x: (i + 1, x * 2), (i, x))),
        (torch.tensor(0), torch.randn(3)),
    )


@subject
def channels_last() -> Subject:
    return Subject(
        nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last),
        (torch.randn(1, 3, 5, 5).to(memory_format=torch.channels_last),),
    )


@subject
def string_output() -> Subject:
    return Subject(Of(lambda _, x: (x + 1, "label")), (torch.randn(3),), expect={"reload": "output node"})


@subject
def sparse_buffer() -> Subject:
    return Subject(
        Of(lambda self, x: torch.sparse.mm(self.buffer, x), buffer=torch.eye(3).to_sparse()),
        (torch.randn(3, 2),),
        expect={"reload": ""},
    )


def _run(name: str) -> tuple[Subject, RoundTrip]:
    torch.manual_seed(0)
    made = SUBJECTS[name]()
    dynamic = made.dynamic
    return made, roundtrip(
        made.model,
        made.args,
        made.kwargs,
        dynamic_shapes=dynamic,
        strict=made.strict,
        runtimes=("eager", "exported", "decomposed", "reloaded"),
        name=name,
    )


@pytest.mark.parametrize("name", SUBJECTS)
def test_subject(name):
    made, trip = _run(name)
    rows = {**trip.stages.set_index("stage").T.to_dict(), **trip.runtimes.set_index("runtime").T.to_dict()}
    follows = {"reloaded": "reload", "decomposed": "decompose"}
    for part, row in rows.items():
        if part in made.expect:
            assert row["status"] == "failed", (part, row["status"])
            assert made.expect[part] in row["error"]
            assert "Traceback" in trip.failures[part].trace
        elif follows.get(part) in made.expect:
            assert row["status"] == "skipped"
        else:
            assert row["status"] == "ok", (part, row["error"])
    leaves = trip.outputs[~trip.outputs["status"].isin(["failed", "skipped"])]
    assert set(leaves["status"]) <= {"reference", "ok", "rounding"}, leaves.to_string()
    assert set(leaves["runtime"]) == {"eager", "exported", "decomposed", "reloaded"} - set(made.expect) - {
        runtime for runtime, stage in follows.items() if stage in made.expect
    }
