"""Real exports that several tests share, each made once per process."""

from __future__ import annotations

import io
import warnings
from functools import lru_cache

import torch
from torch import nn

from graphlens.program.program import Program
from graphlens.read import read

warnings.filterwarnings("ignore", category=FutureWarning)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.norm = nn.Linear(4, 4), nn.LayerNorm(4)

    def forward(self, x):
        return x + self.fc(self.norm(x)).sin() * 2.0


class Nested(nn.Module):
    """Equal layers, then one of each control-flow op, some inside each other; one weight is tied."""

    def __init__(self, layers: int = 3):
        super().__init__()
        self.blocks = nn.ModuleList(Block() for _ in range(layers))
        self.tied = nn.Linear(4, 4, bias=False)
        self.tied.weight = self.blocks[0].fc.weight
        self.register_buffer("scale", torch.ones(4))

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        x = self.tied(x)
        x = torch.cond(x.sum() > 0, self.positive, self.negative, (x,))
        x = torch._higher_order_ops.map(self.row, x, self.scale)
        carry, rows = torch._higher_order_ops.scan(self.combine, x.sum(0), x)
        count, last = torch.while_loop(self.going, self.step, (torch.tensor(0), carry))
        return count, last, rows

    @staticmethod
    def positive(t):
        inner = t.relu() - 1.0
        return torch.cond(inner.mean() > 0, lambda t: t.cos() * 2.0 + t.sin(), lambda t: t.exp() / 3.0 - t, (inner,))

    @staticmethod
    def negative(t):
        return t.abs().neg() * t.sin() + 0.5

    @staticmethod
    def row(row, scale):
        return (row * scale).sin() - row.cos() * 3.0

    @staticmethod
    def going(i, t):
        return i + 1 < 4

    @staticmethod
    def step(i, t):
        return i + 1, (t.sigmoid() - t.tanh()) * 0.5

    @staticmethod
    def combine(carry, x):
        total = carry.sin() - x.cos() * 2.0
        return total, total * x


def export(model: nn.Module, *args, **options) -> torch.export.ExportedProgram:
    torch.manual_seed(0)
    return torch.export.export(model.eval(), args, **options)


def reload(program: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    buffer.seek(0)
    return torch.export.load(buffer)


@lru_cache(maxsize=1)
def nested_export() -> torch.export.ExportedProgram:
    torch.manual_seed(0)
    rows = torch.export.Dim("rows", min=2, max=64)
    return torch.export.export(Nested().eval(), (torch.randn(3, 4),), dynamic_shapes={"x": {0: rows}})


@lru_cache(maxsize=1)
def nested_program() -> Program:
    return read(nested_export())


def dynamo(model: nn.Module, *args, dynamic: bool | None = None, **kwargs) -> torch.fx.GraphModule:
    """Return the graph that Dynamo makes of a model."""
    found: list[torch.fx.GraphModule] = []

    def keep(graph, _):
        found.append(graph)
        return graph.forward

    torch._dynamo.reset()
    with torch.no_grad():
        torch.compile(model, backend=keep, fullgraph=True, dynamic=dynamic)(*args, **kwargs)
    return found[0]
