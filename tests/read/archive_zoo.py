"""Small programs, each for one corner of the serialized form. `CASES` maps a name to a function that exports it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.export import Dim, ExportedProgram, export


@dataclass
class Unregistered:
    """An output class that the process which reads the archive does not know."""

    logits: torch.Tensor
    loss: torch.Tensor | None = None


def make(forward: Callable[..., object], **state: torch.Tensor | nn.Module) -> nn.Module:
    """Return a module with this forward and these parameters, buffers and children."""

    class Case(nn.Module):
        pass

    module = Case()
    for name, value in state.items():
        if isinstance(value, nn.Module | nn.Parameter):
            setattr(module, name, value)
        else:
            module.register_buffer(name, value)
    Case.forward = forward
    return module


X = torch.randn(4, 6)


def several_results() -> ExportedProgram:
    def forward(self, x):
        values, _ = torch.topk(x, 2)
        a, _, c = torch.split(x, [1, 2, 3], dim=1)
        u, _s, _v = torch.linalg.svd(x)
        return values, a, c, u, torch.aminmax(x)[1]

    return export(make(forward), (X,))


def lists_with_none() -> ExportedProgram:
    def forward(self, x, i):
        y = torch.ops.aten.index.Tensor(x, [None, i])
        return torch.einsum("ij,jk->ik", y, y.t()), torch.cat([x, x, y]), None, 3, 2.5, True, "text"[:0] or None

    return export(make(forward), (X, torch.tensor([0, 1, 2, 0, 1, 2])))


def lstm() -> ExportedProgram:
    return export(make(lambda self, x: self.rnn(x), rnn=nn.LSTM(6, 5)), (X[None],))


def no_results() -> ExportedProgram:
    def forward(self, x, n):
        torch._check(n.item() > 2)
        k = n.item()
        torch._check(k < 10)
        return x.sum() + k, torch.zeros(k)

    return export(make(forward), (X, torch.tensor(4)))


def symbols() -> ExportedProgram:
    def forward(self, x, y):
        half = x.shape[0] // 2
        return (
            x[:half].reshape(-1),
            x.shape[0] * 2 + 1,
            x.new_ones(half + y.shape[0], x.shape[1] * 3),
            torch.sym_max(half, 4),
        )

    dims = {"x": {0: Dim.AUTO, 1: Dim.AUTO}, "y": {0: Dim.AUTO}}
    return export(make(forward), (torch.randn(8, 3), torch.randn(5, 2)), dynamic_shapes=dims)


def symbolic_float() -> ExportedProgram:
    def forward(self, x):
        scale = x.sum().item()
        return x * (scale / 2), torch.full((2,), scale * 1.5)

    return export(make(forward), (X,))


def constant_inputs() -> ExportedProgram:
    def forward(self, x, n, flag, text, nothing, ratio):
        return (x * n if flag else x) * ratio

    return export(make(forward), (X, 3, True, "mode", None, 0.25))


def mutations() -> ExportedProgram:
    def forward(self, x):
        self.seen.add_(1)
        x.mul_(2)
        return self.layer(x) + self.seen

    module = make(forward, layer=nn.Linear(6, 6), seen=torch.zeros(()))
    return export(module, (X.clone(),)).run_decompositions({})


def shared_module() -> ExportedProgram:
    def forward(self, x):
        return self.shared(self.shared(x)) + self.alias(x)

    layer = nn.Linear(6, 6)
    return export(make(forward, shared=layer, alias=layer), (X,))


def tied_and_views() -> ExportedProgram:
    base = torch.arange(24.0)

    def forward(self, x):
        return x + self.a.sum() + self.b.sum() + self.c.sum() + self.d.sum() + self.w.sum()

    module = make(forward, a=base.view(4, 6), b=base.view(4, 6).t(), c=base[5:9], d=torch.ones(1).expand(3, 2))
    module.w = nn.Parameter(torch.randn(3, 3).t())
    module.v = module.w
    return export(module, (X,))


def dtypes() -> ExportedProgram:
    def forward(self, x):
        return (
            self.h.float().sum() + self.c.abs().sum() + self.e.float().sum() + x.to(torch.float64).sum() + self.z.sum()
        )

    complex_ = torch.randn(3, dtype=torch.complex64)
    fp8 = torch.ones(4).to(torch.float8_e4m3fn)
    return export(make(forward, h=torch.ones(3, dtype=torch.bfloat16), c=complex_, e=fp8, z=torch.tensor(-0.0)), (X,))


def memory_formats() -> ExportedProgram:
    def forward(self, x):
        y = self.conv(x.to(memory_format=torch.channels_last)).contiguous(memory_format=torch.contiguous_format)
        return y.to(device="cpu", dtype=torch.float64), x.new_zeros((2,), layout=torch.strided, pin_memory=False)

    return export(make(forward, conv=nn.Conv2d(3, 4, 3)), (torch.randn(1, 3, 8, 8),))


def control_flow() -> ExportedProgram:
    def forward(self, x):
        def yes(t):
            return torch.cond(t.sum() > 1, lambda u: u * 2, lambda u: u - self.k, (t,))

        def no(t):
            return self.layer(t)

        y = torch.cond(x.sum() > 0, yes, no, (x,))
        z, i = torch.while_loop(lambda t, i: i < 3, lambda t, i: (t + 1, i + 1), (y, torch.tensor(0)))
        return z, i

    return export(make(forward, layer=nn.Linear(6, 6), k=torch.ones(6)), (X,))


def scan_and_map() -> ExportedProgram:
    from functorch.experimental.control_flow import map as hop_map
    from torch._higher_order_ops.scan import scan

    def forward(self, x):
        def step(carry, row):
            return carry + row, carry * row

        last, rows = scan(step, x[0], x)
        return last, hop_map(lambda row, k: row * k, rows, self.k)

    return export(make(forward, k=torch.ones(6)), (X,))


def no_grad() -> ExportedProgram:
    def forward(self, x):
        with torch.no_grad():
            y = self.layer(x)
            a, _ = y.split(3, dim=1)
        return a + x[:, :3]

    return export(make(forward, layer=nn.Linear(6, 6)), (X,))


def autocast() -> ExportedProgram:
    def forward(self, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = self.layer(x)
        return y.float() + 1

    return export(make(forward, layer=nn.Linear(6, 6)), (X,))


def vmapped() -> ExportedProgram:
    def forward(self, x):
        return torch.vmap(lambda row: row.sum() * row)(x)

    return export(make(forward), (X,), strict=True)


def strict_sources() -> ExportedProgram:
    return export(make(lambda self, x: self.layer(x).relu(), layer=nn.Linear(6, 6)), (X,), strict=True)


def custom_metadata() -> ExportedProgram:
    program = export(make(lambda self, x: self.layer(x).relu(), layer=nn.Linear(6, 6)), (X,))
    for node in program.graph.nodes:
        if node.op == "call_function":
            node.meta["custom"] = {"a": [1, 2.5, None, {"b": True}], "text": 'quote " backslash \\ é ☃'}
    program.graph_module.meta["custom"] = {"owner": "me"}
    return program


def preserved_calls() -> ExportedProgram:
    def forward(self, x):
        return self.inner(x)

    inner = make(lambda self, x: {"y": self.layer(x), "k": 3}["y"], layer=nn.Linear(6, 6))
    return export(make(forward, inner=inner), (X,), preserve_module_call_signature=("inner",))


def decomposed() -> ExportedProgram:
    layers = nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.GELU(), nn.Dropout(0.1))
    return export(make(lambda self, x: self.layers(x), layers=layers), (X,)).run_decompositions()


def guards() -> ExportedProgram:
    batch = Dim("batch", min=2, max=32)
    return export(make(lambda self, x, y: x + y), (X, X), dynamic_shapes={"x": {0: batch}, "y": {0: batch}})


def unregistered_output() -> ExportedProgram:
    torch.export.register_dataclass(Unregistered, serialized_type_name="somewhere.else.Unregistered")
    return export(make(lambda self, x: Unregistered(logits=x * 2, loss=None)), (X,))


def custom_op() -> ExportedProgram:
    define_custom_ops()

    def forward(self, x):
        a, parts = torch.ops.graphlens_zoo.pieces(x, 2, scale=0.5)
        torch.ops.graphlens_zoo.record(a)
        return a + parts[0].sum(), parts[1]

    return export(make(forward), (X,))


def effect_tokens() -> ExportedProgram:
    return custom_op().run_decompositions({})


def mutable_custom_op() -> ExportedProgram:
    define_custom_ops()

    def forward(self, x):
        y = x.clone()
        torch.ops.graphlens_zoo.fill_(y, [x, x + 1], 3)
        return y * self.k

    return export(make(forward, k=torch.ones(6)), (X,)).run_decompositions({})


def nested_region() -> ExportedProgram:
    @torch.compiler.nested_compile_region
    def region(t):
        return t.sin() + 1

    return export(make(lambda self, x: region(x) + region(x * 2)), (X,), strict=True)


def hints() -> ExportedProgram:
    from torch._higher_order_ops.hints_wrap import hints_wrapper

    def forward(self, x):
        def body(t, w):
            return t @ w

        return hints_wrapper(body, (x, self.w), {}, hints={"split": 3, "kind": "row", "on": True})

    return export(make(forward, w=torch.randn(6, 6)), (X,), strict=True)


def define_custom_ops() -> None:
    """Register two operators: one with a tensor and a list of tensors as results, one without results."""
    if hasattr(torch.ops.graphlens_zoo, "pieces"):
        return
    library = torch.library.Library("graphlens_zoo", "FRAGMENT")
    library.define("pieces(Tensor x, int n, *, float scale=1.0) -> (Tensor, Tensor[])")
    library.define("record(Tensor x) -> ()")
    library.define("fill_(Tensor(a!) x, Tensor[] parts, int n) -> ()")
    library.impl("fill_", lambda x, parts, n: x.copy_(parts[0] * n), "CompositeExplicitAutograd")
    torch.library.register_fake("graphlens_zoo::fill_", lambda x, parts, n: None, lib=library)
    pieces = lambda x, n, scale=1.0: (x * scale, [t.clone() for t in x.chunk(n)])
    library.impl("pieces", pieces, "CompositeExplicitAutograd")
    library.impl("record", lambda x: None, "CompositeExplicitAutograd")
    torch.library.register_fake("graphlens_zoo::pieces", pieces, lib=library)
    torch.library.register_fake("graphlens_zoo::record", lambda x: None, lib=library)
    define_custom_ops.library = library
    from torch._higher_order_ops import effects

    effects._register_effectful_op(torch.ops.graphlens_zoo.record.default, effects._EffectType.ORDERED)


CASES: dict[str, Callable[[], ExportedProgram]] = {
    f.__name__: f
    for f in (
        several_results, lists_with_none, lstm, no_results, symbols, symbolic_float, constant_inputs, mutations,
        shared_module, tied_and_views, dtypes, memory_formats, control_flow, scan_and_map, no_grad, autocast, vmapped,
        strict_sources, custom_metadata, preserved_calls, decomposed, guards, unregistered_output, custom_op,
        effect_tokens, mutable_custom_op, nested_region, hints,
    )
}  # fmt: skip
