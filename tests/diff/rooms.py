"""One program with the same work in every kind of nested graph, one level down and two: `work` is what edits are made of."""

from __future__ import annotations

from functools import cache

import torch
from torch import nn
from torch._higher_order_ops import map as over_rows
from torch._higher_order_ops import scan, while_loop

from graphlens.program.program import Program
from graphlens.read import read

ROOMS = (
    "", "cond.true_fn", "cond.true_fn/cond.true_fn", "cond.true_fn/cond.false_fn", "cond.false_fn", "cond.false_fn/map_impl.f",
    "map_impl.f", "map_impl.f/cond.true_fn", "map_impl.f/cond.false_fn", "scan.combine_fn", "scan.combine_fn/while_loop.cond_fn",
    "scan.combine_fn/while_loop.body_fn", "while_loop.cond_fn", "while_loop.body_fn", "while_loop.body_fn/scan.combine_fn",
)  # fmt: skip


class Step(nn.Module):
    def __init__(self, k: float) -> None:
        super().__init__()
        self.k = k

    def forward(self, t):
        return t.sin() * self.k + t


class Rooms(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.steps = nn.ModuleList(Step(k) for k in (2.0, 3.0, 4.0))
        self.lin, self.tied = nn.Linear(4, 4), nn.Linear(4, 4)
        self.tied.weight = self.lin.weight
        self.register_buffer("scale", torch.ones(4))

    def work(self, t, k):
        for step in self.steps:
            t = step(t)
        a = torch.ops.aten.add.Tensor(t, t.cos(), alpha=k)
        b, c = torch.split(a, 2, -1)
        d = torch.cat([c, b], -1)
        e = torch.div(d, a.exp(), rounding_mode="floor")
        return e - a.relu() * 0.5

    def forward(self, x):
        x = self.work(self.tied(self.lin(x)), 11) + self.scale
        x = torch.cond(x.sum() > 0, self.positive, self.negative, (x,))
        x = over_rows(self.row, x, self.scale)
        carry, rows = scan(self.combine, x[0], x)
        count, last = while_loop(self.going, self.step, (torch.tensor(0), carry))
        return count, last, rows

    def positive(self, t):
        t = self.work(t, 2)
        return torch.cond(t.mean() > 0, lambda t: self.work(t, 21), lambda t: self.work(t, 22), (t,))

    def negative(self, t):
        return over_rows(lambda r: self.work(r, 31), self.work(t, 3))

    def row(self, r, scale):
        r = self.work(r, 4) * scale
        return torch.cond(r.sum() > 0, lambda t: self.work(t, 41), lambda t: self.work(t, 42), (r,))

    def going(self, i, t):
        return (self.work(t, 5).sum() < 7) & (i < 4)

    def step(self, i, t):
        carry, _ = scan(lambda c, x: (self.work(c, 61) + x, c * x), t, torch.stack([t, t]))
        return i + 1, self.work(carry, 6)

    def combine(self, c, x):
        def going(i, t):
            return (i < 3) & (self.work(t, 71).sum() < 9)

        def step(i, t):
            return i + 1, self.work(t, 72)

        _, c = while_loop(going, step, (torch.tensor(0), c + x))
        c = self.work(c, 7)
        return c, c * x


@cache
def rooms_export() -> torch.export.ExportedProgram:
    torch.manual_seed(0)
    rows = torch.export.Dim("rows", min=2, max=64)
    model = Rooms().requires_grad_(False).eval()
    return torch.export.export(model, (torch.randn(3, 4),), dynamic_shapes={"x": {0: rows}})


@cache
def rooms() -> Program:
    return read(rooms_export())
