"""Small live programs that the tests of reading share, each made once per process."""

from __future__ import annotations

import dataclasses
from functools import cache

import torch
from torch import nn
from torch.export import Dim, ExportedProgram, export
from torch.fx import Graph, GraphModule


class Shared(nn.Module):
    """One block called twice, an encoder and a decoder of the same class, a constant and an unsaved buffer."""

    def __init__(self):
        super().__init__()
        self.enc = nn.ModuleList([nn.Linear(4, 4)])
        self.dec = nn.ModuleList([nn.Linear(4, 4)])
        self.sh = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
        self.register_buffer("unsaved", torch.ones(4), persistent=False)
        self.constant = torch.full((4,), 2.0)

    def forward(self, x):
        return self.sh(self.sh(self.dec[0](self.enc[0](x)))) + self.unsaved * self.constant


class Nested(nn.Module):
    """cond inside map inside cond."""

    def __init__(self):
        super().__init__()
        self.proj = nn.Linear(4, 4)

    def forward(self, x):
        from functorch.experimental.control_flow import map as hop_map

        def body(row, b):
            return torch.cond(row.sum() > 1, lambda r, c: r + c, lambda r, c: r * c, (row, b))

        def positive(t):
            return hop_map(body, self.proj(t), t[0])

        return torch.cond(x.sum() > 0, positive, lambda t: t - 1, (x,))


@cache
def shared(strict: bool = False) -> ExportedProgram:
    return export(Shared(), (torch.ones(2, 4),), strict=strict)


@cache
def nested() -> ExportedProgram:
    return export(Nested(), (torch.ones(3, 4),))


@cache
def dynamic() -> ExportedProgram:
    class Model(nn.Module):
        def forward(self, x, y):
            n = y.sum().item()
            torch._check(n >= 0)
            torch._check(n < 10)
            return x.reshape(x.shape[0] * 2, -1), torch.zeros(n), x.shape[0] * 3

    batch = Dim("batch", min=2, max=64)
    return export(Model(), (torch.ones(4, 6), torch.ones(3, dtype=torch.int64)), dynamic_shapes=({0: batch}, None))


@dataclasses.dataclass
class Unregistered:
    """An output class that only this process knows."""

    first: object
    second: object


@cache
def unregistered() -> ExportedProgram:
    torch.utils._pytree.register_dataclass(Unregistered)

    class Model(nn.Module):
        def forward(self, x):
            return Unregistered(x + 1, {"k": x * 2})

    return export(Model(), (torch.ones(2),))


def body(*operators) -> GraphModule:
    """A GraphModule of one input: each operator is applied in turn."""
    graph = Graph()
    value = graph.placeholder("x")
    value.meta["val"] = torch.empty(2)
    for operator in operators:
        value = graph.call_function(operator, (value,))
        value.meta["val"] = torch.empty(2)
    graph.output((value,))
    return GraphModule(nn.Module(), graph)


def holder(build, **children) -> GraphModule:
    """A GraphModule with the given children, whose graph `build(graph, x)` makes."""
    root = nn.Module()
    for name, child in children.items():
        setattr(root, name, child)
    graph = Graph()
    x = graph.placeholder("x")
    graph.output(build(graph, x))
    return GraphModule(root, graph)
